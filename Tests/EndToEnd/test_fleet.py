"""From the bucket alone: which logs ship there, who is not well, and what none of them has."""

import json
import re
import shutil
from datetime import datetime, timedelta, timezone

import pytest
from support.program import Tickwal
from support.ticks import combined
from support.waiting import wait_until

STREAMS = "a@trade,b@trade"
RECORD = ".streams.json"


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Recorder:
    """A log of its own, its process, and the exchange that it listens to."""

    def __init__(self, program: Tickwal, exchange, environment: dict[str, str]):
        self._program, self.exchange, self._environment = program, exchange, environment
        self.sent = 0

    def start(self) -> None:
        self.run = self._program.start("run", **self._environment, BINANCE_WS_URL=self.exchange.url, STREAMS=STREAMS)

    @property
    def log_id(self) -> str:
        return self._program.log.log_id

    def take_log_of(self, other: "Recorder") -> None:
        """As from a snapshot."""
        shutil.copy(other._program.path, self._program.path)
        self.sent = other.sent

    def stop_and_ship(self) -> None:
        assert self.run.terminate().code == 0
        self._program.drain(**self._environment)

    def send(self, client) -> None:
        self.sent += 1
        for stream in STREAMS.split(","):
            client.send(combined(stream, f'{{"n":{self.sent}}}').encode())
        self.run.wait_until(lambda: self._program.log.head >= 2 * self.sent, f"tick {self.sent} is in the log")


@pytest.fixture
def replicas(binary, tmp_path, make_exchange, make_place, ministack):
    """A bucket and two replicas that ship to it."""
    place = make_place()
    environment = {**place.environment(ministack.url), "STREAM_SHARD": "1/1", "DYNAMO_WRITE": "0"}
    programs = []
    for name in ["one", "two"]:
        (tmp_path / name).mkdir()
        programs.append(Tickwal(binary, tmp_path / name))
    yield place, environment, [Recorder(program, make_exchange(), environment) for program in programs]
    for program in programs:
        program.stop_all()


def fleet(program, *arguments: str, code: int, **environment) -> dict:
    """The document of `fleet --json`; its text must tell as much."""
    done = program.run_to_end("fleet", "--json", *arguments, **environment)
    assert done.code == code, done.err
    document = json.loads(done.out)
    text = program.run_to_end("fleet", *arguments, **environment)
    assert text.code == code
    said = text.out.decode()
    for log in document["logs"]:
        assert log["log_id"] in said
    for problem in document["problems"]:
        assert re.split(r" for | stopped ", problem["what"])[0] in said
    for stretch in document["missing"]:
        assert stretch["from"][:19].replace("T", " ") in said
    return document


def test_replicas_make_good_what_one_lacks_and_what_both_lack_is_named(tickwal, replicas):
    place, environment, (one, two) = replicas
    since = now()
    for each in (one, two):
        each.start()
        each.send(each.exchange.client(0))
    one.send(one.exchange.client(0))
    begun = now()
    # One is cut off; the other goes on.
    one.exchange.client(0).drop()
    two.send(two.exchange.client(0))
    one.send(one.exchange.client(1))
    healed = now()
    two.send(two.exchange.client(0))
    # Both are.
    one.exchange.client(1).drop()
    two.exchange.client(0).drop()
    one.send(one.exchange.client(2))
    two.send(two.exchange.client(1))
    ended = now()
    # What a log has is known up to its newest tick.
    one.send(one.exchange.client(2))
    two.send(two.exchange.client(1))
    for each in (one, two):
        each.stop_and_ship()
    assert len([key for key in place.keys_under() if key.endswith(RECORD)]) == 2

    found = fleet(tickwal, "--since", begun, "--until", healed, code=1, **environment)
    assert found["missing"] == []
    # Nobody runs any more.
    assert [problem["log_id"] for problem in found["problems"]][0] is None
    assert {log["state"] for log in found["logs"]} == {"stopped"}
    assert {(log["shard"], log["open_gaps"]) for log in found["logs"]} == {("1/1", 0)}

    [both] = fleet(tickwal, "--since", healed, "--until", ended, code=1, **environment)["missing"]
    assert both["streams"] == STREAMS.split(",")
    assert healed < both["from"] < both["to"] < ended
    # Before the first of both had anything.
    whole = fleet(tickwal, "--since", since, "--until", ended, code=1, **environment)["missing"]
    # The first ticks of two streams may have come one after the other.
    *before, last = whole
    assert last == both and {stretch["from"] for stretch in before} == {since}


def test_a_living_fleet_is_well_and_one_that_was_killed_is_named(tickwal, replicas):
    _, environment, (one, two) = replicas
    for each in (one, two):
        each.start()
        each.send(each.exchange.client(0))
    wait_until(
        lambda: len(json.loads(tickwal.run_to_end("fleet", "--json", **environment).out)["logs"]) == 2,
        "both have said that they are there",
    )
    # What was in the first notes without their lists would be named here.
    found = fleet(tickwal, code=0, **environment)
    assert found["healthy"] and found["missing"] == [] and found["problems"] == []
    assert {log["state"] for log in found["logs"]} == {"living"}
    one.run.kill()
    wait_until(
        lambda: tickwal.run_to_end("fleet", "--silent-after", "2", **environment).code == 1, "two seconds without a word"
    )
    found = fleet(tickwal, "--silent-after", "2", code=1, **environment)
    assert any("no word of it" in problem["what"] for problem in found["problems"])


