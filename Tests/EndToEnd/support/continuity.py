#!/usr/bin/env python3
"""Compares a log with the journal of a simulated exchange: everything that was made is in the log once, in order
and byte for byte, or a gap covers it; nothing else is there.

    continuity.py JOURNAL LOG [--no-loss] [--most-connections N] [--most-gap-seconds S] [--most-tightness F] [--json]

Reads both from the beginning to the end side by side, in memory that depends on how much is missing and not on how
much there is. Exits 1 if anything is wrong.

A gap begins when the last message before it was received; what was lost had been made up to the time earlier that
messages were under way. So a gap also covers what was made that long before its start: the longest time under way
of those received in the two seconds before it, at least 20 ms and at most two seconds. A message is under way from
when the exchange handed it to a socket. The time that it waited in the exchange's own queue does not count, nor what
a process that did not run took to read: what a connection owed when it ended, and what came while the process was
frozen, is in a gap that began when that was made, or in none.

A tick that the exchange sent late, or that lay unread for more than two seconds, may come after ticks of its stream
that were made after it: order is promised for each connection alone.

Tight is a gap that is not longer than what is missing. A stream's missing time is from when the tick before a loss
was made to when the one after it was: no stream shows more. Streams that lost nothing while a gap was open add to the
gaps' time alone. The gap tightness is the time in gaps, each stream's for itself, by the missing time of what they
cover. A moment of a stream counts once, however many gaps name it: a reader of them skips it once. What follows the
program's last end is in neither. One figure leaves out gaps of cause frozen and what only they cover: a process that
does not run cannot be tight. One is by tick: each lost tick stands for the time since the one before it alone, so that
streams which speak seldom do not flatter, and a gap around a single tick is twice as long as what is missing.
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
MOST_UNDER_WAY = 2 * SECOND
"""Later than that it was not under way: the process did not read."""
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
    out_of_order_within_gaps: int = 0
    out_of_order_read_late: int = 0
    """Of two connections that lay unread for long, one is read after the other: only within each is there an order."""
    never_sent: int = 0
    unclassified: int = 0
    offsets_missing: int = 0
    dead_letters: int = 0
    in_log_within_gaps: int = 0
    gaps: dict = field(default_factory=dict)
    delivered_late: int = 0
    """Ticks that came after later ones of their stream, because the exchange sent them late."""
    gap_seconds: float = 0
    gap_stream_seconds: float = 0
    missing_stream_seconds: float = 0
    gap_tightness: float | None = None
    gap_tightness_without_frozen: float | None = None
    gap_tightness_by_tick: float | None = None
    longest_gap_seconds: float = 0
    open_gaps: int = 0
    seconds_after_end: float = 0
    connections: int = 0
    most_connections: int = 0
    refused: int = 0
    subscribes_denied: int = 0
    babble: int = 0
    """Messages that were no tick; each may have become a dead letter."""
    faults: dict = field(default_factory=dict)
    longest_under_way_seconds: float = 0
    seconds: float = 0


@dataclass
class Result:
    figures: Figures
    problems: list

    def __str__(self) -> str:
        shown = {**vars(self.figures), "gaps": counted(self.figures.gaps), "faults": counted(self.figures.faults)}
        lines = [f"{name.replace('_', ' '):32}{text(value)}" for name, value in shown.items()]
        return "\n".join(lines + [f"WRONG: {problem}" for problem in self.problems])


def text(value) -> str:
    if value is None:
        return "none"
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


class Message:
    """A message that the exchange made."""

    __slots__ = ("made", "before", "after", "handed", "was_owed", "stream")

    def __init__(self, made: int, before: int, handed: int | None, was_owed: bool, stream: bytes):
        self.made, self.stream = made, stream
        self.before = before
        """When the one before it of its stream was made; its own time if it is the first."""
        self.after = made
        """When the next one was, if there is one."""
        self.handed = handed
        """When it was handed to a socket, the last one if to several; none if it was not."""
        self.was_owed = was_owed
        """Whether some connection was to get it later."""


class Journal:
    """Reads a journal as far as it is asked to."""

    def __init__(self, file, figures: Figures):
        self._file, self._figures = file, figures
        self.pending: defaultdict[bytes, deque] = defaultdict(deque)
        """By stream: the message, and the payload of the tick."""
        self._last: dict[bytes, Message] = {}
        self._owed: defaultdict[bytes, deque] = defaultdict(deque)
        """By connection."""
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
                message = self._message(made, parts[2], stream)
                if payload[:1] == b"[":
                    for name, element in elements(payload):
                        figures.made += 1
                        pending[name].append((message, element))
                else:
                    figures.made += 1
                    pending[stream].append((message, payload))
            else:
                self._note(parts)
            line = self._file.readline()
        if line and not line.endswith(b"\n"):
            # It is being written.
            self._file.seek(-len(line), 1)
            line = None
        self._ahead = line

    def _message(self, made: int, receivers: bytes, stream: bytes) -> Message:
        last = self._last.get(stream)
        was_owed = b"~" in receivers
        if was_owed:
            names = receivers.split(b",")
            owed = [name[1:] for name in names if name[:1] == b"~"]
            message = Message(made, made, made if len(owed) < len(names) else None, True, stream)
            for connection in owed:
                self._owed[connection].append(message)
        else:
            message = Message(made, made, None if receivers == b"-" else made, False, stream)
        if last:
            last.after, message.before = made, last.made
        self._last[stream] = message
        return message

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
        elif word == b"late":
            handed, owed = int(parts[0]), self._owed[parts[2]]
            for _ in range(int(parts[3])):
                owed.popleft().handed = handed
        elif word == b"ended":
            # What it was owed is lost with it.
            self._owed.pop(parts[2], None)
        elif word == b"denied":
            figures.subscribes_denied += 1
        elif word == b"babble":
            figures.babble += 1


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
        self._overtaken: defaultdict[bytes, deque] = defaultdict(deque)
        """Ticks that a connection was owed, while later ones of their stream came by another one."""

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
                return self._take_overtaken(received, stream, payload)
        self._arrived(queue.popleft()[0], received, is_exact)
        return True

    def _arrived(self, message: Message, received: int, is_exact: bool) -> None:
        figures = self.figures
        if message.was_owed:
            # Another line says when it was handed over.
            self.journal.read_until(received + STEP)
        if message.handed is None:
            figures.never_sent += 1
        step, took = received // STEP, received - (message.handed or received)
        if is_exact and took > self.under_way.get(step, -1):
            self.under_way[step] = took
        self._newest = max(self._newest, received)
        if figures.in_log % 50_000 == 0:
            self._give_up_before(self._newest - PATIENCE)

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
                    skipped = queue.popleft()
                    if skipped[0].was_owed:
                        self._overtaken[stream].append(skipped)
                    else:
                        self._missed(stream, skipped)
                return True
        return False

    def _take_overtaken(self, received: int, stream: bytes, payload: bytes) -> bool:
        queue = self._overtaken[stream]
        for place, (message, expected) in enumerate(queue):
            if expected == payload:
                del queue[place]
                self.figures.delivered_late += 1
                # How long the way takes is told by those that came in order.
                self._arrived(message, received, is_exact=False)
                return True
        return False

    def _give_up_before(self, moment: int) -> None:
        for queues in (self._overtaken, self.journal.pending):
            for stream, queue in queues.items():
                while queue and queue[0][0].made < moment:
                    self._missed(stream, queue.popleft())


class Spans:
    """The time in which each stream has ticks missing."""

    def __init__(self):
        self._spans: dict[bytes, list] = {}

    def add(self, stream: bytes, began: int, ended: int) -> None:
        spans = self._spans.setdefault(stream, [])
        if spans and spans[-1][0] <= began <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], ended)
        else:
            spans.append([began, ended])

    @property
    def seconds(self) -> float:
        total = 0
        for spans in self._spans.values():
            reached = 0
            for began, ended in sorted(spans):
                total += max(0, ended - max(began, reached))
                reached = max(reached, ended)
        return total / SECOND


class Judgement:
    """Whether gaps cover what is missing, and how long it is missing."""

    def __init__(self, cover: Cover, figures: Figures, under_way: dict):
        self.uncovered: list[str] = []
        self._cover, self._figures, self._under_way = cover, figures, under_way
        self._borderline: list[tuple] = []
        self.spans, self.spans_without_frozen, self.steps = Spans(), Spans(), Spans()

    def missing(self, made: int, subscription: bytes, before: int | None = None, after: int | None = None) -> None:
        """`before` and `after` are when the stream's ticks beside it were made, to tell how long it is missing."""
        tick = (made, subscription, made if before is None else before, made if after is None else after)
        gaps = self._cover.find(subscription, made)
        if gaps:
            self._covered(gaps, tick)
        elif self._cover.find(subscription, made, early=MOST_UNDER_WAY):
            self._borderline.append(tick)
        else:
            self._uncovered(made, subscription)

    def finish(self) -> None:
        """To be called when it is known how long everything was under way."""
        for tick in self._borderline:
            made, stream, _, _ = tick
            gaps = [
                gap
                for gap in self._cover.find(stream, made, early=MOST_UNDER_WAY)
                if made >= gap.started - self._under_way_before(gap.started)
            ]
            if gaps:
                self._covered(gaps, tick)
            else:
                self._uncovered(made, stream)

    def _covered(self, gaps: list, tick: tuple) -> None:
        causes = {gap.cause for gap in gaps if not gap.is_end}
        if not causes:
            self._figures.missing_after_end += 1
            return
        self._figures.missing_covered += 1
        made, stream, before, after = tick
        self.spans.add(stream, before, after)
        self.steps.add(stream, before, made)
        if causes != {"frozen"}:
            self.spans_without_frozen.add(stream, before, after)

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
        self.surprises: list[tuple[int, int, bytes, bytes]] = []
        """Ticks that nothing in the journal explained: offset, time of receipt, stream, payload."""
        self.found: dict[tuple[bytes, bytes], set] = defaultdict(set)
        self.made: dict[tuple[bytes, bytes], tuple] = {}
        """Of watched ticks that came late: when they were made, under which name they were subscribed."""
        self._watched = watched
        with open(journal_path, "rb", buffering=1 << 20) as file:
            matching = Matching(file, self.figures, self._miss)
            self.judgement = Judgement(cover, self.figures, matching.under_way)
            self._read(matching, rows, cover)
            matching.finish()
        self.judgement.finish()
        self.uncovered, self.last_made = self.judgement.uncovered, matching.journal.last

    def _read(self, matching: Matching, rows, cover: Cover) -> None:
        figures, watched = self.figures, self._watched
        for offset, received, stream, payload in rows:
            if not matching.match(offset, received, stream, payload):
                if len(self.surprises) < MOST_SURPRISES:
                    self.surprises.append((offset, received, stream, payload))
                else:
                    figures.unclassified += 1
                continue
            if cover.is_strictly_within(stream, received):
                figures.in_log_within_gaps += 1
            if watched and (stream, payload) in watched:
                self.found[stream, payload].add("matched")

    def _miss(self, stream: bytes, item: tuple) -> None:
        message, payload = item
        if self._watched and (stream, payload) in self._watched:
            self.found[stream, payload].add("missing")
            self.made[stream, payload] = (message.stream, message.made)
        self.judgement.missing(message.made, message.stream, message.before, message.after)


