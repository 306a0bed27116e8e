"""A wall clock that jumps by eight hours, for the program alone, and what its times mean then."""

import time

from support import continuity
from support.clock import Clock
from support.faults import build_library

SECOND = 1_000_000
JUMP_SECONDS = 8 * 3_600
"""Longer than a soak, so that each time tells how far it has jumped."""
MARGIN = 1_800 * SECOND
"""Of times before the soak's beginning."""
LEARNT = "this machine's clock differs from the server's"
RETENTION_SECONDS = (3, 12)


class TrueTimes:
    """What a clock would have shown that never jumps, for times of one soak in microseconds."""

    def __init__(self, began: int | None = None):
        """`None`: it does not jump."""
        self._began = None if began is None else began - MARGIN
        self.set_back: list[tuple[int, int]] = []
        """True times of receipt, one after the other, between which the clock was set back."""
        self._last: tuple[int, int] | None = None

    def of(self, moment: int) -> int:
        if self._began is None:
            return moment
        jump = JUMP_SECONDS * SECOND
        return moment - (moment - self._began) // jump * jump

    def follow(self, received: int) -> int:
        """The same for the times of receipt, in the order of offsets."""
        true = self.of(received)
        if self._last and received - true < self._last[0] - self._last[1]:
            self.set_back.append((self._last[1], true))
        self._last = (received, true)
        return true

    def of_gap(self, gap: continuity.Gap) -> continuity.Gap:
        """No gap ends before it began: one during which the clock was set back says that it has no length, and ends
        with the first tick."""
        started = self.of(gap.started)
        ended = gap.ended if gap.is_open else self.of(gap.ended)
        if not gap.is_open and gap.ended - gap.started <= 1:
            ended = next((after for before, after in self.set_back if before - SECOND <= started <= after), ended)
        return continuity.Gap(started, ended, gap.cause, gap.streams)


class Trimming:
    """Looks whether what is trimmed is old enough by a clock that nobody sets."""

    def __init__(self, soak):
        self._soak, self._marks, self._process = soak, [], None

    def look(self) -> None:
        soak, now = self._soak, time.monotonic()
        if self._process is not soak.runs.process:
            # Another retention.
            self._process, self._marks = soak.runs.process, []
        head, trimmed = soak.head_and_trimmed
        for moment, mark in self._marks:
            if trimmed > mark:
                age = time.monotonic() - moment
                soak.require(age >= soak.runs.retention, f"offset {trimmed} was trimmed at an age of {age:.1f} s at most, "
                             f"before {soak.runs.retention} s were over, after the clock had jumped")
                break
        # The newest first: that is the youngest that can be told.
        self._marks.insert(0, (now, head))

    def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._soak.is_over:
            self._soak.wait(1)
            self.look()


class Jumps:
    def __init__(self, folder):
        self.clock = Clock(build_library("clock", folder), folder / "clock")

    def __call__(self, soak) -> None:
        runs, dice = soak.runs, soak.dice
        runs.changed, runs.retentions = self.clock.environment, RETENTION_SECONDS
        try:
            runs.terminate()
            trimming = Trimming(soak)
            trimming.wait(3)
            self._jump(soak, trimming, dice.choice((-1, 1)))
            self._return(soak)
            trimming.wait(5)
            head = soak.head
            # Where the sinks are slow, a backlog may come first.
            soak.until(lambda: soak.head_and_trimmed[1] >= head, "what came before the clock's return is trimmed",
                       progress=lambda: soak.shipped)
        finally:
            self.clock.set(0)
            runs.changed, runs.retentions = {}, None

    def _jump(self, soak, trimming: Trimming, sign: int) -> None:
        place = soak.runs.output.size
        self.clock.set(sign * JUMP_SECONDS)
        soak.counts["clock 8 h " + ("ahead" if sign > 0 else "behind")] += 1
        if soak.stack:
            soak.until(lambda: LEARNT in soak.runs.output.since(place), "the clock of AWS is learnt")
            soak.counts["clock of AWS learnt"] += 1
        trimming.wait(soak.dice.uniform(2, 14))
        soak.trouble(8)
        trimming.look()

    def _return(self, soak) -> None:
        """While it runs, or between two runs."""
        if soak.dice.random() < 0.5:
            self.clock.set(0)
            return
        end = soak.dice.choice((soak.runs.end_by_kill, soak.runs.end_by_signal))
        end()
        self.clock.set(0)
        soak.runs.start()
