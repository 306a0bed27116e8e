"""deploy/columns: finished hours become one Parquet an event type, of real objects of the real program."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from support import oracle
from support.ticks import combined, mini_ticker, mini_tickers, odd_events

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "deploy/columns"))
from hours import Hour, Note, Source, digest, lost, note, noted_log, ranges, source, why_unfinished  # noqa: E402
from places import place  # noqa: E402
from columns import Columns, type_folder, without_halves  # noqa: E402

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
FIVE = Hour("2026-11-22", "05")


def made(hour: str, first: int, last: int, log: str = "a" * 16, age: timedelta = timedelta(0)) -> Source:
    return Source(Hour("2026-11-22", hour), log, first, last, f"{log}-{first}", NOW - age)


DAY_AGO = timedelta(days=1)


@pytest.mark.parametrize("sources, notes, why", [
    ([made("05", 1, 5), made("06", 6, 9)], {}, None),
    ([made("05", 1, 5)], {}, "log aaaaaaaaaaaaaaaa has delivered nothing of a later hour"),
    ([made("05", 1, 5, age=DAY_AGO)], {}, None),
    ([made("05", 1, 5, age=DAY_AGO)], {"a" * 16: Note(NOW)}, "has delivered nothing of a later hour"),
    ([made("05", 1, 5), made("06", 6, 9)], {"b" * 16: Note(NOW)}, "log bbbbbbbbbbbbbbbb has delivered nothing"),
    ([made("05", 1, 5), made("06", 6, 9)], {"b" * 16: Note(NOW - DAY_AGO)}, None),
    ([made("05", 1, 5), made("06", 8, 9)], {}, "offsets 6 to 7 of log aaaaaaaaaaaaaaaa have no object yet"),
    ([made("04", 1, 4), made("05", 6, 7), made("06", 8, 9)], {}, "offsets 5 to 5"),
    ([made("05", 1, 5), made("06", 8, 9, age=DAY_AGO), made("07", 10, 11)], {}, None),
    # A quiet log says that nothing is left.
    ([made("05", 1, 5)], {"a" * 16: Note(NOW, FIVE.end)}, None),
    ([made("05", 1, 5)], {"a" * 16: Note(NOW, FIVE.end - timedelta(seconds=1))}, "has delivered nothing of a later hour"),
    ([made("05", 1, 2), made("05", 4, 5)], {"a" * 16: Note(NOW, FIVE.end)}, "offsets 3 to 3"),
    # A hole elsewhere is another hour's.
    ([made("05", 1, 5), made("06", 6, 7), made("06", 9, 9)], {}, None),
    # A log that has begun after the hour, or the hour of another log alone.
    ([made("05", 1, 5), made("06", 6, 9), made("07", 3, 4, "b" * 16)], {}, None),
    ([made("05", 1, 5), made("06", 6, 9), made("04", 1, 4, "b" * 16)], {}, "log bbbbbbbbbbbbbbbb has delivered"),
])
def test_an_hour_is_finished_when_each_log_is_past_it(sources, notes, why):
    said = why_unfinished(FIVE, sources, notes, NOW)
    assert said is None if why is None else why in (said or "")


@pytest.mark.parametrize("body, delivered", [
    (b'{"consumers":{"s3":{"lag":0}},"written_at":"2026-11-22T09-00-00.000001Z"}', "2026-11-22T08:55:00.000001+00:00"),
    (b'{"consumers":{"local-s3":{"lag":0}},"written_at":"2026-11-22T09-00-00.000001Z"}', "2026-11-22T08:55:00.000001+00:00"),
    (b'{"consumers":{"s3":{"lag":1}},"written_at":"2026-11-22T09-00-00.000001Z"}', None),
    (b'{"consumers":{"dynamodb":{"lag":0}},"written_at":"2026-11-22T09-00-00.000001Z"}', None),
    (b'{"written_at":"2026-11-22T09-00-00.000001Z"}', None),
    (b'{"consumers":[],"written_at":"2026-11-22T09-00-00.000001Z"}', None),
    (b'{"consumers":{"s3":{"lag":0}},"written_at":"soon"}', None),
    (b"[]", None), (b"", None), (b"\xff", None),
])
def test_a_note_says_until_when_all_is_delivered(body, delivered):
    assert note(body, NOW) == Note(NOW, datetime.fromisoformat(delivered) if delivered else None)


def test_an_hour_that_is_not_over_waits():
    assert why_unfinished(Hour("2026-11-22", "09"), [made("09", 1, 2), made("10", 3, 4)], {}, NOW) == "it is not over"


def test_offsets_as_ranges():
    assert ranges([made("05", 4, 6), made("05", 1, 3), made("05", 9, 9)]) == {"a" * 16: [[1, 6], [9, 9]]}
    with pytest.raises(ValueError, match="offsets of another object"):
        ranges([made("05", 1, 3), made("05", 3, 4)])
    assert not lost({"a": [[1, 3], [5, 6]]}, {"a": [[1, 6]], "b": [[1, 1]]})
    assert lost({"a": [[1, 6]]}, {"a": [[1, 5]]}) and lost({"b": [[1, 1]]}, {"a": [[1, 5]]})
    assert digest({"a": [[1, 2]]}) != digest({"a": [[1, 3]]})


def test_only_objects_of_ticks_are_sources():
    name = "dt=2026-11-22/hour=05/né-x-2026-11-22T05-13-20.123456Z-0123456789abcdef-7-12.jsonl"
    for key in (name, name + ".gz"):
        found = source(key, NOW)
        assert (found.hour, found.log, found.first, found.last) == (FIVE, "0123456789abcdef", 7, 12)
    assert source(name.replace("dt=2026-11-22/hour=05/", ""), NOW) is None
    assert source("_gaps/dt=2026-11-22/x-2026-11-22T05-13-20.123456Z-0123456789abcdef-7.jsonl", NOW) is None
    assert noted_log("_logs/0123456789abcdef.json") == "0123456789abcdef"
    assert noted_log("_logs/doctor.json") is None and noted_log("_logs/0123456789abcdef.streams.json") is None


def test_any_name_of_a_type_is_a_folder():
    assert [type_folder(name) for name in ("trade", "a/b=ü", None)] == ["trade", "a%2Fb%3D%C3%BC", "__HIVE_DEFAULT_PARTITION__"]
    assert type_folder("").startswith("sha256-") and len(type_folder("x" * 999)) == 71


def test_half_a_pair_of_surrogates_becomes_a_replacement():
    row = rb'{"symbol":"a\ud83d\ude00\ud83d","data":{"s":"\ud83d"}}' + b"\n"
    assert without_halves(row) == rb'{"symbol":"a\ud83d\ude00\ufffd","data":{"s":"\ud83d"}}' + b"\n"


NUMBERS = ["123456789012", "999999999999999999.99999999", "12345678901.00000001", "-123456789012.5", "0.123456789", "-1.5", "1E5", "NaN", "0" * 40 + "7.000000000000", "9" * 31, "", "123456789012345678901234567890.12345678"]


def unusual() -> list[tuple[str, str]]:
    events = []
    for number, value in enumerate(NUMBERS):
        event = json.loads(mini_ticker("ODDUSDT", 1_665_778_700_000 + number, 1))
        event["c"] = value
        events.append(("oddusdt@miniTicker", json.dumps(event, separators=(",", ":"))))
    events.append(("halfusdt@trade", r'{"e":"tr/ade","E":1665778598003,"s":"HALF\ud83dUSDT","t":1.10,"T":2,"x":"\udc00"}'))
    events.append(("nokind", '{"s":"NOKIND"}'))
    return events


TICKS = odd_events() + unusual() + mini_tickers(60)
HOUR = "05"


class Hours:
    """Real objects, some of which were moved to an hour of yesterday, as if they had been received then."""

    def __init__(self, folder: Path, environment: dict[str, str], source: str, target: str):
        self.folder, self.environment, self.source, self.target = folder, environment, source, target
        self.day = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
        self.hour = f"dt={self.day}/hour={HOUR}"

    def moved(self, key: str) -> str:
        """The key that the object would have had."""
        folder, name = key.split("/dt=")[0], key.rsplit("/", 1)[1]
        time = re.search(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z", name)[0]
        return f"{folder}/{self.hour}/{name.replace(time, f'{self.day}T{HOUR}{time[13:]}')}"

    def run(self, code: int = 0) -> list[str]:
        """In this process: to load the libraries takes longer than an hour of so few rows."""
        now, said = datetime.now(UTC), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said),
        ):
            for name, value in self.environment.items():
                patch.setenv(name, value)
            made = Columns(place(self.source), place(self.target), self.folder)
            found = made.run([now.date() - timedelta(days=1), now.date()], now)
        assert found == code, said.getvalue()
        return said.getvalue().splitlines()


def columns(files: str) -> list[dict]:
    answer = duckdb.connect().execute("select * from read_parquet(?, hive_partitioning = false)", [files])
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row)) for row in answer.fetchall()]


def as_row(found: dict) -> str:
    """The row of the object again, numbers by their value."""
    row = {}
    for name, value in found.items():
        if name.endswith("_text") or name in ("log_id", "time", "data"):
            continue
        if name == "stream_type":
            row["iso_timestamp"] = found["time"].strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        if value is None:
            value = found.get(f"{name}_text")
        if value is not None:
            row[name] = str(value.normalize()) if isinstance(value, Decimal) else value
    return json.dumps(row, sort_keys=True) + (found["data"] or "")


def expected_rows(ticks) -> list[str]:
    rows = []
    for tick in ticks:
        head, comma, data = without_halves(oracle.row(tick)).decode().rstrip("\n").partition(',"data":')
        row = json.loads(head + "}" if comma else head)
        for name in oracle.PRICES.values():
            if name in row and re.fullmatch(r"-?0*\d{1,30}(\.\d{1,8}0*)?", row[name]):
                row[name] = str(Decimal(row[name]).normalize())
        rows.append(json.dumps(row, sort_keys=True) + data[:-1])
    return rows


@pytest.fixture
def imported(tickwal):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in TICKS))
    tickwal.environment |= {"MAX_BATCH_SIZE": "10"}
    tickwal.succeed("import", file)
    return tickwal


class Bucket:
    """What a user with the rights of columns.json makes of a bucket."""

    def __init__(self, place, ministack, folder: Path):
        self.place, self._folder = place, folder
        pairs = []
        for statement in json.loads((ROOT / "deploy/iam/columns.json").read_text())["Statement"]:
            on = statement["Resource"].replace("crypto-live-bucket", place.bucket)
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            pairs += [(action, on) for action in actions]
        self.keys = ministack.make_user(f"columns-{place.bucket}", pairs)
        self.hours = Hours(
            folder, {"AWS_ENDPOINT_URL": ministack.url, "AWS_EC2_METADATA_DISABLED": "true", **self.keys.environment},
            f"s3://{place.bucket}/batch_jsonl", f"s3://{place.bucket}/parquet",
        )

    def put(self, stored, *, is_moved: bool, **metadata: str) -> None:
        """In the present hour, where it was, or in yesterday's."""
        moved = self.hours.moved(stored.key)
        self.place.delete_object(stored.key if is_moved else moved)
        self.place.put(moved if is_moved else stored.key, stored.body, Metadata={**stored.headers["Metadata"], **metadata})

    def parquet(self) -> dict[str, bytes]:
        return {key: self.place.get(key).body for key in self.place.keys_under("parquet/type=")}

    def rows(self) -> list[dict]:
        found = []
        for body in self.parquet().values():
            (self._folder / "read.parquet").write_bytes(body)
            found += columns(str(self._folder / "read.parquet"))
        return found