def read_gaps(log: sqlite3.Connection) -> list:
    """Of a connection that gives texts as bytes."""
    shared: dict[bytes, frozenset] = {}
    gaps = []
    for started, ended, cause, names in log.execute("select started_at, ended_at, cause, streams from gaps"):
        if names not in shared:
            shared[names] = frozenset(name.encode() for name in json.loads(names))
        gaps.append(Gap(started, NEVER if ended is None else ended, cause.decode(), shared[names]))
    return gaps


def note_tightness(figures: Figures, gaps: list, judgement: Judgement, last_made: int) -> None:
    def seconds(counted_gaps) -> float:
        spans = Spans()
        for gap in counted_gaps:
            if not gap.is_end:
                for stream in gap.streams:
                    spans.add(stream, gap.started, min(gap.ended, last_made))
        return spans.seconds

    figures.gap_stream_seconds = seconds(gaps)
    figures.missing_stream_seconds = judgement.spans.seconds
    if figures.missing_stream_seconds:
        figures.gap_tightness = figures.gap_stream_seconds / figures.missing_stream_seconds
    if steps := judgement.steps.seconds:
        figures.gap_tightness_by_tick = figures.gap_stream_seconds / steps
    if without := judgement.spans_without_frozen.seconds:
        figures.gap_tightness_without_frozen = seconds(gap for gap in gaps if gap.cause != "frozen") / without


