"""Kinesis: the reader of docs/kinesis.md has each tick once and in order, whatever is killed, refused or lost."""

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from support import oracle
from support.kinesis import RefusingKinesis, Stream
from support.program import PATIENCE
from support.ticks import combined, mini_tickers, odd_events
from support.waiting import wait_until
from test_reconcile import as_user_with, rights

ROOT = Path(__file__).resolve().parents[2]
POLICY = json.loads((ROOT / "deploy/iam/kinesis.json").read_text())
ALONE = {"S3_WRITE": "0", "DYNAMO_WRITE": "0", "KINESIS_WRITE": "1"}
KILLS = 5
SEED = 20261128


def data(log_id: str, tick) -> bytes:
    """What must be in the record of a tick."""
    return f'{{"log_id":"{log_id}","offset":{tick.offset},'.encode() + oracle.row(tick)[1:-1]


@pytest.fixture
def place(make_place, ministack, tickwal):
    """With a Kinesis stream, which is the only destination."""
    place = make_place("btcusdt@miniTicker")
    tickwal.environment |= place.environment(ministack.url) | ALONE | {"KINESIS_STREAM": place.kinesis_stream}
    place.kinesis = Stream(ministack, place.kinesis_stream)
    return place


def fill(tickwal, ticks) -> None:
    file = tickwal.folder / f"ticks-{tickwal.log.head}.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in ticks))
    tickwal.succeed("import", file)


def assert_records(tickwal, arrived, times: int = 1) -> None:
    """Each tick's record is there, so often, as it should be."""
    expected = [data(tickwal.log.log_id, tick) for tick in tickwal.log.ticks()]
    assert sorted(record.data for record in arrived) == sorted(expected * times)
    assert all(record.key == record.row["stream_type"] for record in arrived)