@pytest.fixture
def bucket(imported, make_place, ministack, secrets, tmp_path):
    place = make_place()
    imported.environment |= place.environment(ministack.url) | {"DYNAMO_WRITE": "0"}
    imported.drain()
    made = Bucket(place, ministack, tmp_path)
    secrets.append(made.keys.secret)
    return made


def test_a_finished_hour_of_a_bucket(imported, bucket):
    """Waits while something may come; then written once, to the digit; again when an object is late."""
    hours, ticks = bucket.hours, imported.log.ticks()
    *early, late, newest = sorted(bucket.place.objects(), key=lambda each: int(each.name["first"]))
    for each in early:
        bucket.put(each, is_moved=True)
    bucket.place.delete_object(late.key)
    said = hours.run()
    assert any(f"{hours.hour} waits: offsets {late.name['first']} to {late.name['last']} of log" in line for line in said), said
    bucket.place.delete_object(newest.key)
    # As if something were left to deliver.
    note = f"batch_jsonl/_logs/{imported.log.log_id}.json"
    bucket.place.put(note, bucket.place.get(note).body.replace(b'"lag":0', b'"lag":1'))
    said = hours.run()
    assert any(f"{hours.hour} waits: log {imported.log.log_id} has delivered nothing of a later" in line for line in said), said
    assert not bucket.parquet()

    def check(count: int, objects: int) -> None:
        said = hours.run()
        assert any(line.startswith(f"{hours.hour} written: {count} rows of {objects} objects") for line in said), said
        rows = bucket.rows()
        assert sorted(map(as_row, rows)) == sorted(expected_rows(ticks[:count]))
        assert {row["log_id"] for row in rows} == {imported.log.log_id}

    # The log is past the hour once it has delivered something of this one.
    bucket.put(late, is_moved=False)
    check(int(early[-1].name["last"]), len(early))
    assert f"parquet/type=tr%2Fade/{hours.hour}/ticks.parquet" in bucket.parquet()
    versions = bucket.place.versions()
    said = hours.run()
    assert not any(" written" in line for line in said), said
    assert bucket.place.versions() == versions

    bucket.put(late, is_moved=True)
    bucket.put(newest, is_moved=False)
    check(int(late.name["last"]), len(early) + 1)