def note_gaps(figures: Figures, gaps: list, last_made: int) -> None:
    figures.gaps = dict(Counter(gap.cause for gap in gaps))
    lengths = [(gap.ended - gap.started) / SECOND for gap in gaps if not gap.is_open]
    figures.gap_seconds, figures.longest_gap_seconds = sum(lengths, 0.0), max(lengths, default=0.0)
    figures.open_gaps = sum(gap.is_open for gap in gaps)
    ends = [gap.started for gap in gaps if gap.is_end]
    figures.seconds_after_end = (last_made - min(ends)) / SECOND if ends else 0.0


def compare(
    journal_path, log_path, no_loss: bool = False, most_connections: int | None = None,
    most_gap_seconds: float | None = None, ticks=None, most_tightness: float | None = None,
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
    note_tightness(figures, gaps, comparison.judgement, comparison.last_made)
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
    if most_tightness is not None and (tightness := figures.gap_tightness_without_frozen or 0) > most_tightness:
        problems.append(f"gaps are {tightness:.2f} times as long as what is missing, allowed are {most_tightness:g}")
    if most_connections is not None and figures.most_connections > most_connections:
        problems.append(f"{figures.most_connections} connections at once, allowed are {most_connections}")
    return Result(figures, problems)


def classify(comparison: Comparison, journal_path, rows, cover: Cover) -> list:
    """What the ticks are that the first reading could not place; usually there are none."""
    if not comparison.surprises:
        return []
    figures, problems = comparison.figures, []
    watched = frozenset((stream, payload) for _, _, stream, payload in comparison.surprises)
    second = Comparison(journal_path, rows(), cover, watched)
    found = second.found
    for offset, received, stream, payload in comparison.surprises:
        fates = found.get((stream, payload), set())
        if "missing" in fates:
            # It is there, only later than what was made after it.
            fates.discard("missing")
            name, made = second.made[stream, payload]
            if cover.find(name, made):
                # Two connections had it or not as it came; that is what the gap says.
                figures.out_of_order_within_gaps += 1
                continue
            figures.missing_uncovered -= 1
            example = f"{name.decode()} made at {made}"
            comparison.uncovered[:] = [other for other in comparison.uncovered if other != example]
            if received - made > MOST_UNDER_WAY:
                figures.out_of_order_read_late += 1
                continue
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
        "missing_uncovered", "double", "out_of_order", "never_sent", "unclassified", "offsets_missing",
    )
    problems = [f"{name.replace('_', ' ')}: {getattr(figures, name)}" for name in names if getattr(figures, name)]
    if figures.dead_letters > figures.babble:
        babble = f", although only {figures.babble} messages were no tick" if figures.babble else ""
        problems.append(f"dead letters: {figures.dead_letters}{babble}")
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
    parser.add_argument("--most-tightness", type=float, help="gaps that are longer by more than this factor are wrong, those of a frozen process left out")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = compare(
        options.journal, options.log, options.no_loss, options.most_connections, options.most_gap_seconds,
        most_tightness=options.most_tightness,
    )
    print(json.dumps({**vars(result.figures), "problems": result.problems}) if options.json else result)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
