"""Checks that a log, its objects and its items agree, tick for tick."""

import gzip
import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from . import oracle
from .log import Log, Tick

NAME = re.compile(
    r"(?P<folder>.*?)/(dt=(?P<day>\d{4}-\d\d-\d\d)/hour=(?P<hour>\d\d)/)?(?P<file>[^/]+)"
    r"-(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z)-(?P<log>[0-9a-f]{16})-(?P<first>\d+)-(?P<last>\d+)"
    r"\.jsonl(?P<gz>\.gz)?"
)


@dataclass(frozen=True)
class StoredObject:
    key: str
    body: bytes
    headers: dict | None = None

    @property
    def text(self) -> bytes:
        return gzip.decompress(self.body) if self.key.endswith(".gz") else self.body

    @property
    def name(self) -> re.Match:
        match = NAME.fullmatch(self.key)
        assert match, f"not a batch's key: {self.key}"
        return match


def assert_dense(ticks: list[Tick]) -> None:
    assert [tick.offset for tick in ticks] == list(range(1, len(ticks) + 1))


def assert_objects(log: Log, objects: list[StoredObject], ticks: list[Tick], most_rows: int) -> None:
    """Each offset in exactly one object, each row to the byte, each key and header as promised."""
    by_offset = {tick.offset: tick for tick in ticks}
    delivered: list[int] = []
    for stored in objects:
        name = stored.name
        first, last = int(name["first"]), int(name["last"])
        offsets = range(first, last + 1)
        assert 1 <= len(offsets) <= most_rows
        assert stored.text == b"".join(oracle.row(by_offset[offset]) for offset in offsets), stored.key
        delivered += offsets
        assert name["log"] == log.log_id
        received = by_offset[first].received_at
        assert name["time"] == oracle.iso(received)
        moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=received)
        assert (name["day"], name["hour"]) == (moment.strftime("%Y-%m-%d"), moment.strftime("%H"))
        hours = {by_offset[offset].received_at // 3_600_000_000 for offset in offsets}
        assert len(hours) == 1, f"{stored.key} crosses an hour"
        assert stored.body[4:8] == b"\0\0\0\0", "a time in the gzip header"
        if stored.headers is not None:
            assert stored.headers["ContentType"] == "application/json"
            assert stored.headers["ContentEncoding"] == "gzip"
            assert stored.headers["Metadata"] == {
                "log-id": log.log_id, "first-offset": str(first), "last-offset": str(last),
                "rows": str(len(offsets)), "sha256": hashlib.sha256(stored.text).hexdigest(),
            }
    assert sorted(delivered) == [tick.offset for tick in ticks], "an offset is missing or in two objects"


def assert_items(found: dict[tuple[str, str], dict], ticks: list[Tick], days: int = 1) -> None:
    expected = oracle.items(ticks, days)
    missing, strange = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    assert not missing and not strange, (len(found), len(missing), missing[:10], len(strange), strange[:10])
    for key, attributes in found.items():
        assert attributes in expected[key], key


def is_batch(key: str) -> bool:
    """Not the marker, and not what tells of a gap."""
    return "/_logs/" not in key and "/_gaps/" not in key


def local_objects(folder: Path) -> list[StoredObject]:
    return [stored for stored in _local_files(folder) if is_batch(stored.key)]


def local_gaps(folder: Path) -> dict[int, dict]:
    return told_gaps(stored for stored in _local_files(folder) if "/_gaps/" in stored.key)


def _local_files(folder: Path) -> list[StoredObject]:
    root = folder / "objects"
    return [
        StoredObject(str(path.relative_to(root)), path.read_bytes())
        for path in sorted(root.rglob("*")) if path.name.endswith((".jsonl", ".jsonl.gz"))
    ]


def told_gaps(objects: Iterable[StoredObject]) -> dict[int, dict]:
    """By the number of the gap, each of which has one object, of one line, under a name that says the same."""
    gaps: dict[int, dict] = {}
    for stored in objects:
        assert stored.body.endswith(b"\n") and stored.body.count(b"\n") == 1
        gap = json.loads(stored.body)
        assert gap["gap"] not in gaps
        gaps[gap["gap"]] = gap
        started = gap["started_at"]
        name = f"-{started.replace(':', '-')}-{gap['log_id']}-{gap['gap']}.jsonl"
        assert f"/_gaps/dt={started[:10]}/" in stored.key and stored.key.endswith(name)
        if stored.headers is not None:
            assert stored.headers["ContentType"] == "application/json"
            assert "ContentEncoding" not in stored.headers
    return gaps


def assert_gaps(log: Log, told: dict[int, dict]) -> None:
    """The objects say of each gap what the log says."""
    rows = log.ask("select id, started_at, ended_at, cause, streams, detail from gaps")
    assert told == {
        number: {
            "gap": number, "log_id": log.log_id, "started_at": oracle.rfc3339(started),
            "ended_at": ended and oracle.rfc3339(ended), "cause": cause, "streams": json.loads(streams),
            **({} if detail is None else {"detail": json.loads(detail)}),
        }
        for number, started, ended, cause, streams, detail in rows
    }


def local_items(folder: Path) -> dict[tuple[str, str], dict]:
    """Rows of the local table in the oracle's notation. Its numbers are text, so their type is by name."""
    numbers = {"event_time", "ttl_days", *oracle.PRICES.values()}
    connection = sqlite3.connect(f"{(folder / 'table.db').as_uri()}?mode=ro", uri=True, timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        rows = connection.execute("select * from items").fetchall()
    finally:
        connection.close()
    found = {}
    for row in rows:
        attributes = {
            name: ("N", Decimal(row[name])) if name in numbers else ("S", row[name])
            for name in row.keys() if row[name] is not None
        }
        found[row["stream_type"], row["iso_timestamp"]] = attributes
    return found


def marker(place, log: Log, folder: str = "batch_jsonl") -> dict:
    """What the bucket says of the log: its highest planned offset."""
    return json.loads(place.get(f"{folder}/_logs/{log.log_id}.json").body)
