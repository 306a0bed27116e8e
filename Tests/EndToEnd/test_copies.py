"""Two logs of one log_id, a copy or a restored snapshot and the log that it was made from: no offset gets two
meanings in one place, and nobody stops ingest for it."""

import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support.delivery import assert_dense, assert_objects, local_objects
from support.program import Tickwal
from support.ticks import combined, mini_tickers

ROOT = Path(__file__).resolve().parents[2]
HELD = "and run `tickwal adopt`"
TICKS = mini_tickers(600)


def send(client, ticks):
    for stream, event in ticks:
        client.send(combined(stream, event).encode())


def backup(log, target):
    """As an operator makes it, while the program runs."""
    with sqlite3.connect(f"{log.path.as_uri()}?mode=ro", uri=True) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    source.close()
    copy.close()
    target.chmod(0o600)


def held(tickwal) -> str | None:
    consumers = json.loads(tickwal.succeed("status", "--json").out)["consumers"]
    [s3] = [consumer for consumer in consumers if consumer["consumer"].endswith("s3")]
    return s3["held"] and s3["held"]["why"]


def ranges(objects, log_id: str) -> list[tuple[int, int]]:
    names = [stored.name for stored in objects]
    return sorted((int(name["first"]), int(name["last"])) for name in names if name["log"] == log_id)


def assert_one_meaning(objects) -> None:
    """Of one log_id, no offset is in two objects."""
    for log_id in {stored.name["log"] for stored in objects}:
        found = ranges(objects, log_id)
        assert all(last < first for (_, last), (first, _) in zip(found, found[1:])), found


@pytest.fixture
def aws(make_place, ministack):
    place = make_place("a@miniTicker")
    return place, place.environment(ministack.url)


@pytest.mark.parametrize("page, path", [
    ("operations.md", "ticks.db"), ("runbook.md", "/var/lib/tickwal/ticks.db"),
])
def test_the_copy_that_the_pages_make_ends_while_ticks_come(tickwal, make_market, page, path):
    """SQLite begins a plain `.backup` anew whenever another process commits."""
    line = next(line for line in (ROOT / "docs" / page).read_text().splitlines() if f"sqlite3 -readonly {path}" in line)
    # So large that copying takes longer than the time between two commits.
    lines = "".join(combined("a@trade", f'{{"n":{n},"filler":"{"x" * 16_000}"}}') + "\n" for n in range(10_000))
    tickwal.run_with_input(lines.encode(), "import", "-")
    market = make_market("--rate", "400")
    run = tickwal.start("run", "--s3-write", "0", "--dynamo-write", "0", BINANCE_WS_URL=market.url, STREAMS="btcusdt@trade,ethusdt@trade")
    run.wait_until(lambda: tickwal.log.head > 10_100, "ticks come in")
    copy = tickwal.folder / "copy.db"
    command = line.replace("sudo -u tickwal ", "").replace(path, str(tickwal.path))
    command = re.sub(r'\.backup [^"]+', f".backup {copy}", command)
    before = tickwal.log.head
    subprocess.run(["bash", "-c", command], check=True, timeout=60, stdin=subprocess.DEVNULL)
    assert run.is_running and tickwal.log.head > 10_100
    with sqlite3.connect(f"{copy.as_uri()}?mode=ro", uri=True) as database:
        assert database.execute("pragma quick_check").fetchall() == [("ok",)]
        [(count, last)] = database.execute("select count(*), max(offset) from ticks")
    assert count == last >= before
    assert run.terminate().code == 0