def test_an_hour_that_was_half_written_changed_or_expired(imported, bucket):
    hours = bucket.hours
    first, *others, late, newest = sorted(bucket.place.objects(), key=lambda each: int(each.name["first"]))
    for each in others:
        bucket.put(each, is_moved=True)
    for metadata, words in ({"rows": "11"}, "has 10 rows, its x-amz-meta-rows says 11"), ({"sha256": "0"}, "x-amz-meta-sha256"):
        bucket.put(first, is_moved=True, **metadata)
        said = hours.run(1)
        assert any(f"{hours.hour} not written: " in line and words in line for line in said), said
        assert not bucket.parquet()
    bucket.put(first, is_moved=True)
    hours.run()
    whole = sorted(map(as_row, bucket.rows()))

    # A run that was killed before its note leaves what these do.
    some = next(key for key in bucket.parquet() if "type=trade/" in key)
    bucket.place.put(some, b"half", Metadata={"sources": "of another run"})
    for damage in (lambda: None, lambda: bucket.place.delete_object(some),
                   lambda: bucket.place.delete_object(f"parquet/_hours/{hours.hour}.json")):
        damage()
        said = hours.run()
        assert any(f"{hours.hour} written" in line for line in said), said
        assert sorted(map(as_row, bucket.rows())) == whole

    # What has expired stays as columns, and an hour that lacks it is not written anew.
    bucket.place.delete_object(hours.moved(first.key))
    said = hours.run()
    assert not any(f"{hours.hour} written" in line for line in said), said
    bucket.put(late, is_moved=True)
    said = hours.run(1)
    assert any(f"{hours.hour} not written: objects that it was written of are gone" in line for line in said), said
    assert sorted(map(as_row, bucket.rows())) == whole


def test_a_finished_hour_of_a_folder(imported, tmp_path):
    imported.drain("--local", "out")
    objects = tmp_path / "out/objects"
    hours = Hours(tmp_path, {}, str(objects / "batch_jsonl"), str(tmp_path / "parquet"))
    paths = sorted(objects.glob("batch_jsonl/dt=*/hour=*/*.gz"), key=lambda path: int(path.name.split("-")[-2]))
    for path in paths[:-1]:
        moved = objects / hours.moved(str(path.relative_to(objects)))
        moved.parent.mkdir(parents=True, exist_ok=True)
        path.rename(moved)
    command = [
        sys.executable, ROOT / "deploy/columns/columns.py", "--source", hours.source, "--target", hours.target,
        "--work", tmp_path, "--days", "1",
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"{hours.hour} written: " in done.stdout
    rows = columns(f"{tmp_path}/parquet/type=*/dt=*/hour=*/*.parquet")
    count = int(paths[-1].name.split("-")[-2]) - 1
    assert sorted(map(as_row, rows)) == sorted(expected_rows(imported.log.ticks()[:count]))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "parquet").rglob("*.parquet")}
    said = hours.run()
    assert not any(f"{hours.hour} written" in line for line in said), said
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "parquet").rglob("*.parquet")}
