"""`tap` shows ticks as they come, nothing but rows, and holds up nobody."""

import os
import re
import signal

import pytest

from support import oracle
from support.ticks import combined, mini_tickers, odd_events
from support.waiting import wait_until

SINKS_OFF = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}


def fill(tickwal, ticks):
    tickwal.run_with_input("".join(combined(*tick) + "\n" for tick in ticks).encode(), "import", "-")


def start_run(tickwal, exchange):
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker", **SINKS_OFF)
    exchange.client(len(exchange.clients))
    return run


def test_ticks_are_shown_as_they_come_and_a_signal_ends_it(tickwal, make_exchange):
    fill(tickwal, mini_tickers(10))
    tap = tickwal.start("tap")
    tap.wait_until_said("no process writes the log: what comes when `tickwal run` does is shown then")
    exchange = make_exchange()
    run = start_run(tickwal, exchange)
    tap.wait_until_said(f"process {run.pid} writes the log")
    some = tickwal.start("tap", "--stream", "btcusdt@*", "--stream", "*@strange", "--format", "payload")
    older = tickwal.start("tap", "--from-offset", "5", "--count", "6")
    assert older.end().code == 0
    for tick in odd_events():
        exchange.clients[-1].send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 20, "the ticks are in the log")
    ticks = tickwal.log.ticks()
    wait_until(lambda: tap.out.count(b"\n") == 10, "all are shown")
    assert tap.out == b"".join(oracle.row(tick) for tick in ticks[10:])
    assert older.out == b"".join(oracle.row(tick) for tick in ticks[4:10])
    tap.send(signal.SIGINT)
    ended = tap.end()
    assert ended.code == 130 and ended.err.splitlines()[-1] == "tickwal: interrupted"
    assert ended.err.count("\n") == 3

    def shows_one() -> bool:
        # It may have begun in the middle of them, or after them.
        exchange.clients[-1].send(combined("btcusdt@more", "{}").encode())
        return some.out != b""

    run.wait_until(shows_one, "a tick after its start is shown")
    some.send(signal.SIGTERM)
    ended = some.end()
    assert ended.code == 130
    wanted = [tick.payload for tick in tickwal.log.ticks() if re.search("^btcusdt@|@strange", tick.stream)]
    shown = ended.out.decode().splitlines()
    assert any(shown == wanted[first : first + len(shown)] for first in range(len(wanted)))
    assert run.terminate().code == 0


def test_a_reader_that_goes_ends_it_quietly_even_where_nothing_comes(tickwal):
    fill(tickwal, mini_tickers(10))
    reading, writing = os.pipe()
    tap = tickwal.start("tap", stdout=writing)
    os.close(writing)
    tap.wait_until_said("no process writes the log")
    os.close(reading)
    ended = tap.end()
    assert ended.code == 0 and ended.err.count("\n") == 1


@pytest.mark.parametrize("arguments, code, words", [
    (["--from-offset", "12"], 1, "cannot begin at offset 12: the log has 1 to 10"),
    (["--from-offset", "0"], 78, "--from-offset"), (["--format", "xml"], 78, "row or payload"),
    (["--count", "0"], 78, "--count"), (["--since", "never"], 78, "--since"), (["--stream", ""], 78, "--stream"),
    (["--wal-path", "nowhere.db"], 78, "nowhere.db"),
])
def test_what_cannot_be_shown_is_said_at_once(tickwal, arguments, code, words):
    fill(tickwal, mini_tickers(10))
    ended = tickwal.run_to_end("tap", *arguments)
    assert (ended.code, ended.out) == (code, b"") and words in ended.err, ended.err


def test_times_begin_with_the_first_tick_since_or_the_next_one_of_all(tickwal):
    fill(tickwal, mini_tickers(10))
    ended = tickwal.succeed("tap", "--since", "-1h", "--count", "10")
    assert ended.out == b"".join(oracle.row(tick) for tick in tickwal.log.ticks())
    tap = tickwal.start("tap", "--since", "2099-01-01T00:00Z", "--count", "1")
    tap.wait_until_said("no process writes the log")
    fill(tickwal, mini_tickers(1, seed=2))
    assert tap.end().out == oracle.row(tickwal.log.ticks()[-1])


def test_a_log_that_is_taken_away_ends_it(tickwal):
    fill(tickwal, mini_tickers(10))
    tap = tickwal.start("tap")
    tap.wait_until_said("no process writes the log")
    tickwal.path.rename(tickwal.path.with_suffix(".old"))
    ended = tap.end()
    assert ended.code == 1 and "is not the log any more that is read here" in ended.err