class Reader:
    """The program of docs/kinesis.md, for this stream."""

    def __init__(self, folder: Path, stack, stream: str):
        [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/kinesis.md").read_text(), re.DOTALL)
        assert code.count('"crypto-live-ticks"') == 1
        (folder / "reader.py").write_text(code.replace("crypto-live-ticks", stream))
        self._out = folder / "reader.out"
        with open(self._out, "wb") as out, open(folder / "reader.err", "wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, folder / "reader.py"], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={"PATH": os.environ["PATH"], "AWS_ENDPOINT_URL": stack.url, **stack.admin.environment},
            )

    def read(self) -> list[tuple[str, int]]:
        """Logs and offsets, in the order in which it gave them."""
        assert self._process.poll() is None, self._out.with_suffix(".err").read_text()
        lines = self._out.read_bytes().split(b"\n")[:-1]
        return [(line.split()[0].decode(), int(line.split()[1])) for line in lines]

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def make_reader(tmp_path, ministack):
    readers: list[Reader] = []

    def make(stream: str) -> Reader:
        readers.append(Reader(tmp_path, ministack, stream))
        return readers[-1]

    yield make
    for reader in readers:
        reader.stop()


@pytest.fixture
def refusing(ministack):
    kinesis = RefusingKinesis(ministack, share=0.1, lost=0.05, seed=SEED)
    yield kinesis
    kinesis.stop()


def test_a_reader_has_each_tick_once_and_in_order_after_kills_refusals_and_lost_answers(
    tickwal, place, refusing, make_reader, simulate
):
    dice = random.Random(SEED)
    streams = ",".join(f"s{number}usdt@miniTicker" for number in range(20))
    tickwal.environment |= {
        "BINANCE_WS_URL": simulate("--rate", "1500"), "STREAMS": streams, "AWS_ENDPOINT_URL_KINESIS": refusing.url,
    }
    reader = make_reader(place.kinesis_stream)
    for _ in range(KILLS):
        run = tickwal.start("run")
        wanted = tickwal.log.next_offsets().get("kinesis", 1) + dice.randint(500, 1_500)
        run.wait_until(lambda: tickwal.log.next_offsets().get("kinesis", 0) >= wanted, f"{wanted} ticks are put")
        run.kill()
    tickwal.drain()
    ticks, log_id = tickwal.log.ticks(), tickwal.log.log_id
    assert [tick.offset for tick in ticks] == list(range(1, tickwal.log.head + 1))
    assert tickwal.log.next_offsets() == {"kinesis": len(ticks) + 1}
    assert tickwal.log.value("select count(*) from dead_letters") == 0

    arrived = place.kinesis.arrived()
    by_offset: dict[int, set[bytes]] = {}
    highest = furthest = late = 0
    for record in arrived:
        offset = record.row["offset"]
        if offset not in by_offset:
            late += offset < highest
            furthest = max(furthest, highest - offset)
        highest = max(highest, offset)
        by_offset.setdefault(offset, set()).add(record.data)
    assert by_offset == {tick.offset: {data(log_id, tick)} for tick in ticks}
    # What docs/kinesis.md promises to whoever waits for a missing offset.
    assert furthest < 500
    wait_until(lambda: len(reader.read()) >= len(ticks), "the reader has all", PATIENCE)
    assert reader.read() == [(log_id, tick.offset) for tick in ticks]
    print(
        f"{len(ticks)} ticks, {KILLS} kills; {refusing.refused} of {refusing.sent} records refused in {refusing.requests}"
        f" requests, {refusing.answers_lost} answers lost; {len(arrived) - len(ticks)} came again, {late} late, by"
        f" {furthest} offsets at most"
    )
    assert refusing.refused > refusing.sent / 20 and refusing.answers_lost > 0 and late > 0


def test_a_record_is_the_row_with_log_and_offset(tickwal, place):
    long = "x" * 300
    fill(tickwal, [*mini_tickers(20), *odd_events(), (f"{long}@trade", '{"e":"trade","t":1}')])
    tickwal.drain()
    arrived = place.kinesis.arrived()
    expected = {tick.offset: data(tickwal.log.log_id, tick) for tick in tickwal.log.ticks()}
    assert {record.row["offset"]: record.data for record in arrived} == expected
    [hashed] = [record for record in arrived if record.row["stream_type"].startswith(long)]
    assert re.fullmatch("[0-9a-f]{64}", hashed.key)
    assert all(record.key == record.row["stream_type"] for record in arrived if record is not hashed)


def test_what_is_replayed_or_sought_back_comes_again_and_reconcile_is_impossible(tickwal, place):
    fill(tickwal, mini_tickers(700))
    tickwal.drain()
    assert_records(tickwal, place.kinesis.arrived())
    ended = tickwal.succeed("replay", "--from-offset", "1", "--to", "kinesis")
    assert "tickwal: replayed 700 records\n" in ended.err
    assert tickwal.log.next_offsets() == {"kinesis": 701}
    assert_records(tickwal, place.kinesis.arrived(), 2)
    tickwal.succeed("seek", "--consumer", "kinesis", "--offset", "1")
    tickwal.drain()
    assert_records(tickwal, place.kinesis.arrived(), 3)
    tickwal.succeed("seek", "--consumer", "kinesis", "--offset", "301")
    tickwal.succeed("seek", "--consumer", "kinesis", "--offset", "701", "--skip")
    assert tickwal.log.ask("select consumer, first_offset, last_offset from skipped") == [("kinesis", 301, 700)]

    for arguments in ((), ("--consumer", "kinesis"), ("--json",)):
        ended = tickwal.run_to_end("reconcile", *arguments)
        assert ended.code == 64
        [line] = [line for line in ended.err.splitlines() if line.startswith("tickwal: ")]
        assert line.startswith("tickwal: kinesis cannot be compared: "), line
        assert line == ended.err.splitlines()[-1]
    tickwal.drain(S3_WRITE="1")
    ended = tickwal.succeed("reconcile", S3_WRITE="1")
    assert b"s3: 7 objects compared, 7 agree" in ended.out
    assert "tickwal: kinesis is left out: it cannot be compared\n" in ended.err


def test_without_a_stream_or_a_right_it_waits_and_says_what_to_do(tickwal, make_place, ministack, secrets):
    place = make_place("btcusdt@miniTicker")
    tickwal.environment |= place.environment(ministack.url) | ALONE | {"KINESIS_STREAM": place.kinesis_stream}
    fill(tickwal, mini_tickers(30))
    ship = tickwal.start("ship")
    ship.wait_until_said(f"make the Kinesis stream {place.kinesis_stream} in ap-southeast-1, or correct KINESIS_STREAM")
    place.kinesis = Stream(ministack, place.kinesis_stream, shards=1)
    assert ship.end().code == 0
    assert_records(tickwal, place.kinesis.arrived())

    fill(tickwal, mini_tickers(40, seed=2))
    keys = as_user_with(ministack, secrets, place, "policy.json")
    ship = tickwal.start("ship", **keys)
    ship.wait_until_said(
        f"the right kinesis:PutRecords on arn:aws:kinesis:ap-southeast-1:*:stream/{place.kinesis_stream} (deploy/iam/kinesis.json)"
    )
    assert tickwal.log.next_offsets() == {"kinesis": 31}
    ship.kill()
    tickwal.drain(**as_user_with(ministack, secrets, place, "policy.json", "kinesis.json"))
    assert_records(tickwal, place.kinesis.arrived())


def test_a_record_above_the_limit_is_a_dead_letter_that_can_be_given_up(tickwal, place):
    fill(tickwal, [*mini_tickers(3), ("a@big", json.dumps({"e": "big", "x": "y" * (1 << 20)})), *mini_tickers(3, seed=2)])
    tickwal.drain()
    assert sorted(record.row["offset"] for record in place.kinesis.arrived()) == [1, 2, 3, 5, 6, 7]
    [letter] = json.loads(tickwal.succeed("dead-letters", "list", "--json").out)["dead_letters"]
    assert letter["consumer"] == "kinesis" and letter["offset"] == 4
    assert "1,048,576 are the most that its Kinesis stream takes" in letter["cause"]
    ended = tickwal.run_to_end("dead-letters", "retry", "--all")
    assert ended.code == 1 and b"refused again" in ended.out
    ended = tickwal.run_to_end("replay", "--from-offset", "3", "--to-offset", "5", "--to", "kinesis")
    assert ended.code == 1 and "replayed 2 records" in ended.err and "offset 4: the record has" in ended.err
    tickwal.succeed("dead-letters", "discard", str(letter["id"]))
    assert tickwal.log.ask("select first_offset, last_offset from skipped") == [(4, 4)]


def test_a_damaged_row_that_is_mended_is_put_by_retry(tickwal, place):
    fill(tickwal, mini_tickers(5))

    def change(by: int) -> None:
        with sqlite3.connect(tickwal.path) as log:
            log.execute("update ticks set checksum = checksum + ? where offset = 2", (by,))
        log.close()

    change(1)
    tickwal.drain()
    assert sorted(record.row["offset"] for record in place.kinesis.arrived()) == [1, 3, 4, 5]
    change(-1)
    tickwal.succeed("dead-letters", "retry", "--all", "--consumer", "kinesis")
    assert_records(tickwal, place.kinesis.arrived())


def test_in_a_folder_the_records_are_lines(tickwal):
    fill(tickwal, [*mini_tickers(600), *odd_events()])
    tickwal.drain("--local", "out", **ALONE, KINESIS_STREAM="any")
    tickwal.succeed("replay", "--from-offset", "601", "--to", "kinesis", "--local", "out", KINESIS_STREAM="any")
    ticks = tickwal.log.ticks()
    expected = [data(tickwal.log.log_id, tick) + b"\n" for tick in ticks]
    files = sorted((tickwal.folder / "out/records").glob("*.jsonl"))
    assert b"".join(file.read_bytes() for file in files) == b"".join([*expected, *expected[600:]])
    assert tickwal.log.next_offsets() == {"local-kinesis": len(ticks) + 1}


@pytest.mark.parametrize("arguments, named", [
    (["run"], "KINESIS_WRITE is 1"), (["ship"], "KINESIS_WRITE is 1"), (["config"], "KINESIS_WRITE is 1"),
])
def test_a_stream_must_be_named(tickwal, arguments, named):
    ended = tickwal.run_to_end(*arguments, KINESIS_WRITE="1", STREAMS="a@b")
    [line] = [line for line in ended.err.splitlines() if line.startswith("tickwal: ")]
    assert ended.code == 78 and f"KINESIS_STREAM is '' ({named}) but must be the name of a Kinesis stream" in line


def test_a_replay_needs_a_stream_and_not_the_consumer(tickwal, place):
    fill(tickwal, mini_tickers(3))
    ended = tickwal.run_to_end("replay", "--from-offset", "1", "--to", "kinesis", KINESIS_WRITE="0", KINESIS_STREAM="")
    assert ended.code == 78 and "KINESIS_STREAM is ''" in ended.err
    tickwal.succeed("replay", "--from-offset", "1", "--to", "kinesis", KINESIS_WRITE="0")
    assert_records(tickwal, place.kinesis.arrived())


@pytest.fixture
def checks(tickwal, place, ministack, secrets, simulate):
    """Runs `doctor` with some statements of the policy."""
    tickwal.environment |= {"BINANCE_WS_URL": simulate()}

    def run(*statements: str) -> dict[str, str]:
        allowed = [
            right for right in rights(place, "kinesis.json")
            if right[0] in [each["Action"] for each in POLICY["Statement"] if each["Sid"] in statements]
        ]
        keys = ministack.make_user(f"{place.kinesis_stream}-{len(secrets)}", allowed + rights(place, "policy.json"))
        secrets.append(keys.secret)
        ended = tickwal.run_to_end("doctor", "--json", "--write", **keys.environment)
        return {
            check["name"]: check["verdict"] for check in json.loads(ended.out)["checks"] if "kinesis" in check["name"]
        }

    return run


def test_the_policy_is_enough_and_each_statement_is_needed_for_one_thing(checks, place):
    assert checks("PutRecords", "LookAtTheKinesisStream") == {"kinesis": "ok", "kinesis-write": "ok"}
    [probe] = place.kinesis.arrived()
    assert probe.row == {"log_id": "0000000000000000", "offset": 0}
    assert checks("LookAtTheKinesisStream") == {"kinesis": "ok", "kinesis-write": "failed"}
    assert checks("PutRecords") == {"kinesis": "failed"}
    assert {each["Sid"] for each in POLICY["Statement"]} == {"PutRecords", "LookAtTheKinesisStream"}


def test_the_bench_has_a_figure_for_each_round_trip(binary, tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "Benchmarks/kinesis.py", "--tickwal", binary, "--ticks", "1200", "--plain-ticks", "600",
         "--delays", "0,1", "--repeat", "1", "--limit", str(PATIENCE)],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[-2:]]
    assert [row[0] for row in rows] == ["0", "1"]
    assert all(float(figure.replace(",", "")) > 0 for row in rows for figure in row[1:])
    # 500 ticks a request.
    assert [row[4] for row in rows] == ["3.0", "3.0"]
