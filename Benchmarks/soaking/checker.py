"""Follows a log while the program runs: each tick against the journal of the exchange, objects and items against the
ticks. It knows the program's formats from their documents alone.

Trimming runs all the time, so a tick is looked at when it is a few seconds old, and dropped when it was found in the
journal, in its object and as its item. What is trimmed before that must be in an object already, and is read there.
"""

import os
import pathlib
import sqlite3
import subprocess
import time
from array import array
from collections import defaultdict, deque

from support import continuity, oracle
from support.delivery import NAME, assert_gaps
from support.log import Log, Tick

from .clock import TrueTimes
from .rows import SECOND, checksum, event_of, is_alike, microseconds

AGE = 3 * SECOND
"""Of a tick when it is looked at: the journal is written once a second."""
PAGE = 5_000
MOST_PENDING = 200_000
"""Ticks that wait for object or item; more stay in the log meanwhile."""
MOST_EXAMPLES = 20
JOURNAL_KEPT = 1 << 30
LONGEST_BATCH = 120 * SECOND
PATIENCE_SECONDS = 180
"""How long a log may be unreadable."""


class Checker:
    def __init__(self, journal: pathlib.Path, log: pathlib.Path, store, times: TrueTimes | None = None):
        self.figures = continuity.Figures()
        self.objects = self.items = self.from_objects = self.wrong_count = self.trimmed = self.stretched = 0
        self.wrong: list[str] = []
        self._path, self._log, self._store = journal, Log(log), store
        self._times = times or TrueTimes()
        self._file = open(journal, "rb", buffering=1 << 20)
        self._punched = 0
        self._matching = continuity.Matching(self._file, self.figures, self._missed)
        self._missing: defaultdict[bytes, array] = defaultdict(lambda: array("q"))
        self._next = 1
        self._log_id: str | None = None
        self._rows: dict[int, bytes] = {}
        """What the object must have at each offset that was not found in one yet; in order."""
        self._objects: dict[int, tuple[int, str]] = {}
        """First offset of those that are there and not compared yet: last offset and key."""
        self._items: deque[tuple] = deque()
        """Offset, key, item, and how late its `ttl_days` may be; not compared yet."""
        self._forgettable: deque[tuple] = deque()
        self._read_at = time.monotonic()

    # What is wrong

    def _say(self, problem: str) -> None:
        self.wrong_count += 1
        if len(self.wrong) < MOST_EXAMPLES:
            self.wrong.append(problem)

    def _missed(self, stream: bytes, item: tuple) -> None:
        message, _ = item
        self._missing[message.stream].append(message.made)

    # Following

    def step(self, at_end: bool = False) -> bool:
        """One look at everything; whether there may be more at once."""
        try:
            page = self._read(continuity.NEVER if at_end else self._journal_end(), at_end)
        except sqlite3.OperationalError:
            if at_end or time.monotonic() - self._read_at > PATIENCE_SECONDS:
                raise
            return False
        if page is None:
            return False
        self._read_at = time.monotonic()
        head, self.trimmed, positions, ticks = page
        objects, items = (positions.get(name, 1) for name in self._store.consumers)
        before = self._next
        if self.trimmed >= self._next:
            self._take_from_objects(self.trimmed, continuity.NEVER if at_end else self._journal_end())
        else:
            for row in ticks:
                self._take(*row)
        self._compare_objects(objects)
        self._compare_items(items)
        self._punch()
        return self._next > before and self._next <= head

    def _journal_end(self) -> int:
        """The time of the newest line: all before are there. It is written once a second, or later under load."""
        with open(self._path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - (64 << 10)))
            lines = file.read().split(b"\n")
        # The first may have lost its beginning, the last its end.
        return int(lines[-2].split(b" ", 1)[0]) if len(lines) > 2 else 0

    def _read(self, journal_end: int, at_end: bool):
        connection = sqlite3.connect(f"{self._log.path.as_uri()}?mode=ro", uri=True, timeout=10)
        connection.text_factory = bytes
        try:
            connection.execute("begin")
            meta = dict(connection.execute("select key, value from meta where key in ('head', 'trimmed')"))
            positions = {
                name.decode(): position for name, position in connection.execute("select name, next_offset from consumers")
            }
            ticks = []
            if at_end or max(len(self._rows), len(self._items)) < MOST_PENDING:
                newest = journal_end if at_end else min(journal_end, int(time.time() * SECOND) - AGE)
                for row in connection.execute(
                    "select offset, received_at, event_time, stream, payload, checksum from ticks where offset >= ? "
                    "order by offset limit ?", (self._next, PAGE)
                ):
                    if self._times.of(row[1]) > newest:
                        break
                    ticks.append(row)
            return int(meta.get(b"head", 0)), int(meta.get(b"trimmed", 0)), positions, ticks
        finally:
            connection.close()

    def _take(self, offset, received, event_time, stream: bytes, payload: bytes, stored: int) -> None:
        if checksum(offset, received, event_time, stream, payload) != stored:
            self._say(f"the checksum at offset {offset} is wrong")
        if not self._matching.match(offset, self._times.follow(received), stream, payload):
            self._say(f"the exchange has not sent offset {offset} now: {stream.decode()} {payload[:200]!r}")
        tick = Tick(offset, received, event_time, stream.decode(), payload.decode())
        if oracle.event_time(tick) != event_time:
            self._say(f"the event_time at offset {offset} is {event_time}")
        self._expect(tick, 0)

    def _expect(self, tick: Tick, ttl_slack: int) -> None:
        item = oracle.item(tick)
        # The exchange writes its events without white space, in ASCII.
        self._rows[tick.offset] = oracle.row(tick, compacted=str)
        self._items.append((tick.offset, (item["stream_type"][1], item["iso_timestamp"][1]), item, ttl_slack))
        self._next = tick.offset + 1

    def _take_from_objects(self, last_trimmed: int, journal_end: int) -> None:
        """Ticks that are trimmed already: their objects must be there."""
        self._list()
        budget = PAGE
        while self._next <= last_trimmed and budget > 0:
            first = max((first for first in self._objects if first <= self._next), default=None)
            if first is None or self._objects[first][0] < self._next:
                self._say(f"everything up to {last_trimmed} is trimmed, but {self._next} is in no object")
                self._next = last_trimmed + 1
                return
            last, key = self._objects[first]
            lines = self._store.read(key).text.splitlines()
            events = [event_of(line) for line in lines[self._next - first:]]
            if max(self._times.of(made) for *_, made in events) > journal_end:
                return
            began = microseconds(NAME.fullmatch(key)["time"])
            self._times.follow(began)
            for stream, payload, received, made in events:
                self.from_objects += 1
                budget -= 1
                true = self._times.follow(received) if received else made
                if not self._matching.match(
                    self._next, true, stream.encode(), payload.encode(), is_exact=received is not None
                ):
                    self._say(f"the exchange has not sent offset {self._next} now: {stream} {payload[:200]}")
                self._expect(Tick(self._next, received or began, None, stream, payload), 0 if received else LONGEST_BATCH)

    # Objects and items

    def _list(self) -> None:
        self._log_id = self._log_id or self._log.log_id
        for key in self._store.new_objects():
            name = NAME.fullmatch(key)
            if not name or name["log"] != self._log_id:
                self._say(f"an object that is none of this log's: {key}")
                continue
            first, last = int(name["first"]), int(name["last"])
            if first in self._objects:
                self._say(f"offset {first} begins two objects: {key}")
            self._objects[first] = (last, key)

    def _compare_objects(self, next_offset: int) -> None:
        self._list()
        for first in sorted(self._objects):
            last, key = self._objects[first]
            if last >= self._next:
                continue
            del self._objects[first]
            rows = [self._rows.pop(offset, None) for offset in range(first, last + 1)]
            if None in rows:
                self._say(f"{sum(row is None for row in rows)} of its ticks are in another object, too: {key}")
            elif b"".join(rows) != self._store.read(key).text:
                self._say(f"not what its ticks make: {key}")
            self.objects += 1
        ahead = []
        for offset in self._rows:
            if offset >= next_offset or any(first <= offset <= last for first, (last, _) in self._objects.items()):
                break
            ahead.append(offset)
        for offset in ahead:
            self._say(f"{self._store.consumers[0]} is at {next_offset}, but {offset} is in no object")
            del self._rows[offset]

    def _compare_items(self, next_offset: int) -> None:
        while self._items and self._items[0][0] < next_offset:
            part = []
            while self._items and self._items[0][0] < next_offset and len(part) < 1_000:
                part.append(self._items.popleft())
            found = self._store.items([key for _, key, _, _ in part])
            for offset, key, expected, ttl_slack in part:
                self.items += 1
                self._forgettable.append((offset, key))
                item = found.get(key)
                if item is None:
                    self._say(f"{self._store.consumers[1]} is at {next_offset}, but the item of {offset} is not there: {key}")
                elif item != expected and not is_alike(item, expected, ttl_slack):
                    self._say(f"the item of {offset} is another: {item}")
        done = []
        while self._forgettable and self._forgettable[0][0] <= self.trimmed:
            done.append(self._forgettable.popleft()[1])
        if done:
            self._store.forget(done)

    def _punch(self) -> None:
        """Gives back what was read of the journal, but for the last of it."""
        read = self._file.tell() - JOURNAL_KEPT
        if read > self._punched + (256 << 20):
            subprocess.run(["fallocate", "--punch-hole", "--offset", "0", "--length", str(read), self._path], check=False)
            self._punched = read

    # The end

    def finish(self, most_gap_seconds: float) -> list[str]:
        """Everything has stopped and is shipped: what is missing, double or different after all."""
        while self.step(at_end=True) or self._next <= self._log.head:
            if self.wrong_count > 10 * MOST_EXAMPLES:
                break
        if self._rows:
            self._say(f"{len(self._rows):,} ticks are in no object, such as offset {next(iter(self._rows))}")
        if self._objects:
            self._say(f"{len(self._objects):,} objects of offsets that the log never had")
        if self._items:
            self._say(f"{len(self._items):,} ticks without an item, such as offset {self._items[0][0]}")
        for problem in self._store.problems(self._log.head):
            self._say(problem)
        for table in ("dead_letters", "skipped"):
            if count := self._log.value(f"select count(*) from {table}"):
                self._say(f"{count} rows in {table}")
        try:
            assert_gaps(self._log, self._store.gaps())
        except AssertionError as error:
            self._say(f"the objects of gaps do not say what the log says: {str(error)[:300]}")
        self._judge(most_gap_seconds)
        more = self.wrong_count - len(self.wrong)
        return self.wrong + ([f"and {more:,} more"] if more else [])

    def _judge(self, most_gap_seconds: float) -> None:
        figures = self.figures
        self._matching.finish()
        with sqlite3.connect(f"{self._log.path.as_uri()}?mode=ro", uri=True) as log:
            log.text_factory = bytes
            gaps = [self._times.of_gap(gap) for gap in continuity.read_gaps(log)]
        log.close()
        # Their ends are from before the clock was set back, their beginnings from after.
        self.stretched = sum(gap.ended < gap.started for gap in gaps)
        judgement = continuity.Judgement(continuity.Cover(gaps), figures, self._matching.under_way)
        for stream, times in self._missing.items():
            for made in times:
                judgement.missing(made, stream)
        judgement.finish()
        continuity.note_gaps(figures, gaps, self._matching.journal.last)
        for problem in continuity.wrong(figures):
            self._say(problem)
        for example in judgement.uncovered:
            self._say(f"missing and not covered: {example}")
        if figures.longest_gap_seconds > most_gap_seconds:
            self._say(f"a gap of {figures.longest_gap_seconds:.1f} s, allowed are {most_gap_seconds:g}")