def test_a_restored_log_is_held_and_goes_on_when_it_is_adopted(tickwal, make_exchange, aws):
    place, environment = aws
    exchange = make_exchange()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    send(exchange.client(), TICKS[:100])
    run.wait_until(lambda: tickwal.log.is_shipped(100), "the first ticks are shipped")
    snapshot = tickwal.folder / "snapshot.db"
    backup(tickwal.log, snapshot)
    send(exchange.client(), TICKS[100:250])
    run.wait_until(lambda: tickwal.log.is_shipped(250), "more ticks are shipped")
    # The volume is lost a moment later: the note in the bucket is older than the snapshot.
    run.kill()
    old_id = tickwal.log.log_id
    for suffix in ("", "-wal", "-shm"):
        tickwal.path.with_name(f"ticks.db{suffix}").unlink()
    shutil.move(snapshot, tickwal.path)
    before = {stored.key: stored.body for stored in place.objects()}
    assert json.loads(place.get(f"batch_jsonl/_logs/{old_id}.json").body)["highest_planned_offset"] < 100

    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    send(exchange.client(1), TICKS[250:400])
    run.wait_until_said(HELD)
    # Ingest and the table go on.
    run.wait_until(lambda: tickwal.log.next_offsets()["dynamodb"] == 251, "the table has the ticks")
    run.wait_until(lambda: held(tickwal), "status says so")
    assert "restored or copied" in held(tickwal) and "not planned" in held(tickwal)
    assert b"s3 is held, for " in tickwal.succeed("status").out
    assert tickwal.log.next_offsets()["s3"] == 101
    assert {stored.key: stored.body for stored in place.objects()} == before
    in_use = tickwal.run_to_end("adopt")
    assert in_use.code == 75 and str(run.pid) in in_use.err
    assert run.terminate().code == 0

    adopted = tickwal.succeed("adopt").out.decode()
    assert old_id in adopted and tickwal.log.log_id in adopted and tickwal.log.log_id != old_id
    tickwal.drain(**environment)
    assert held(tickwal) is None
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert [tick.payload for tick in ticks] == [event for _, event in TICKS[:100] + TICKS[250:400]]
    objects = place.objects()
    # What the lost log has shipped is there as it was; nothing was written twice.
    assert {key: body for key, body in ((stored.key, stored.body) for stored in objects) if key in before} == before
    assert set(place.versions().values()) == {1}
    assert_one_meaning(objects)
    assert_objects(
        tickwal.log, [stored for stored in objects if stored.key not in before], ticks[100:], most_rows=100
    )
    # All ticks of both logs, and none twice: an item has no log.
    assert len(place.items()) == 400


def machine(binary, folder, other: Tickwal) -> Tickwal:
    """Another one with a copy of the log, which nobody has open."""
    folder.mkdir()
    shutil.copy2(other.path, folder / "ticks.db")
    return Tickwal(binary, folder)


@pytest.fixture
def copied(tickwal, binary, tmp_path, make_exchange, aws):
    """A log that has shipped a hundred ticks, and its copy on a second machine."""
    _, environment = aws
    exchange = make_exchange()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    send(exchange.client(), TICKS[:100])
    run.wait_until(lambda: tickwal.log.is_shipped(100), "the first ticks are shipped")
    assert run.terminate().code == 0
    second = machine(binary, tmp_path / "second", tickwal)
    yield tickwal, second
    second.stop_all()


def test_of_a_log_and_its_copy_the_second_to_start_is_held(copied, make_exchange, aws):
    place, environment = aws
    one, two = copied
    exchanges = [make_exchange(), make_exchange()]
    note = f"batch_jsonl/_logs/{one.log.log_id}.json"
    before = place.get(note).body
    # Its batch waits for more; the end of a gap is told.
    first = one.start(
        "run", BINANCE_WS_URL=exchanges[0].url, MAX_BATCH_TIMEOUT="86400", **environment
    )
    send(exchanges[0].client(), TICKS[100:101])
    first.wait_until(lambda: place.get(note).body != before, "the first has taken the place")
    # The copy is held before it has planned anything.
    second = two.start("run", BINANCE_WS_URL=exchanges[1].url, **environment)
    send(exchanges[1].client(), TICKS[300:400])
    second.wait_until_said(HELD)
    assert 'why="another log of this log_id ships, or has shipped, to this place"' in second.err
    send(exchanges[0].client(), TICKS[101:300])
    first.wait_until(lambda: one.log.is_shipped(300), "the first goes on")
    second.wait_until(lambda: two.log.next_offsets()["dynamodb"] == 201, "the second's table has the ticks")
    assert two.log.next_offsets()["s3"] == 101
    assert two.log.value("select max(last_offset) from batches") == 100
    assert HELD not in first.err
    for run in (first, second):
        assert run.terminate().code == 0
    assert_objects(one.log, place.objects(), one.log.ticks(), most_rows=100)
    two.succeed("adopt")
    two.drain(**environment)
    objects = place.objects()
    assert_one_meaning(objects)
    assert ranges(objects, two.log.log_id)[0][0] == 101
    assert sum(stored.text.count(b"\n") for stored in objects) == 400


