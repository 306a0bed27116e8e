"""Commands beside a `run` that is busy, stopped or besieged."""

import json
import signal
import socket

import pytest

from support.ticks import combined, mini_tickers


@pytest.fixture
def held(tickwal, make_exchange):
    """`run` with ten ticks shipped to a folder."""
    exchange = make_exchange()
    run = tickwal.start(
        "run", "--local", tickwal.folder / "out", BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker"
    )
    for tick in mini_tickers(10):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.path.exists() and tickwal.log.is_shipped(10), "all is shipped")
    yield run
    run.check()


SEEK = ["seek", "--consumer", "local-dynamodb", "--offset", "4"]


def test_a_holder_that_is_stopped_is_named_and_waited_for(tickwal, held):
    held.send(signal.SIGSTOP)
    try:
        seek = tickwal.start(*SEEK)
        seek.wait_until_said(f"tickwal: process {held.pid} holds the log and does not answer; is it stopped?")
    finally:
        held.send(signal.SIGCONT)
    ended = seek.end()
    assert ended.code == 0, ended.err
    assert b"reads offset 4 next" in ended.out
    assert ended.err.count("is it stopped?") == 1


def test_whoever_has_given_up_does_not_want_it_done_any_more(tickwal, held):
    held.send(signal.SIGSTOP)
    try:
        seek = tickwal.start(*SEEK)
        seek.wait_until_said("is it stopped?")
        seek.kill()
    finally:
        held.send(signal.SIGCONT)
    # Heard after it.
    feed = held.wait_until(
        lambda: json.loads(tickwal.succeed("status", "--json").out)["feed"]["connected"], "it answers again"
    )
    assert feed and tickwal.log.next_offsets()["local-dynamodb"] == 11
    assert "was moved by an operator" not in held.err


def test_clients_that_say_nothing_delay_nobody(tickwal, held):
    silent = [socket.socket(socket.AF_UNIX) for _ in range(9)]
    try:
        for client in silent:
            client.connect(f"{tickwal.path}.sock")
        # One after the other, each would be given five seconds.
        assert b"reads offset 4 next" in tickwal.succeed(*SEEK, seconds=30).out
    finally:
        for client in silent:
            client.close()
