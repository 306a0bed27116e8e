"""A reader of the objects alone can tell missing from quiet."""

import json

from support.delivery import assert_gaps, local_gaps
from support.ticks import combined
from support.waiting import wait_until

STREAMS = "a@trade,b@trade"


def send(tickwal, run, client, number):
    client.send(combined("a@trade", f'{{"n":{number}}}').encode())
    run.wait_until(lambda: tickwal.log.head == number, f"tick {number} is in the log")


def test_gaps_are_told_beside_the_objects_while_they_last_and_when_they_end(
    tickwal, make_exchange, make_place, ministack
):
    place, exchange = make_place(), make_exchange()
    environment = {"BINANCE_WS_URL": exchange.url, "STREAMS": STREAMS, **place.environment(ministack.url)}
    run = tickwal.start("run", **environment)
    send(tickwal, run, exchange.client(0), 1)
    exchange.client(0).drop()
    # Connected again, and nothing comes: for who looks at the objects, it could as well be quiet.
    exchange.client(1)
    [gap] = run.wait_until(place.gaps, "the open gap is told").values()
    assert (gap["cause"], gap["ended_at"], gap["streams"]) == ("closed", None, STREAMS.split(","))
    assert_gaps(tickwal.log, place.gaps())
    send(tickwal, run, exchange.client(1), 2)
    run.wait_until(lambda: place.gaps()[gap["gap"]]["ended_at"], "the gap's end is told")
    assert_gaps(tickwal.log, place.gaps())
    # The end of the program is the beginning of a gap; the next start ends it.
    assert run.terminate().code == 0
    assert [gap["cause"] for gap in place.gaps().values() if not gap["ended_at"]] == ["shutdown"]
    assert_gaps(tickwal.log, place.gaps())
    run = tickwal.start("run", **environment)
    send(tickwal, run, exchange.client(2), 3)
    run.wait_until(lambda: all(gap["ended_at"] for gap in place.gaps().values()), "every gap's end is told")
    assert_gaps(tickwal.log, place.gaps())


def test_gaps_of_an_outage_are_told_when_it_is_over(tickwal, make_exchange, make_place, relay):
    place, exchange = make_place(), make_exchange()
    environment = {"BINANCE_WS_URL": exchange.url, "STREAMS": STREAMS, **place.environment(relay.url)}
    relay.shut()
    run = tickwal.start("run", **environment)
    for number in range(3):
        send(tickwal, run, exchange.client(number), number + 1)
        exchange.client(number).drop()
    exchange.client(3)
    run.kill()
    assert place.gaps() == {}
    relay.open()
    # Also without a feed: what is open is told as open.
    tickwal.drain(**environment)
    assert [bool(gap["ended_at"]) for _, gap in sorted(place.gaps().items())] == [True, True, False]
    assert_gaps(tickwal.log, place.gaps())


def test_gaps_are_told_in_a_local_folder(tickwal, make_exchange):
    exchange = make_exchange()
    run = tickwal.start("run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS)
    send(tickwal, run, exchange.client(0), 1)
    exchange.client(0).drop()
    exchange.client(1)
    wait_until(lambda: local_gaps(tickwal.folder), "the open gap is told")
    send(tickwal, run, exchange.client(1), 2)
    wait_until(lambda: all(gap["ended_at"] for gap in local_gaps(tickwal.folder).values()), "its end is told")
    assert run.terminate().code == 0
    assert_gaps(tickwal.log, local_gaps(tickwal.folder))


def test_without_objects_nothing_is_told(tickwal, make_exchange):
    exchange = make_exchange()
    run = tickwal.start("run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, S3_WRITE="0")
    send(tickwal, run, exchange.client(0), 1)
    exchange.client(0).drop()
    send(tickwal, run, exchange.client(1), 2)
    assert run.terminate().code == 0
    assert not (tickwal.folder / "objects").exists()


def test_ids_that_skip_are_told_with_the_ids_beside_them(tickwal, make_exchange):
    exchange = make_exchange()
    run = tickwal.start("run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@aggTrade,b@trade")
    for number, id in enumerate((7, 8, 11, 12)):
        event = f'{{"e":"aggTrade","E":{1_000 + number},"s":"A","a":{id}}}'
        exchange.client(0).send(combined("a@aggTrade", event).encode())
        run.wait_until(lambda: tickwal.log.head == number + 1, f"tick {number} is in the log")
    detail = {"after": 8, "before": 11, "after_event_time": 1_001, "before_event_time": 1_002, "skips": 1}
    [gap] = run.wait_until(lambda: local_gaps(tickwal.folder), "the gap is told").values()
    assert (gap["cause"], gap["streams"], gap["detail"]) == ("sequence", ["a@aggTrade"], detail)
    [times] = tickwal.log.ask("select started_at, ended_at from gaps where cause = 'sequence'")
    assert list(times) == [tick.received_at for tick in tickwal.log.ticks()[1:3]]
    assert run.terminate().code == 0
    status = json.loads(tickwal.succeed("status", "--json").out)
    [agg_trade] = [kind for kind in status["completeness"]["kinds"] if kind["kind"] == "aggTrade"]
    assert (agg_trade["streams"], agg_trade["proven_streams"], agg_trade["ticks"]) == (1, 1, 4)
    assert b"the exchange's ids of 1 stream skip nowhere but in gaps\n" in tickwal.succeed("verify").out
