"""Clocks that are wrong, that are set while the program runs and between two runs, and events from any time."""

import itertools
import json
import signal
import time

import pytest

from support import oracle
from support.delivery import assert_dense, assert_gaps, assert_items, assert_objects, local_gaps, local_items, local_objects
from support.ticks import combined, mini_ticker, mini_tickers

HOUR = 3_600
DAY = 24 * HOUR


def send(client, ticks):
    for stream, event in ticks:
        client.send(combined(stream, event).encode())


def test_a_clock_that_is_set_while_running_and_between_runs_harms_nothing(tickwal, clock, make_exchange):
    """To and fro, by hours, days and a year: names, rows, items, gaps and retention are right all the same."""
    exchange = make_exchange()
    ticks = mini_tickers(1_000)
    sent = 0
    seen: list[tuple[int, int]] = []

    def start():
        return tickwal.start(
            "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker",
            RETENTION_TTL_DAYS="1000", **clock.environment,
        )

    jumps = itertools.chain([0, -HOUR, HOUR, -HOUR, -DAY, 366 * DAY], [-HOUR, 2 * DAY, 0])
    for number, (run_number, jump) in enumerate(zip(itertools.chain([0] * 6, [1] * 2, [2]), jumps)):
        if number in (0, 6, 8):
            clock.set(jump)
            run = start()
        clock.set(jump)
        first = sent
        send(exchange.client(run_number), ticks[sent : sent + 60])
        sent += 60
        run.wait_until(lambda: tickwal.log.is_shipped(sent), f"{sent} ticks are shipped")
        received = [tick.received_at for tick in tickwal.log.ticks()[first:]]
        assert all(clock.shows(at) for at in received), (jump, received)
        if number in (5, 7, 8):
            if number == 5:
                run.kill()
                run.end()
            else:
                assert run.terminate().code == 0
    log = tickwal.log.ticks()
    assert_dense(log)
    assert [tick.payload for tick in log] == [event for _, event in ticks[:sent]], "something was trimmed"
    assert_objects(tickwal.log, local_objects(tickwal.folder), log, most_rows=100)
    assert_items(local_items(tickwal.folder), log, days=1000)
    gaps = tickwal.log.ask("select cause, started_at, ended_at from gaps order by id")
    assert [cause for cause, _, _ in gaps] == ["crash", "shutdown", "shutdown"]
    assert all(ended is None or ended >= started for _, started, ended in gaps)
    assert_gaps(tickwal.log, local_gaps(tickwal.folder))
    for (seconds,) in tickwal.log.ask("select seconds from recent_gaps union all select oldest_unshipped_seconds from backlog"):
        assert seconds >= 0
    # Looked at a year before and a year after.
    for jump in (-365 * DAY, 365 * DAY):
        clock.set(jump)
        status = json.loads(tickwal.succeed("status", "--json", **clock.environment).out)
        assert all(gap["seconds"] >= 0 for gap in status["gaps"]["open"])
        assert tickwal.succeed("verify", **clock.environment).code == 0


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_a_clock_set_between_two_runs_holds_no_batch_back(tickwal, clock, make_exchange, jump):
    """After a clock was set back, what the log has seems to come from the future."""
    exchange = make_exchange()

    def start(seconds: str):
        return tickwal.start(
            "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker", DYNAMO_WRITE="0",
            MAX_BATCH_TIMEOUT=seconds, **clock.environment,
        )

    ticks = mini_tickers(6)
    run = start("86400")
    send(exchange.client(), ticks[:3])
    run.wait_until(lambda: tickwal.log.head == 3, "three ticks are in the log")
    run.kill()
    assert tickwal.log.backlog() == {"local-s3": 3}
    clock.set(jump)
    run = start("1")
    run.wait_until(lambda: tickwal.log.is_shipped(3), "they are shipped")
    # And while it runs.
    clock.set(0)
    send(exchange.client(1), ticks[3:])
    run.wait_until(lambda: tickwal.log.is_shipped(6), "the next ones are shipped")
    assert run.terminate().code == 0
    assert_objects(tickwal.log, local_objects(tickwal.folder), tickwal.log.ticks(), most_rows=100)


@pytest.mark.parametrize("offset", [-HOUR, HOUR])
def test_a_clock_that_is_wrong_by_an_hour_stops_no_delivery(tickwal, clock, make_place, make_exchange, ministack, offset):
    """Requests are signed by the server's clock; what is delivered has the machine's."""
    place = make_place("a@miniTicker")
    exchange = make_exchange()
    clock.set(offset)
    environment = {**place.environment(ministack.url), **clock.environment}
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    send(exchange.client(), mini_tickers(150))
    run.wait_until(lambda: tickwal.log.is_shipped(150), "all is shipped")
    run.wait_until_said("this machine's clock differs from the server's")
    # Set right while it runs.
    clock.set(0)
    send(exchange.client(), mini_tickers(50, seed=2))
    run.wait_until(lambda: tickwal.log.is_shipped(200), "all is shipped")
    assert run.terminate().code == 0
    ticks = tickwal.log.ticks()
    assert abs(ticks[0].received_at / 1e6 - time.time() - offset) < 600 and abs(ticks[-1].received_at / 1e6 - time.time()) < 600
    assert_objects(tickwal.log, place.objects(), ticks, most_rows=100)
    assert_items(place.items(), ticks)
    assert tickwal.log.value("select sum(expired) from consumers") == 0


