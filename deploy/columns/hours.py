"""Hours of a log's objects: which there are, which of them are finished, and what a Parquet was made of."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

SETTLED = timedelta(minutes=5)
"""What was received so long before a note that says that nothing is left is in the log by then, and so delivered."""
SILENT = timedelta(days=1)
"""A log that nothing has been heard of for so long holds no hour up any more, nor does a range that has no object."""

_KEY = re.compile(
    r"dt=(?P<day>\d{4}-\d\d-\d\d)/hour=(?P<hour>\d\d)/[^/]+"
    r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}Z-(?P<log>[0-9a-f]{16})-(?P<first>\d+)-(?P<last>\d+)\.jsonl(\.gz)?"
)
_NOTE = re.compile(r"_logs/(?P<log>[0-9a-f]{16})\.json")


@dataclass(frozen=True, order=True)
class Hour:
    day: str
    hour: str

    @property
    def start(self) -> datetime:
        return datetime.fromisoformat(f"{self.day}T{self.hour}:00:00+00:00")

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=1)

    @property
    def folder(self) -> str:
        return f"dt={self.day}/hour={self.hour}"


@dataclass(frozen=True)
class Source:
    """An object of ticks, as its key tells of it."""

    hour: Hour
    log: str
    first: int
    last: int
    key: str
    modified: datetime


def source(key: str, modified: datetime) -> Source | None:
    """`key` below the folder of the objects; None for anything else that lies there."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return Source(
        Hour(match["day"], match["hour"]), match["log"], int(match["first"]), int(match["last"]), key, modified
    )


@dataclass(frozen=True)
class Note:
    """What a log's note below `_logs/` says of it."""

    heard: datetime
    """When it was written."""
    delivered: datetime | None = None
    """Everything that was received until then lies in the bucket."""


def noted_log(key: str) -> str | None:
    match = _NOTE.fullmatch(key)
    return match and match["log"]


def note(body: bytes, modified: datetime) -> Note:
    """Notes of earlier versions, and what is none, say only that they are there."""
    try:
        said = json.loads(body)
        consumers = said["consumers"]
        own = consumers.get("s3") or consumers.get("local-s3")
        time = datetime.strptime(said["written_at"], "%Y-%m-%dT%H-%M-%S.%fZ").replace(tzinfo=timezone.utc)
        return Note(modified, time - SETTLED if own and own["lag"] == 0 else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Note(modified)


def by_log(sources: Iterable[Source]) -> dict[str, list[Source]]:
    """In the order of their offsets."""
    logs: dict[str, list[Source]] = defaultdict(list)
    for each in sorted(sources, key=lambda source: (source.log, source.first)):
        logs[each.log].append(each)
    return logs


def why_unfinished(hour: Hour, sources: Iterable[Source], notes: dict[str, Note], now: datetime) -> str | None:
    """The reason to wait for this hour, or None if each log is past it.

    `sources` are of this hour and those around it, as they were after `notes` were read.
    """
    if now < hour.end:
        return "it is not over"
    logs = by_log(sources)
    for log in sorted(logs.keys() | notes.keys()):
        own = logs.get(log, [])
        heard = max([each.modified for each in own] + ([notes[log].heard] if log in notes else []))
        is_past = log in notes and (notes[log].delivered or hour.start) >= hour.end
        if not is_past and all(each.hour <= hour for each in own) and now - heard < SILENT:
            return f"log {log} has delivered nothing of a later hour yet; last heard of at {heard:%Y-%m-%d %H:%M:%S} UTC"
        for before, after in zip(own, own[1:]):
            is_here = before.hour <= hour <= after.hour
            if is_here and before.last + 1 < after.first and now - after.modified < SILENT:
                return f"offsets {before.last + 1} to {after.first - 1} of log {log} have no object yet"
    return None


Ranges = dict[str, list[list[int]]]


def ranges(sources: Iterable[Source]) -> Ranges:
    """The offsets of each log, neighbours as one range. Raises ValueError where two objects have the same offset."""
    found: Ranges = {}
    for log, own in by_log(sources).items():
        spans = found[log] = []
        for each in own:
            if spans and each.first <= spans[-1][1]:
                raise ValueError(f"{each.key} has offsets of another object; see 'tickwal reconcile'")
            if spans and each.first == spans[-1][1] + 1:
                spans[-1][1] = each.last
            else:
                spans.append([each.first, each.last])
    return found


def count(offsets: Ranges) -> int:
    return sum(last - first + 1 for spans in offsets.values() for first, last in spans)


def lost(before: Ranges, now: Ranges) -> bool:
    """Whether offsets that a Parquet was made of have no object any more."""
    return any(
        not any(first <= span[0] and span[1] <= last for first, last in now.get(log, []))
        for log, spans in before.items() for span in spans
    )


def digest(offsets: Ranges) -> str:
    """The same for the same offsets, and unlike any other."""
    return hashlib.sha256(json.dumps(offsets, sort_keys=True).encode()).hexdigest()