def test_a_folder_is_looked_into_without_aws(tickwal, make_exchange):
    exchange = make_exchange()
    run = tickwal.start("run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS)
    exchange.client(0).send(combined("a@trade", '{"n":1}').encode())
    run.wait_until(lambda: tickwal.log.head == 1, "the tick is in the log")
    run.wait_until(
        lambda: tickwal.run_to_end("fleet", "--local", tickwal.folder).code == 0, "the log is in the folder"
    )
    assert tickwal.succeed("fleet", "--local", tickwal.folder).out.startswith(b"1 log in ")
    assert run.terminate().code == 0


def test_an_empty_bucket_and_a_missing_one_are_not_well(tickwal, make_place, ministack):
    environment = make_place().environment(ministack.url)
    done = tickwal.run_to_end("fleet", **environment)
    assert done.code == 1 and b"no log ships to s3://" in done.out
    environment["S3_BUCKET"] = "there-is-none"
    done = tickwal.run_to_end("fleet", **environment)
    assert done.code == 1 and "there-is-none" in done.err.splitlines()[-1]
    done = tickwal.run_to_end("fleet", "--json", **environment)
    assert "there-is-none" in json.loads(done.out)["error"]["messages"][0]


@pytest.mark.parametrize("flag, value", [("--since", "soon"), ("--day", "2026-02-30"), ("--silent-after", "0")])
def test_a_time_that_is_none_is_refused(tickwal, flag, value):
    done = tickwal.run_to_end("fleet", flag, value)
    assert done.code == 78 and done.err.startswith(f"tickwal: {flag} is '{value}'")


def test_a_day_of_which_nobody_has_anything_is_not_well(tickwal, replicas):
    _, environment, (one, _) = replicas
    one.start()
    one.send(one.exchange.client(0))
    one.stop_and_ship()
    found = fleet(tickwal, "--day", "2026-01-01", code=1, **environment)
    [stretch] = found["missing"]
    assert stretch["streams"] == STREAMS.split(",") and stretch["seconds"] > 86_399
    assert (found["from"], found["to"]) == ("2026-01-01T00:00:00.000Z", "2026-01-01T23:59:59.999Z")


def test_a_gap_or_a_list_that_cannot_be_read_is_not_well(tickwal, replicas):
    place, environment, (one, _) = replicas
    one.start()
    one.send(one.exchange.client(0))
    wait_until(lambda: tickwal.run_to_end("fleet", **environment).code == 0, "the log has said what it has")
    # So that it writes nothing anew; it counts as living for some minutes.
    one.run.kill()
    [note] = [key for key in place.keys_under() if "/_logs/" in key and not key.endswith(RECORD)]
    # One that ended long ago would not be read.
    start = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    gap = f"batch_jsonl/_gaps/dt={start[:10]}/miniticker-{start}-{note[-21:-5]}-1.jsonl"
    place.put(gap, b"{}")
    found = fleet(tickwal, code=1, **environment)
    assert [problem["what"] for problem in found["problems"]] == [f"{gap} cannot be understood"]
    place.delete_object(gap)
    place.delete_object(note.replace(".json", RECORD))
    found = fleet(tickwal, code=1, **environment)
    assert "its list of streams is not there" in found["problems"][0]["what"]


def test_a_list_of_many_streams_is_read_and_what_is_too_large_for_any_is_named(tickwal, replicas):
    place, environment, (one, _) = replicas
    one.start()
    one.send(one.exchange.client(0))
    wait_until(lambda: tickwal.run_to_end("fleet", **environment).code == 0, "the log has said what it has")
    # So that it writes nothing anew; it counts as living for some minutes.
    one.run.kill()
    [key] = [key for key in place.keys_under() if key.endswith(RECORD)]
    known = json.loads(place.get(key).body)
    # Streams that have left since: 1.3 MB.
    left = {name: "2026-11-22T05-13-20.123456Z" for name in ("from", "to", "first_tick")}
    known["streams"] += [{"name": f"gone{number}usdt@trade", **left} for number in range(10_000)]
    place.put(key, json.dumps(known).encode())
    found = fleet(tickwal, code=0, **environment)
    assert found["problems"] == []
    note = key.replace(RECORD, ".json")
    foreign = f"{note[:-21]}0123456789abcdef.json"
    place.put(foreign, bytes((32 << 20) + 1))
    # Something else has been written where a word of the log should be.
    place.put(foreign.replace("0123", "4567"), re.sub(rb'"head":\d+', b'"head":"many"', place.get(note).body).replace(
        note[-21:-5].encode(), b"4567456789abcdef"))
    found = fleet(tickwal, code=1, **environment)
    assert {problem["what"] for problem in found["problems"]} == {
        f"{foreign} cannot be read: it is larger than 32 MiB",
        f"{foreign.replace('0123', '4567')} cannot be understood",
    }
    assert b"as far as it can be read" in tickwal.run_to_end("fleet", **environment).out


def test_a_copy_of_a_log_that_is_held_is_named(tickwal, replicas):
    """Two machines from one snapshot: the one that ships writes the note, and knows nothing of the other."""
    _, environment, (one, two) = replicas
    one.start()
    one.send(one.exchange.client(0))
    one.stop_and_ship()
    two.take_log_of(one)
    one.start()
    one.send(one.exchange.client(1))
    wait_until(lambda: tickwal.run_to_end("fleet", **environment).code == 0, "the first one ships again")
    two.start()
    # It looks at the note when it has something to ship.
    two.send(two.exchange.client(0))
    wait_until(lambda: tickwal.run_to_end("fleet", **environment).code == 1, "the copy says that it is held")
    [problem] = fleet(tickwal, code=1, **environment)["problems"]
    assert problem["log_id"] == one.log_id
    assert "is held and ships nothing: another log of this log_id" in problem["what"] and "tickwal adopt" in problem["what"]
