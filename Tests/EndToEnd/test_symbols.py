"""Objects, items and the log agree, tick for tick."""

import pytest

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects, marker
from support.program import PATIENCE

SYMBOLS = [f"sym{number:03}usdt@miniTicker" for number in range(400)]
ENOUGH = 4_000


@pytest.mark.parametrize("mode", ["update", "batch"])
def test_400_symbols_arrive_in_objects_and_items(tickwal, make_place, relay, simulate, mode):
    place = make_place(*SYMBOLS)
    url = simulate("--rate", "1500", "--seed", "1")
    run = tickwal.start(
        "run", BINANCE_WS_URL=url, DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT=str(PATIENCE), RETENTION_TTL_DAYS="3",
        DYNAMO_WRITE_MODE=mode, **place.environment(relay.url),
    )
    run.wait_until(lambda: tickwal.log.head >= ENOUGH, f"{ENOUGH} ticks in the log")
    ended = run.terminate(seconds=PATIENCE + 30)
    assert ended.code == 0, ended.err
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert {tick.stream for tick in ticks} == set(SYMBOLS)
    assert_objects(tickwal.log, place.objects(), ticks, most_rows=100)
    assert_items(place.items(), ticks, days=3)
    assert set(place.versions().values()) == {1}, "an object was written twice"
    updates, batches = relay.count("UpdateItem"), relay.count("BatchWriteItem")
    assert (updates, batches) == (len(ticks), 0) if mode == "update" else updates == 0 and 25 * batches >= len(ticks)
    assert tickwal.log.backlog() == {"s3": 0, "dynamodb": 0}
    # The highest planned offset was noted in the bucket at shutdown.
    assert str(len(ticks)) in map(str, marker(place, tickwal.log).values())


def test_local_sinks_hold_the_same(tickwal, simulate):
    url = simulate("--rate", "1000", "--seed", "2")
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=url, STREAMS=",".join(SYMBOLS[:20]), DRAIN_ON_STOP="1",
        SHUTDOWN_TIMEOUT=str(PATIENCE),
    )
    run.wait_until(lambda: tickwal.log.head >= 1_500, "1,500 ticks in the log")
    assert run.terminate(seconds=PATIENCE + 30).code == 0
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)
    assert tickwal.log.backlog() == {"local-s3": 0, "local-dynamodb": 0}


def test_flat_keys_and_plain_objects_arrive_as_configured(tickwal, make_place, ministack, make_exchange):
    from support.ticks import combined, mini_tickers

    place = make_place("a@miniTicker")
    exchange = make_exchange()
    run = tickwal.start(
        "run", "--s3-key-layout=flat", "--s3-compression", "none", "--s3-filename=old", BINANCE_WS_URL=exchange.url,
        S3_JSONL_DIR_PATH="/a/b/", DYNAMO_WRITE="0", **place.environment(ministack.url),
    )
    for stream, event in mini_tickers(10):
        exchange.client().send(combined(stream, event).encode())
    run.wait_until(lambda: tickwal.log.head == 10 and tickwal.log.is_shipped(10), "10 ticks are shipped")
    assert run.terminate().code == 0
    ticks = tickwal.log.ticks()
    objects = place.objects()
    assert sum(stored.body.count(b"\n") for stored in objects) == len(ticks)
    for stored in objects:
        assert stored.key.startswith("a/b/old-") and stored.key.endswith(".jsonl")
        assert "ContentEncoding" not in stored.headers
    assert place.items() == {}
    assert tickwal.log.backlog() == {"s3": 0}
