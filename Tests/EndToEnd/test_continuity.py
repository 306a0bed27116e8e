"""Whatever happens to the connections: each tick that the exchange made is in the log once, in order for each
stream, or a gap covers it."""

import time

BREAKS = "close,reset,fin,stall,half-open,refuse"
KINDS = ["miniTicker", "trade", "bookTicker", "depth@100ms", "aggTrade"]


def names(count):
    return [f"s{number // len(KINDS)}usdt@{KINDS[number % len(KINDS)]}" for number in range(count)]


def hours(seconds):
    return f"{seconds / 3600:.6f}"


def start(tickwal, market, streams, **environment):
    return tickwal.start(
        "run", BINANCE_WS_URL=market.url, STREAMS=",".join(streams), S3_WRITE="0", DYNAMO_WRITE="0", **environment
    )


def assert_polite(report):
    """The exchange's limits were kept, and no client was too slow."""
    assert not any(report["violations"].values()), report
    assert report["silent_clients"] == report["slow_clients"] == 0, report


def test_what_disconnects_and_stalls_lose_at_2000_ticks_a_second_is_in_gaps(tickwal, make_market):
    market = make_market("--rate", "2000", "--strict", "--seed", "11", "--faults-every", "3", "--fault-kinds", BREAKS)
    run = start(tickwal, market, names(150), FEED_STALE_SECONDS="1", FEED_MAX_AGE=hours(5))
    run.wait_until(lambda: tickwal.log.head >= 30_000, "30,000 ticks in the log")
    assert run.terminate().code == 0
    report = market.stop()
    assert_polite(report)
    figures = market.compare(tickwal.log, most_connections=2)
    assert sum(report["faults"].values()) >= 4
    assert figures.missing_covered > 0 and sum(figures.gaps.values()) > 1
    gaps = tickwal.log.ask("select cause, started_at, ended_at from gaps")
    [stop] = [started for cause, started, _ in gaps if cause == "shutdown"]
    # A stream that is in doubt when the run ends has a gap of its own, up to that of the stop.
    for cause, started, ended in gaps:
        known = cause in {"closed", "stale", "refused", "shutdown"}
        assert known or (cause == "unsubscribed" and ended == stop), (cause, started, ended, stop, gaps)


def test_rotations_lose_nothing(tickwal, make_market):
    market = make_market("--rate", "2000", "--strict")
    run = start(tickwal, market, names(100), FEED_MAX_AGE=hours(2))
    market.wait_until_opened(6)
    assert run.terminate().code == 0
    report = market.stop()
    assert_polite(report)
    market.compare(tickwal.log, no_loss=True, most_connections=2)
    assert report["closed_by_clients"] >= 5


def test_an_announced_end_loses_nothing(tickwal, make_market):
    market = make_market("--rate", "1000", "--strict", "--day", "5", "--shutdown-notice", "3")
    run = start(tickwal, market, names(100))
    market.wait_until_opened(4)
    assert run.terminate().code == 0
    report = market.stop()
    assert_polite(report)
    market.compare(tickwal.log, no_loss=True, most_connections=2)
    assert report["faults"]["shutdown"] >= 3


def test_a_kill_during_a_rotation_leaves_one_gap(tickwal, make_market):
    # Each stream speaks about once a second, so that the overlap lasts for a while.
    market = make_market("--rate", "400", "--strict")
    kills = 3
    for _ in range(kills):
        run = start(tickwal, market, names(400), FEED_MAX_AGE=hours(2))
        deadline = time.monotonic() + 60
        while market.connections < 2:
            run.check()
            assert time.monotonic() < deadline, "no rotation"
            time.sleep(0.002)
        run.kill()
    run = start(tickwal, market, names(400))
    head = tickwal.log.head
    run.wait_until(lambda: tickwal.log.head >= head + 500, "ticks after the last kill")
    assert run.terminate().code == 0
    assert_polite(market.stop())
    figures = market.compare(tickwal.log, most_connections=2)
    assert figures.gaps == {"crash": kills, "shutdown": 1}


def test_a_kill_while_one_connection_is_deaf_leaves_a_gap_for_each(tickwal, make_market):
    """The other one's ticks go on until the end: they say nothing about the first one's."""
    market = make_market("--rate", "1000", "--strict", "--faults-every", "5", "--fault-kinds", "stall")
    run = start(tickwal, market, names(1100))
    run.wait_until(lambda: market.count("fault") == 1, "a deaf connection")
    head = tickwal.log.head
    run.wait_until(lambda: tickwal.log.head >= head + 400, "ticks of the other connection")
    run.kill()
    run = start(tickwal, market, names(1100))
    head = tickwal.log.head
    run.wait_until(lambda: tickwal.log.head >= head + 500, "ticks after the kill")
    run.wait_until(
        lambda: tickwal.log.value("select count(*) from gaps where ended_at is not null") == 2,
        "ticks of both connections",
    )
    assert run.terminate().code == 0
    market.stop()
    figures = market.compare(tickwal.log, most_connections=4)
    assert figures.gaps == {"crash": 2, "shutdown": 2}
    assert figures.missing_covered > 0


def test_2500_streams_go_over_three_connections(tickwal, make_market):
    market = make_market("--rate", "2500", "--strict")
    run = start(tickwal, market, names(2500))
    run.wait_until(lambda: tickwal.log.head >= 10_000, "10,000 ticks in the log")
    run.wait_until(
        lambda: tickwal.log.value("select count(distinct stream) from ticks") == 2500, "a tick of every stream"
    )
    assert run.terminate().code == 0
    report = market.stop()
    assert_polite(report)
    figures = market.compare(tickwal.log, no_loss=True, most_connections=3)
    assert figures.connections == report["attempts"] == 3
