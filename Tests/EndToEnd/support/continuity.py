#!/usr/bin/env python3
"""Compares a log with the journal of a simulated exchange: everything that was made is in the log once, in order
and byte for byte, or a gap covers it; nothing else is there.

    continuity.py JOURNAL LOG [--no-loss] [--most-connections N] [--most-gap-seconds S] [--json]

Reads both from the beginning to the end side by side, in memory that depends on how much is missing at a time and
not on how much there is. Exits 1 if anything is wrong.

A gap begins when the last message before it was received; what was lost had been made up to the time earlier that
messages were under way. So a gap also covers what was made that long before its start: the longest time under way
of those received in the two seconds before it, at least 20 ms.
"""

import argparse
import bisect
import contextlib
import itertools
import json
import sqlite3
import sys
import urllib.parse
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field

SECOND = 1_000_000
PATIENCE = 120 * SECOND
"""What has not come to the log for so long is taken for missing."""
MOST_UNDER_WAY = 10 * SECOND
LEAST_UNDER_WAY = 20_000
EXAMPLES = 10
MOST_SURPRISES = 10_000
NEVER = 1 << 62
STEP = SECOND // 10


@dataclass(frozen=True)
class Gap:
    started: int
    ended: int
    cause: str
    streams: frozenset

    @property
    def is_open(self) -> bool:
        return self.ended == NEVER

    @property
    def is_end(self) -> bool:
        """The program was stopped, and has not run again."""
        return self.cause == "shutdown" and self.is_open


@dataclass
class Figures:
    made: int = 0
    in_log: int = 0
    missing_covered: int = 0
    missing_after_end: int = 0
    missing_uncovered: int = 0
    double: int = 0
    out_of_order: int = 0
    never_sent: int = 0
    unclassified: int = 0
    offsets_missing: int = 0
    dead_letters: int = 0
    in_log_within_gaps: int = 0
    gaps: dict = field(default_factory=dict)
    gap_seconds: float = 0
    longest_gap_seconds: float = 0
    open_gaps: int = 0
    seconds_after_end: float = 0
    connections: int = 0
    most_connections: int = 0
    refused: int = 0
    faults: dict = field(default_factory=dict)
    longest_under_way_seconds: float = 0
    seconds: float = 0


@dataclass
class Result:
    figures: Figures
    problems: list

    def __str__(self) -> str:
        shown = {**vars(self.figures), "gaps": counted(self.figures.gaps), "faults": counted(self.figures.faults)}
        lines = [f"{name.replace('_', ' '):28}{text(value)}" for name, value in shown.items()]
        return "\n".join(lines + [f"WRONG: {problem}" for problem in self.problems])


def text(value) -> str:
    return f"{value:,.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def counted(counts: dict) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


class Cover:
    """All gaps, to ask which time of which stream they cover."""

    def __init__(self, gaps: list):
        self.gaps = sorted(gaps, key=lambda gap: gap.started)
        alike = defaultdict(list)
        for gap in self.gaps:
            alike[gap.streams].append(gap)
        self._of_stream = defaultdict(list)
        for streams, group in alike.items():
            ends = list(itertools.accumulate((gap.ended for gap in group), max))
            entry = (group, [gap.started for gap in group], ends)
            for stream in streams:
                self._of_stream[stream].append(entry)
        self._moments = sorted({moment for gap in gaps for moment in (gap.started, gap.ended)})
        self._within: tuple[int, int, list] = (0, 0, [])

    def find(self, stream: bytes, made: int, early: int = 0) -> list:
        """The gaps that cover this time, or would if they had begun so much earlier."""
        found = []
        for group, starts, latest_ends in self._of_stream.get(stream, ()):
            place = bisect.bisect_right(starts, made + early) - 1
            while place >= 0 and latest_ends[place] >= made:
                if group[place].ended >= made:
                    found.append(group[place])
                place -= 1
        return found

    def is_strictly_within(self, stream: bytes, received: int) -> bool:
        lower, upper, gaps = self._within
        if not lower < received < upper:
            place = bisect.bisect_left(self._moments, received)
            if place < len(self._moments) and self._moments[place] == received:
                return False
            lower = self._moments[place - 1] if place else -1
            upper = self._moments[place] if place < len(self._moments) else NEVER
            gaps = [gap for gap in self.gaps if gap.started <= lower and gap.ended >= upper]
            self._within = (lower, upper, gaps)
        return any(stream in gap.streams for gap in gaps)


