#!/usr/bin/env python3
"""Turns the objects of each finished hour into one Parquet file an event type.

  <source>/dt=2026-11-22/hour=05/….jsonl.gz  →  <target>/type=24hrMiniTicker/dt=2026-11-22/hour=05/ticks.parquet

SOURCE and TARGET are s3://bucket/folder or a folder. Without them they are what tickwal's own variables say:
s3://S3_BUCKET/S3_JSONL_DIR_PATH, and s3://S3_BUCKET/parquet. Needs Python 3.11, duckdb and boto3; docs/query.md tells
the rest. Each hour says what was done with it; 1 if any could not be written, 75 if another run is at it.
"""

import argparse
import fcntl
import gzip
import hashlib
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import duckdb
from botocore.exceptions import BotoCoreError, ClientError
from hours import Hour, Note, Source, count, digest, lost, note, noted_log, ranges, source, why_unfinished
from places import place

SQL = Path(__file__).with_name("columns.sql")
NO_TYPE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name for a value that is not there."""


class Wrong(Exception):
    """An hour that must not be written, and why."""


def type_folder(event_type: str | None) -> str:
    """Whatever an exchange calls it, as one folder's name."""
    if event_type is None:
        return NO_TYPE
    name = quote(event_type, safe="")
    # An object's key has 1,024 bytes, a folder's name 255.
    return name if 0 < len(name) <= 200 else f"sha256-{hashlib.sha256(event_type.encode()).hexdigest()}"


