"""`seek` moves a consumer, with `run` up or down, and nothing is lost, double or different afterwards."""

import json
import os
import random
import socket
import subprocess

import pytest

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.faults import Disk
from support.program import PATIENCE
from support.ticks import combined, mini_tickers

COUNT = 1_000
SYMBOLS = [f"sym{number:03}usdt@miniTicker" for number in range(50)]


def fill(tickwal, count=COUNT):
    file = tickwal.folder / "in.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(count)))
    tickwal.succeed("import", file)


def agrees(tickwal, *arguments):
    tickwal.succeed("verify")
    ended = tickwal.succeed("reconcile", "--full", "--json", *arguments)
    return {each["consumer"]: each for each in json.loads(ended.out)["consumers"]}


@pytest.fixture
def in_aws(tickwal, make_place, make_exchange, ministack):
    """`run` with 1,000 ticks shipped to MiniStack, in batches of 100."""
    place = make_place("a@miniTicker")
    tickwal.environment |= place.environment(ministack.url)
    fill(tickwal)
    run = tickwal.start("run", BINANCE_WS_URL=make_exchange().url)
    run.wait_until(lambda: tickwal.log.is_shipped(COUNT), "all is shipped")
    yield tickwal, run, place
    run.check()


def test_backwards_the_frozen_objects_are_uploaded_again(in_aws):
    tickwal, run, place = in_aws
    before = {stored.key: stored.body for stored in place.objects()}
    gone = sorted(before)[4]
    place.delete_object(gone)
    dry = tickwal.succeed("seek", "--consumer", "s3", "--offset", "350", "--dry-run")
    assert b"would read offset 301 next" in dry.out
    assert tickwal.log.next_offsets()["s3"] == COUNT + 1
    ended = tickwal.succeed("seek", "--consumer", "s3", "--offset", "350")
    assert ended.out.decode().splitlines() == [
        "s3 reads offset 301 next, before 1,001: 700 ticks are delivered again, 7 batches among them under their own keys",
        "offset 350 is in the batch that begins at 301",
    ]
    run.wait_until_said("the consumer was moved by an operator")
    run.wait_until(lambda: gone in place.keys_under(), "the object that was gone is there")
    run.wait_until(lambda: tickwal.log.is_shipped(COUNT), "all is shipped again")
    assert {stored.key: stored.body for stored in place.objects()} == before
    counts = place.versions()
    assert counts.pop(gone) == 2 and set(counts.values()) == {1}, "what is there is never written again"
    assert_objects(tickwal.log, place.objects(), tickwal.log.ticks(), most_rows=100)


def test_items_are_written_again_from_any_offset(in_aws):
    tickwal, run, place = in_aws
    before = place.items()
    ticks = tickwal.log.ticks()
    for key in sorted(before)[::7]:
        place.delete_item(key)
    tickwal.succeed("seek", "--consumer", "dynamodb", "--offset", "1")
    run.wait_until(lambda: place.items() == before, "all items are there again")
    run.wait_until(lambda: tickwal.log.is_shipped(COUNT), "all is shipped again")
    assert_items(place.items(), ticks)


def test_what_cannot_be_done_says_what_can(in_aws):
    tickwal, _, _ = in_aws
    for arguments, said in [
        (["--consumer", "kafka", "--offset", "5"], "it has dynamodb, s3"),
        (["--consumer", "s3", "--offset", "1002"], "from 1, the oldest tick kept, to 1,001"),
    ]:
        ended = tickwal.run_to_end("seek", *arguments)
        assert ended.code == 1 and said in ended.err, ended.err
    for offset in ["0", "-3", "x"]:
        ended = tickwal.run_to_end("seek", "--consumer", "s3", f"--offset={offset}")
        assert ended.code == 78 and "--offset" in ended.err
    assert tickwal.run_to_end("seek", "--consumer", "s3").code == 64
    assert tickwal.log.next_offsets() == {"s3": COUNT + 1, "dynamodb": COUNT + 1}


def test_without_run_a_consumer_is_moved_forwards(tickwal, make_place, ministack):
    place = make_place("a@miniTicker")
    tickwal.environment |= place.environment(ministack.url)
    fill(tickwal)
    tickwal.drain()
    fill_more = tickwal.folder / "more.jsonl"
    fill_more.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(300, seed=2)))
    tickwal.succeed("import", fill_more)
    ended = tickwal.run_to_end("seek", "--consumer", "s3", "--offset", "1151")
    assert ended.code == 1 and "--skip" in ended.err
    assert b"150 ticks are skipped" in tickwal.succeed("seek", "--consumer", "s3", "--offset", "1151", "--skip").out
    tickwal.drain()
    rows = sorted(int(stored.name["first"]) for stored in place.objects())
    assert rows == [*range(1, 1001, 100), 1151, 1251]
    assert tickwal.log.ask("select consumer, first_offset, last_offset, why from skipped") == [("s3", 1001, 1150, "seek")]
    # Back again: what was never planned is cut, and counts as skipped no more.
    tickwal.succeed("seek", "--consumer", "s3", "--offset", "1001")
    tickwal.drain()
    assert tickwal.log.value("select count(*) from skipped") == 0
    assert_objects(tickwal.log, place.objects(), tickwal.log.ticks(), most_rows=100)
    assert set(place.versions().values()) == {1}