class Journal:
    """Reads a journal as far as it is asked to."""

    def __init__(self, file, figures: Figures):
        self._file, self._figures = file, figures
        self.pending: defaultdict[bytes, deque] = defaultdict(deque)
        """By stream: made at, payload, whether anybody got it, the name it was subscribed under."""
        self._ahead = None
        self.first = self.last = 0

    def read_until(self, moment: int) -> None:
        pending, figures = self.pending, self._figures
        line = self._ahead or self._file.readline()
        while line.endswith(b"\n"):
            parts = line.split(b" ", 4)
            made = int(parts[0])
            if made > moment:
                break
            self.first, self.last = self.first or made, made
            if parts[1] == b"sent":
                stream, payload = parts[3], parts[4][:-1]
                if payload[:1] == b"[":
                    for name, element in elements(payload):
                        figures.made += 1
                        pending[name].append((made, element, parts[2] != b"-", stream))
                else:
                    figures.made += 1
                    pending[stream].append((made, payload, parts[2] != b"-", stream))
            else:
                self._note(parts)
            line = self._file.readline()
        if line and not line.endswith(b"\n"):
            # It is being written.
            self._file.seek(-len(line), 1)
            line = None
        self._ahead = line

    def _note(self, parts: list) -> None:
        figures, word = self._figures, parts[1]
        if word == b"open":
            figures.connections += 1
            figures.most_connections = max(figures.most_connections, int(parts[4]))
        elif word == b"fault":
            kind = parts[3].strip().decode()
            figures.faults[kind] = figures.faults.get(kind, 0) + 1
        elif word == b"refused":
            figures.refused += 1


def elements(array: bytes):
    """The ticks of an array message, with the names that they get."""
    text, decoder, place = array.decode(), json.JSONDecoder(), 1
    while text[place : place + 1] not in ("]", ""):
        event, end = decoder.raw_decode(text, place)
        yield (event["s"].lower() + "@miniTicker").encode(), text[place:end].encode()
        place = end + (text[end] == ",")


class Matching:
    """Ticks in the order of their offsets, each looked for in the journal."""

    def __init__(self, file, figures: Figures, missed):
        """`missed` is called with a stream and what the journal says of a message of it that did not come."""
        self.figures, self.journal = figures, Journal(file, figures)
        self.under_way: dict[int, int] = {}
        self._missed, self._newest, self._expected = missed, 0, None

    def match(self, offset: int, received: int, stream: bytes, payload: bytes, is_exact: bool = True) -> bool:
        """Whether the journal has it. `received` may be some later time if it is not known, `is_exact` says that."""
        figures, queue = self.figures, self.journal.pending[stream]
        figures.in_log += 1
        if self._expected is not None and offset != self._expected:
            figures.offsets_missing += offset - self._expected
        self._expected = offset + 1
        if not queue or queue[0][1] != payload:
            self.journal.read_until(received + SECOND)
            if not self._skip_to(stream, queue, payload):
                return False
        made, _, was_sent, _ = queue.popleft()
        if not was_sent:
            figures.never_sent += 1
        step, took = received // STEP, received - made
        if is_exact and took > self.under_way.get(step, -1):
            self.under_way[step] = took
        self._newest = max(self._newest, received)
        if figures.in_log % 50_000 == 0:
            self._give_up_before(self._newest - PATIENCE)
        return True

    def finish(self) -> None:
        """To be called when the journal is complete: what is left did not come."""
        self.journal.read_until(NEVER)
        self._give_up_before(NEVER)
        self.figures.seconds = (self.journal.last - self.journal.first) / SECOND
        self.figures.longest_under_way_seconds = max(self.under_way.values(), default=0) / SECOND

    def _skip_to(self, stream: bytes, queue: deque, payload: bytes) -> bool:
        for place, item in enumerate(queue):
            if item[1] == payload:
                for _ in range(place):
                    self._missed(stream, queue.popleft())
                return True
        return False

    def _give_up_before(self, moment: int) -> None:
        for stream, queue in self.journal.pending.items():
            while queue and queue[0][0] < moment:
                self._missed(stream, queue.popleft())


