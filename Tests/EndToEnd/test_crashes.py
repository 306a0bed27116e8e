"""`kill -9` at random moments loses nothing, and nothing is sent again beyond what was in flight."""

import random

import pytest

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.program import PATIENCE

KILLS, UPLOADS, REQUESTS, ROWS = 10, 4, 20, 100
UNCOMMITTED = {"UpdateItem": 250, "BatchWriteItem": 10}
"""Confirmed requests that may wait for a commit of ticks which they share."""
SYMBOLS = [f"sym{number:03}usdt@miniTicker" for number in range(400)]


@pytest.mark.parametrize("mode, operation", [("update", "UpdateItem"), ("batch", "BatchWriteItem")])
def test_ten_kills_lose_nothing(tickwal, make_place, relay, simulate, mode, operation):
    seed = 20261122
    moments = random.Random(seed)
    place = make_place(*SYMBOLS)
    url = simulate("--rate", "800", "--seed", "3")
    environment = {
        **place.environment(relay.url), "BINANCE_WS_URL": url, "S3_UPLOAD_CONCURRENCY": str(UPLOADS),
        "DYNAMO_CONCURRENCY": str(REQUESTS), "DYNAMO_WRITE_MODE": mode,
    }
    for kill in range(KILLS):
        before = tickwal.log.head
        run = tickwal.start("run", **environment)
        wanted = before + moments.randint(50, 900)
        run.wait_until(lambda: tickwal.log.head >= wanted, f"kill {kill}: {wanted} ticks in the log (seed {seed})")
        seen = tickwal.log.ticks()
        run.kill()
        assert tickwal.log.ticks()[: len(seen)] == seen, "a committed tick is gone or has changed"

    run = tickwal.start("run", DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT=str(2 * PATIENCE), **environment)
    target = tickwal.log.head + 200
    run.wait_until(lambda: tickwal.log.head >= target, "ticks after the last kill")
    assert run.terminate(seconds=3 * PATIENCE).code == 0

    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    objects = place.objects()
    assert_objects(tickwal.log, objects, ticks, most_rows=ROWS)
    assert_items(place.items(), ticks)
    assert set(place.versions().values()) == {1}, "a key was written more than once"
    assert relay.count("PUT") <= len(objects) + KILLS * UPLOADS
    # Besides those: unconfirmed ones, and as many that are confirmed while an earlier commit is under way.
    assert relay.count(operation) <= len(ticks) + KILLS * (UNCOMMITTED[operation] + 2 * REQUESTS)
    assert relay.count("UpdateItem") + relay.count("BatchWriteItem") == relay.count(operation)
    assert tickwal.log.value("select count(*) from gaps where cause = 'crash'") == KILLS


def test_kills_with_local_sinks_lose_nothing(tickwal, simulate):
    seed = 7
    moments = random.Random(seed)
    environment = {"BINANCE_WS_URL": simulate("--rate", "1000", "--seed", "4"), "STREAMS": ",".join(SYMBOLS[:50])}
    contents: dict[str, bytes] = {}
    for kill in range(5):
        before = tickwal.log.head
        run = tickwal.start("run", "--local", tickwal.folder, **environment)
        wanted = before + moments.randint(50, 900)
        run.wait_until(lambda: tickwal.log.head >= wanted, f"kill {kill}: {wanted} ticks in the log (seed {seed})")
        run.kill()
        for stored in local_objects(tickwal.folder):
            assert contents.setdefault(stored.key, stored.body) == stored.body, f"{stored.key} has changed"
    tickwal.drain("--local", tickwal.folder)
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    objects = local_objects(tickwal.folder)
    assert contents.items() <= {stored.key: stored.body for stored in objects}.items()
    assert_objects(tickwal.log, objects, ticks, most_rows=ROWS)
    assert_items(local_items(tickwal.folder), ticks)
    assert list((tickwal.folder / "objects" / ".tmp").iterdir()) == [], "killed processes left files behind"


def test_a_wal_that_is_taken_away_after_a_kill_is_missed(tickwal, simulate):
    """Without it offsets would be given again that were committed, and perhaps shipped."""
    environment = {"BINANCE_WS_URL": simulate("--rate", "1000"), "STREAMS": ",".join(SYMBOLS[:50])}
    run = tickwal.start("run", "--local", tickwal.folder, **environment)
    run.wait_until(lambda: tickwal.log.head >= 300, "300 ticks in the log")
    run.kill()
    head = tickwal.log.head
    wal, away = tickwal.folder / "ticks.db-wal", tickwal.folder / "away"
    wal.rename(away)
    for command in (["run", "--local", tickwal.folder], ["ship", "--local", tickwal.folder], ["adopt"]):
        ended = tickwal.run_to_end(*command, **environment)
        assert ended.code == 78 and "was committed: its" in ended.err and "-wal is missing" in ended.err, ended.err
    ended = tickwal.run_to_end("verify")
    assert ended.code == 1 and b"-wal is missing" in ended.out
    away.rename(wal)
    tickwal.drain("--local", tickwal.folder)
    assert tickwal.log.head == head
    tickwal.succeed("verify")