def test_a_held_consumer_is_moved_past_what_holds_it(tickwal, make_place, make_exchange, ministack, secrets):
    place = make_place("a@miniTicker")
    tickwal.environment |= place.environment(ministack.url)
    fill(tickwal, 300)
    # The batches are planned and cannot be uploaded; a key is then taken by something else.
    reader = ministack.make_user(
        f"reader-{place.bucket}",
        [
            ("s3:GetObject", f"arn:aws:s3:::{place.bucket}/*"), ("s3:ListBucket", f"arn:aws:s3:::{place.bucket}"),
            # Without its note a process plans nothing.
            ("s3:PutObject", f"arn:aws:s3:::{place.bucket}/batch_jsonl/_logs/*"),
        ],
    )
    secrets.append(reader.secret)
    ship = tickwal.start("ship", DYNAMO_WRITE="0", **reader.environment)
    ship.wait_until(lambda: tickwal.log.value("select count(*) from batches") == 3, "three plans")
    ship.kill()
    [(key,)] = tickwal.log.ask("select key from batches where first_offset = 1")
    place.put(key, b"not ours")
    run = tickwal.start("run", BINANCE_WS_URL=make_exchange().url)
    run.wait_until_said("the object's key is taken by something else")
    tickwal.succeed("seek", "--consumer", "s3", "--offset", "101", "--skip")
    run.wait_until(lambda: tickwal.log.next_offsets()["s3"] == 301, "the rest is shipped")
    assert tickwal.log.ask("select first_offset, last_offset from skipped") == [(1, 100)]
    tickwal.succeed("verify")
    run.terminate()


def test_somebody_who_uses_the_log_and_does_not_listen_is_named(tickwal):
    fill(tickwal, 10)
    importing = subprocess.Popen(
        [tickwal.binary, "import", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=tickwal.environment, cwd=tickwal.folder,
    )
    try:
        wait = tickwal.start("status", "--watch", "--json")
        wait.wait_until(lambda: f'"writer_pid":{importing.pid}'.encode() in wait.out, "import has the log")
        wait.kill()
        ended = tickwal.run_to_end("seek", "--consumer", "s3", "--offset", "1")
        assert ended.code == 75 and str(importing.pid) in ended.err, ended.err
    finally:
        importing.stdin.close()
        importing.wait(PATIENCE)


def test_the_socket_of_a_killed_run_is_in_nobodys_way(tickwal, make_exchange):
    environment = {"BINANCE_WS_URL": make_exchange().url, "STREAMS": "a@trade"}
    fill(tickwal, 100)
    path = tickwal.folder / "ticks.db.sock"
    for _ in range(2):
        run = tickwal.start("run", "--local", tickwal.folder, **environment)
        run.wait_until(lambda: tickwal.log.is_shipped(100), "all is shipped")
        run.wait_until(lambda: answers(path), "it listens")
        assert os.stat(path).st_mode & 0o777 == 0o600
        tickwal.succeed("seek", "--consumer", "local-s3", "--offset", "1")
        run.kill()
        assert path.exists() and not answers(path)
        tickwal.succeed("seek", "--consumer", "local-s3", "--offset", "1")
    run = tickwal.start("run", "--local", tickwal.folder, **environment)
    run.wait_until(lambda: answers(path), "it listens")
    assert run.terminate().code == 0
    assert not path.exists()


def answers(path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
            return True
        except OSError:
            return False


def test_a_seek_while_shipping_survives_kills_in_between(tickwal, simulate):
    """Consumers are moved at random while ticks come in, and the program is killed at random."""
    seed = 20261122
    moments = random.Random(seed)
    environment = {
        "BINANCE_WS_URL": simulate("--rate", "1000", "--seed", "5"), "STREAMS": ",".join(SYMBOLS), "MAX_BATCH_SIZE": "37",
    }
    contents: dict[str, bytes] = {}
    for kill in range(5):
        before = tickwal.log.head
        run = tickwal.start("run", "--local", tickwal.folder, **environment)
        run.wait_until(lambda: tickwal.log.head >= before + 200, f"kill {kill}: ticks come in (seed {seed})")
        for _ in range(6):
            consumer = moments.choice(["local-s3", "local-dynamodb"])
            offset = moments.randint(1, max(1, tickwal.log.next_offsets()[consumer]))
            tickwal.succeed("seek", "--consumer", consumer, "--offset", offset, "--skip")
        last = tickwal.start("seek", "--consumer", "local-s3", "--offset", "1")
        if moments.random() < 0.5:
            last.end()
        run.kill()
        last.end()
        tickwal.succeed("verify")
        for stored in local_objects(tickwal.folder):
            assert contents.setdefault(stored.key, stored.body) == stored.body, f"{stored.key} has changed"
    tickwal.drain("--local", tickwal.folder)
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    consumers = agrees(tickwal, "--local", tickwal.folder)
    assert consumers["local-s3"]["agreeing"] == len(local_objects(tickwal.folder))
    if tickwal.log.value("select count(*) from skipped") == 0:
        assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
        assert_items(local_items(tickwal.folder), ticks)


def test_a_process_without_descriptors_answers_when_it_has_one(tickwal, faults, make_exchange):
    disk = Disk(faults, tickwal.folder, tickwal.path)
    fill(tickwal, 100)
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=make_exchange().url, STREAMS="a@trade", **disk.environment
    )
    run.wait_until(lambda: tickwal.log.is_shipped(100), "all is shipped")
    disk.refuse_a_connection()
    ended = tickwal.succeed("seek", "--consumer", "local-s3", "--offset", "1")
    assert disk.has_refused and b"100 ticks are delivered again" in ended.out
    assert "cannot reach this process" not in run.err
    assert run.terminate().code == 0