class Judgement:
    """Whether gaps cover what is missing."""

    def __init__(self, cover: Cover, figures: Figures, under_way: dict):
        self.uncovered: list[str] = []
        self._cover, self._figures, self._under_way = cover, figures, under_way
        self._borderline: list[tuple] = []

    def missing(self, made: int, subscription: bytes) -> None:
        gaps = self._cover.find(subscription, made)
        if gaps:
            self._covered(gaps)
        elif self._cover.find(subscription, made, early=MOST_UNDER_WAY):
            self._borderline.append((made, subscription))
        else:
            self._uncovered(made, subscription)

    def finish(self) -> None:
        """To be called when it is known how long everything was under way."""
        for made, stream in self._borderline:
            gaps = [
                gap
                for gap in self._cover.find(stream, made, early=MOST_UNDER_WAY)
                if made >= gap.started - self._under_way_before(gap.started)
            ]
            if gaps:
                self._covered(gaps)
            else:
                self._uncovered(made, stream)

    def _covered(self, gaps: list) -> None:
        if any(not gap.is_end for gap in gaps):
            self._figures.missing_covered += 1
        else:
            self._figures.missing_after_end += 1

    def _uncovered(self, made: int, stream: bytes) -> None:
        self._figures.missing_uncovered += 1
        if len(self.uncovered) < EXAMPLES:
            self.uncovered.append(f"{stream.decode()} made at {made}")

    def _under_way_before(self, moment: int) -> int:
        last = moment // STEP
        return max([self._under_way.get(step, 0) for step in range(last - 20, last + 1)] + [LEAST_UNDER_WAY])


class Comparison:
    """One reading of both. `watched` ticks are looked for, to say what became of them."""

    def __init__(self, journal_path, rows, cover: Cover, watched=frozenset()):
        self.figures = Figures()
        self.surprises: list[tuple[int, bytes, bytes]] = []
        """Ticks that nothing in the journal explained: offset, stream, payload."""
        self.found: dict[tuple[bytes, bytes], set] = defaultdict(set)
        self._watched = watched
        with open(journal_path, "rb", buffering=1 << 20) as file:
            matching = Matching(file, self.figures, self._miss)
            self._judgement = Judgement(cover, self.figures, matching.under_way)
            self._read(matching, rows, cover)
            matching.finish()
        self._judgement.finish()
        self.uncovered, self.last_made = self._judgement.uncovered, matching.journal.last

    def _read(self, matching: Matching, rows, cover: Cover) -> None:
        figures, watched = self.figures, self._watched
        for offset, received, stream, payload in rows:
            if not matching.match(offset, received, stream, payload):
                if len(self.surprises) < MOST_SURPRISES:
                    self.surprises.append((offset, stream, payload))
                else:
                    figures.unclassified += 1
                continue
            if cover.is_strictly_within(stream, received):
                figures.in_log_within_gaps += 1
            if watched and (stream, payload) in watched:
                self.found[stream, payload].add("matched")

    def _miss(self, stream: bytes, item: tuple) -> None:
        made, payload, _, subscription = item
        if self._watched and (stream, payload) in self._watched:
            self.found[stream, payload].add("missing")
        self._judgement.missing(made, subscription)


def read_gaps(log: sqlite3.Connection) -> list:
    """Of a connection that gives texts as bytes."""
    shared: dict[bytes, frozenset] = {}
    gaps = []
    for started, ended, cause, names in log.execute("select started_at, ended_at, cause, streams from gaps"):
        if names not in shared:
            shared[names] = frozenset(name.encode() for name in json.loads(names))
        gaps.append(Gap(started, NEVER if ended is None else ended, cause.decode(), shared[names]))
    return gaps


def note_gaps(figures: Figures, gaps: list, last_made: int) -> None:
    figures.gaps = dict(Counter(gap.cause for gap in gaps))
    lengths = [(gap.ended - gap.started) / SECOND for gap in gaps if not gap.is_open]
    figures.gap_seconds, figures.longest_gap_seconds = sum(lengths, 0.0), max(lengths, default=0.0)
    figures.open_gaps = sum(gap.is_open for gap in gaps)
    ends = [gap.started for gap in gaps if gap.is_end]
    figures.seconds_after_end = (last_made - min(ends)) / SECOND if ends else 0.0