def test_a_clock_that_is_days_behind_makes_items_that_are_expired_and_counted(tickwal, clock, make_place, make_exchange, ministack):
    place = make_place("a@miniTicker")
    exchange = make_exchange()
    clock.set(-3 * DAY)
    environment = {**place.environment(ministack.url), **clock.environment}
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    send(exchange.client(), mini_tickers(150))
    run.wait_until(lambda: tickwal.log.is_shipped(150), "all is settled")
    assert run.terminate().code == 0
    expired = tickwal.log.value("select expired from consumers where name = 'dynamodb'")
    # The first few before DynamoDB has told its time, and that twice.
    assert 150 - 45 <= expired <= 150
    assert len(place.items()) + expired >= 150 - 20
    assert_objects(tickwal.log, place.objects(), tickwal.log.ticks(), most_rows=100)


DATES = [
    # Leap years and the days around; 1900 and 2100 are none.
    "2000-02-28T23:59:59.999", "2000-02-29T00:00:00.000", "2000-03-01T00:00:00.000", "2024-02-29T12:00:00.001",
    "2023-12-31T23:59:59.999", "2024-12-31T23:59:59.999", "2028-02-29T23:59:59.999", "2100-02-28T23:59:59.999",
    "2100-03-01T00:00:00.000", "1900-02-28T23:59:59.999", "1900-03-01T00:00:00.000", "2400-02-29T00:00:00.000",
    # Before and at the epoch, the ends of 32 bits, of what a date can be.
    "1969-12-31T23:59:59.999", "1970-01-01T00:00:00.000", "1969-01-01T00:00:00.001", "1583-01-01T00:00:00.000",
    "1000-01-01T00:00:00.000", "0999-12-31T23:59:59.999", "0001-01-01T00:00:00.000", "2038-01-19T03:14:08.000",
    "1901-12-13T20:45:51.999", "2106-02-07T06:28:16.000", "9999-12-31T23:59:59.999",
]
NUMBERS = [
    "0", "-0", "-1", "1", "999", "-999", "1665778598188123", "253402300799999", "253402300800000", "253402300800001",
    "253402300799999999", "253402300800000000", "-62135596800000", "-62135596800001", "9223372036854775807",
    "-9223372036854775808", "9223372036854775808", "123456789012345678901234567890",
]
NO_NUMBERS = ['"1665778598188"', '""', '"2022-10-14"', "1665778598188.5", "1.665778598188e12", "1e400", "null", "true", "{}", "[1]"]


def event_times() -> list[str]:
    dates = [oracle.EPOCH.fromisoformat(f"{text}+00:00") - oracle.EPOCH for text in DATES]
    return [str(round(date.total_seconds() * 1000)) for date in dates] + NUMBERS + NO_NUMBERS


def test_events_from_any_time_have_the_rows_and_keys_that_python_would_give_them(tickwal):
    times = event_times()
    events = [("btcusdt@miniTicker", mini_ticker("BTCUSDT", 0, 1).replace('"E":0', f'"E":{at}')) for at in times]
    events += [("btcusdt@trade", f'{{"e":"trade","E":{at},"s":"BTCUSDT","t":{number}}}') for number, at in enumerate(times)]
    events.append(("btcusdt@trade", '{"e":"trade","s":"BTCUSDT","t":9999}'))
    file = tickwal.folder / "events.jsonl"
    file.write_text("".join(combined(*event) + "\n" for event in events))
    tickwal.succeed("import", str(file))
    ticks = tickwal.log.ticks()
    assert [tick.payload for tick in ticks] == [event for _, event in events]
    for tick in ticks:
        assert tick.event_time == oracle.event_time(tick), tick
    rows = tickwal.succeed("replay", "--from-offset", "1", "--to", "stdout").out
    assert rows.splitlines(keepends=True) == [oracle.row(tick) for tick in ticks]
    tickwal.drain("--local", tickwal.folder)
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    found = local_items(tickwal.folder)
    assert_items(found, ticks)
    # Each trade has an id of its own.
    assert len([key for key in found if key[0] == "btcusdt@trade"]) == len(times) + 1
    # The view for people opens up every one of them.
    shown = tickwal.log.ask("select offset, event_time from tick order by offset")
    assert [text is None for _, text in shown] == [tick.event_time is None for tick in ticks]


def test_retention_goes_by_no_clock_that_is_set(tickwal, clock, make_exchange):
    """A year forward trims nothing that is not old, a year back keeps nothing that is."""
    exchange = make_exchange()

    def start(hours: str):
        return tickwal.start(
            "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker",
            WAL_RETENTION_HOURS=hours, **clock.environment,
        )

    run = start("0.2")
    send(exchange.client(), mini_tickers(100))
    run.wait_until(lambda: tickwal.log.is_shipped(100), "all is shipped")
    mark = "select value from meta where key = 'retention_marks'"
    run.wait_until(lambda: tickwal.log.value(mark), "the age is noted")
    clock.set(366 * DAY)
    marks = tickwal.log.value(mark)
    send(exchange.client(), mini_tickers(100, seed=2))
    # Every 3 s, with twelve minutes of retention.
    run.wait_until(lambda: tickwal.log.value(mark) != marks, "the age is noted again")
    assert run.terminate().code == 0
    assert len(tickwal.log.ticks()) == 200
    # Between two runs, too.
    clock.set(2 * 366 * DAY)
    run = start("0.2")
    send(exchange.client(1), mini_tickers(1, seed=3))
    run.wait_until(lambda: tickwal.log.is_shipped(201), "the feed goes on")
    marks = tickwal.log.value(mark)
    run.send(signal.SIGKILL)
    run.end()
    assert len(tickwal.log.ticks()) == 201
    # And back: what is old goes.
    clock.set(-366 * DAY)
    run = start("0.0003")
    run.wait_until(lambda: tickwal.log.value("select count(*) from ticks") == 0, "all is trimmed")
    assert run.terminate().code == 0