def test_of_two_that_start_at_the_same_moment_one_is_held_soon(copied, make_exchange, aws):
    place, environment = aws
    exchanges = [make_exchange(), make_exchange()]
    runs = [
        program.start("run", BINANCE_WS_URL=exchange.url, **environment)
        for program, exchange in zip(copied, exchanges)
    ]
    for exchange, ticks in zip(exchanges, (TICKS[100:200], TICKS[200:300])):
        send(exchange.client(), ticks)
    # At the latest when the note is looked at again.
    runs[0].wait_until(lambda: any(HELD in run.err for run in runs), "one of them is held")
    loser = next(index for index, run in enumerate(runs) if HELD in run.err)
    winner = 1 - loser
    runs[winner].wait_until(lambda: copied[winner].log.is_shipped(200), "the other one ships")
    for exchange, ticks in zip(exchanges, (TICKS[300:350], TICKS[400:450])):
        send(exchange.client(), ticks)
    runs[winner].wait_until(lambda: copied[winner].log.is_shipped(250), "and goes on")
    runs[loser].wait_until(lambda: copied[loser].log.next_offsets()["dynamodb"] == 251, "the table has the ticks")
    assert copied[loser].log.next_offsets()["s3"] <= 201
    assert HELD not in runs[winner].err
    for run in runs:
        assert run.terminate().code == 0


def test_a_copy_beside_another_bucket_has_a_place_of_its_own(copied, make_place, make_exchange, aws, ministack):
    place, environment = aws
    one, two = copied
    other = make_place("a@miniTicker")
    elsewhere = other.environment(ministack.url)
    for program, settings, ticks in ((one, environment, TICKS[100:200]), (two, elsewhere, TICKS[200:300])):
        exchange = make_exchange()
        if program is two:
            refused = program.run_to_end("run", BINANCE_WS_URL=exchange.url, **settings)
            assert refused.code == 78 and place.bucket in refused.err and other.bucket in refused.err
        run = program.start("run", "--accept-destination", BINANCE_WS_URL=exchange.url, **settings)
        send(exchange.client(), ticks)
        run.wait_until(lambda: program.log.is_shipped(200), "all is shipped")
        assert run.terminate().code == 0 and HELD not in run.err
    assert_objects(one.log, place.objects(), one.log.ticks(), most_rows=100)
    assert_objects(two.log, other.objects(), two.log.ticks()[100:], most_rows=100)
    # Back in the first place it is the copy again.
    exchange = make_exchange()
    run = two.start("run", "--accept-destination", BINANCE_WS_URL=exchange.url, **environment)
    send(exchange.client(), TICKS[300:310])
    run.wait_until_said(HELD)
    assert run.terminate().code == 0
    assert_one_meaning(place.objects())


def test_an_older_state_in_a_local_folder_is_held(tickwal, make_exchange):
    exchange = make_exchange()

    def start():
        return tickwal.start("run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker")

    run = start()
    send(exchange.client(), TICKS[:100])
    run.wait_until(lambda: tickwal.log.is_shipped(100), "the first ticks are shipped")
    snapshot = tickwal.folder / "snapshot.db"
    backup(tickwal.log, snapshot)
    send(exchange.client(), TICKS[100:200])
    run.wait_until(lambda: tickwal.log.is_shipped(200), "more ticks are shipped")
    run.kill()
    for suffix in ("", "-wal", "-shm"):
        tickwal.path.with_name(f"ticks.db{suffix}").unlink()
    shutil.move(snapshot, tickwal.path)
    run = start()
    send(exchange.client(1), TICKS[200:300])
    run.wait_until_said(HELD)
    run.wait_until(lambda: tickwal.log.next_offsets()["local-dynamodb"] == 201, "the table has the ticks")
    assert run.terminate().code == 0
    tickwal.succeed("adopt")
    tickwal.drain("--local", tickwal.folder)
    objects = local_objects(tickwal.folder)
    assert_one_meaning(objects)
    assert sum(stored.text.count(b"\n") for stored in objects) == 300
    reconciled = tickwal.run_to_end("reconcile", "--full", "--local", tickwal.folder)
    assert reconciled.code == 0, reconciled.out