def compare(
    journal_path, log_path, no_loss: bool = False, most_connections: int | None = None,
    most_gap_seconds: float | None = None, ticks=None,
) -> Result:
    """`most_gap_seconds` also limits the time from the program's last data to the exchange's end. `ticks` are what to
    compare in place of those that the log still has: offset, received at, stream, payload."""
    address = f"file:{urllib.parse.quote(str(log_path))}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as log:
        log.text_factory = bytes

        def rows():
            return ticks or log.execute("select offset, received_at, stream, payload from ticks order by offset")

        gaps = read_gaps(log)
        cover = Cover(gaps)
        comparison = Comparison(journal_path, rows(), cover)
        figures = comparison.figures
        surprises = classify(comparison, journal_path, rows, cover)
        [(figures.dead_letters,)] = log.execute("select count(*) from dead_letters where consumer = 'feed'")
        [(head,)] = log.execute("select cast(value as integer) from meta where key = 'head'")
    if head < figures.in_log:
        figures.offsets_missing += 1
    note_gaps(figures, gaps, comparison.last_made)
    problems = wrong(figures) + [f"missing and not covered: {example}" for example in comparison.uncovered] + surprises
    backward = [gap for gap in gaps if gap.ended < gap.started]
    problems += [f"a gap that ends before it begins: {gap.started} to {gap.ended}" for gap in backward]
    if no_loss:
        if figures.missing_covered:
            problems.append(f"{figures.missing_covered} missing, although nothing may be")
        lost = [gap for gap in gaps if not gap.is_end]
        if lost:
            causes = counted(Counter(gap.cause for gap in lost))
            problems.append(f"{len(lost)} gaps, although there may be none: {causes}")
    if most_gap_seconds is not None:
        longest = max(figures.longest_gap_seconds, figures.seconds_after_end)
        if longest > most_gap_seconds:
            problems.append(f"a gap of {longest:.1f} s, allowed are {most_gap_seconds:g}")
    if most_connections is not None and figures.most_connections > most_connections:
        problems.append(f"{figures.most_connections} connections at once, allowed are {most_connections}")
    return Result(figures, problems)


def classify(comparison: Comparison, journal_path, rows, cover: Cover) -> list:
    """What the ticks are that the first reading could not place; usually there are none."""
    if not comparison.surprises:
        return []
    figures, problems = comparison.figures, []
    watched = frozenset((stream, payload) for _, stream, payload in comparison.surprises)
    found = Comparison(journal_path, rows(), cover, watched).found
    for offset, stream, payload in comparison.surprises:
        fates = found.get((stream, payload), set())
        if "missing" in fates:
            # It is there, only later than what was made after it.
            fates.discard("missing")
            kind, figures.out_of_order = "out of order", figures.out_of_order + 1
        elif fates:
            kind, figures.double = "double", figures.double + 1
        else:
            kind, figures.never_sent = "never sent", figures.never_sent + 1
        if len(problems) < EXAMPLES:
            problems.append(f"{kind}: offset {offset}, {stream.decode()} {payload[:200].decode(errors='replace')}")
    return problems


def wrong(figures: Figures) -> list:
    names = (
        "missing_uncovered", "double", "out_of_order", "never_sent", "unclassified", "offsets_missing", "dead_letters",
    )
    problems = [f"{name.replace('_', ' ')}: {getattr(figures, name)}" for name in names if getattr(figures, name)]
    if not figures.in_log:
        problems.append("the log is empty")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("journal")
    parser.add_argument("log")
    parser.add_argument("--no-loss", action="store_true", help="nothing may be missing, no gap may be there")
    parser.add_argument("--most-connections", type=int, help="more open at once are wrong")
    parser.add_argument("--most-gap-seconds", type=float, help="a longer gap is wrong, also the one at the end")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = compare(
        options.journal, options.log, options.no_loss, options.most_connections, options.most_gap_seconds
    )
    print(json.dumps({**vars(result.figures), "problems": result.problems}) if options.json else result)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