def without_halves(text: bytes) -> bytes:
    """The same rows with U+FFFD for half a surrogate pair outside of `data`: valid JSON has it, UTF-8 cannot."""
    if b"\\ud" not in text:
        return text
    rows = []
    for row in text.splitlines(keepends=True):
        head, comma, data = row.partition(b',"data":')
        if b"\\ud" in head:
            values = json.loads(head + b"}" if comma else head)
            whole = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
            values = json.loads(whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
            head = json.dumps(values, separators=(",", ":")).encode()
            row = (head[:-1] + comma + data) if comma else head + b"\n"
        rows.append(row)
    return b"".join(rows)


class Columns:
    def __init__(self, origin, target, work: Path):
        self._origin, self._target, self._work = origin, target, work

    def sources(self, first: date, today: date) -> list[Source]:
        days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
        with ThreadPoolExecutor(8) as pool:
            listed = pool.map(lambda day: list(self._origin.list(f"dt={day}")), days)
            return [found for keys in listed for key in keys if (found := source(*key))]

    def notes(self) -> dict[str, Note]:
        found = {}
        for key, modified in self._origin.list("_logs"):
            if (log := noted_log(key)) and (stored := self._origin.get(key)):
                found[log] = note(stored[0], modified)
        return found

    def fetch(self, each: Source, folder: Path) -> int:
        """The object's text as a file; its number of rows."""
        found = self._origin.get(each.key)
        if found is None:
            raise Wrong(f"{each.key} is gone")
        body, metadata = found
        # Some stores unpack what carries `Content-Encoding: gzip`.
        text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        rows = text.count(b"\n")
        if self._origin.has_metadata:
            if metadata.get("rows") != str(rows):
                raise Wrong(f"{each.key} has {rows} rows, its x-amz-meta-rows says {metadata.get('rows')}")
            if metadata.get("sha256") != hashlib.sha256(text).hexdigest():
                raise Wrong(f"{each.key} is not what its x-amz-meta-sha256 says")
        elif rows > each.last - each.first + 1:
            raise Wrong(f"{each.key} has {rows} rows, more than its name says")
        (folder / f"{each.log}-{each.first}-{each.last}.jsonl").write_bytes(without_halves(text))
        return rows

    def note_key(self, hour: Hour) -> str:
        return f"_hours/{hour.folder}.json"

    def parquet_key(self, folder: str, hour: Hour) -> str:
        return f"type={folder}/{hour.folder}/ticks.parquet"

    def is_done(self, hour: Hour, own: list[Source]) -> bool:
        """Whether the hour was written of just these objects, or of some that have expired meanwhile."""
        found = self._target.get(self.note_key(hour))
        if found is None:
            return False
        note, now = json.loads(found[0]), ranges(own)
        made_of = digest(note["offsets"])
        is_whole = all(
            self._target.made_of(self.parquet_key(folder, hour)) == made_of for folder in note["types"]
        )
        if is_whole and not lost(now, note["offsets"]):
            return True
        if lost(note["offsets"], now):
            raise Wrong("objects that it was written of are gone, so that it cannot be written anew")
        return False

    def write(self, hour: Hour, own: list[Source]) -> str:
        offsets = ranges(own)
        made_of = digest(offsets)
        with tempfile.TemporaryDirectory(dir=self._work) as name:
            folder = Path(name)
            with ThreadPoolExecutor(16) as pool:
                rows = sum(pool.map(lambda each: self.fetch(each, folder), own))
            types = self._parquets(folder, made_of)
            if sum(types.values()) != rows:
                raise Wrong(f"its objects have {rows} rows, its Parquet files {sum(types.values())}")
            for number, event_type in enumerate(types):
                self._target.put(self.parquet_key(event_type, hour), folder / f"{number}.parquet", made_of)
            # Last: without it, or with another digest than a Parquet's, the hour is written again.
            note = {"offsets": offsets, "rows": rows, "types": types}
            (folder / "note").write_text(json.dumps(note) + "\n")
            self._target.put(self.note_key(hour), folder / "note", made_of)
        without = count(offsets) - rows
        said = f"{rows} rows of {len(own)} objects, " + ", ".join(f"{kind} {n}" for kind, n in types.items())
        return said + (f"; {without} offsets have no row: dead letters" if without else "")

    def _parquets(self, folder: Path, made_of: str) -> dict[str, int]:
        """Makes `0.parquet` … and gives the folder's name and the rows of each, as read back."""
        database = duckdb.connect(str(folder / "columns.db"), config={"temp_directory": str(folder / "spill")})
        files = [str(path) for path in sorted(folder.glob("*.jsonl"))]
        database.execute("set variable files = ?", [files])
        database.execute(SQL.read_text())
        types: dict[str, int] = {}
        for (event_type,) in database.execute("select distinct event_type from rows order by 1").fetchall():
            path = folder / f"{len(types)}.parquet"
            database.execute("set variable kind = ?", [event_type])
            database.execute(
                "copy (select * from rows where event_type is not distinct from cast(getvariable('kind') as varchar) "
                "order by symbol, stream_type, time) "
                f"to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet, compression zstd, kv_metadata {{sources: '{made_of}'}})"
            )
            [(rows,)] = database.execute("select count(*) from read_parquet(?)", [str(path)]).fetchall()
            types[type_folder(event_type)] = rows
        database.close()
        return types

    def run(self, days: list[date], now: datetime) -> int:
        try:
            # In this order: what a note says is delivered is there when the objects are looked for.
            notes = self.notes()
            sources = self.sources(days[0] - timedelta(days=1), now.date())
        except (BotoCoreError, ClientError) as error:
            print(f"{self._origin} could not be listed: {error}", file=sys.stderr)
            return 1
        wanted = {each.isoformat() for each in days}
        code = 0
        for hour in sorted({each.hour for each in sources if each.hour.day in wanted}):
            own = [each for each in sources if each.hour == hour]
            try:
                if why := why_unfinished(hour, sources, notes, now):
                    print(f"{hour.folder} waits: {why}")
                elif not self.is_done(hour, own):
                    print(f"{hour.folder} written: {self.write(hour, own)}", flush=True)
            except (Wrong, ValueError, duckdb.Error, BotoCoreError, ClientError) as error:
                print(f"{hour.folder} not written: {error}", file=sys.stderr)
                code = 1
        return code


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    bucket = os.environ.get("S3_BUCKET") or "crypto-live-bucket"
    prefix = os.environ.get("S3_JSONL_DIR_PATH") or "batch_jsonl"
    parser.add_argument("--source", default=f"s3://{bucket}/{prefix.strip('/')}")
    parser.add_argument("--target", default=f"s3://{bucket}/parquet")
    parser.add_argument("--day", type=date.fromisoformat, help="this day alone (2026-11-22)")
    parser.add_argument("--days", type=int, default=7, help="today and so many days before it")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()),
                        help="folder for one hour's texts: half a GB for 400 symbols")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    now = datetime.now(UTC)
    days = [given.day] if given.day else [now.date() - timedelta(days=n) for n in range(given.days, -1, -1)]
    origin, target = place(given.source), place(given.target)
    # Two at a time could leave a Parquet of the one beside the note of the other.
    name = hashlib.sha256(str(target).encode()).hexdigest()[:16]
    with open(given.work / f"tickwal-columns-{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another run writes to {target}", file=sys.stderr)
            return 75
        return Columns(origin, target, given.work).run(days, now)


if __name__ == "__main__":
    sys.exit(main())
