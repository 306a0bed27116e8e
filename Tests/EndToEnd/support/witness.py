"""Sees every tick of a log, also those that are trimmed by the end, and what its consumers say of them."""

from .delivery import NAME
from .log import Log, Tick


class Witness:
    """To be asked to look often enough that nothing is trimmed in between."""

    def __init__(self, log: Log):
        self._log = log
        self.ticks: list[Tick] = []
        self._next: dict[str, int] = {}

    def look(self) -> int:
        """Reads what is new: offsets go on where they were. Returns the head."""
        rows = self._log.ask(
            "select offset, received_at, event_time, stream, payload from ticks where offset > ? order by offset",
            len(self.ticks),
        )
        for row in rows:
            assert row[0] == len(self.ticks) + 1, f"offset {row[0]} comes after {len(self.ticks)}"
            self.ticks.append(Tick(*row))
        return len(self.ticks)

    def after_kill(self, is_shipped) -> None:
        """What was seen is still there as it was; no consumer has gone back, or is ahead of what its sink has.

        `is_shipped(consumer, ticks)` says whether the sink has all of these."""
        kept = self._log.ask(
            "select offset, received_at, event_time, stream, payload from ticks where offset <= ?", len(self.ticks)
        )
        for row in kept:
            assert Tick(*row) == self.ticks[row[0] - 1], "a committed tick has changed"
        trimmed = int(self._log.value("select value from meta where key = 'trimmed'") or 0)
        assert {row[0] for row in kept} >= set(range(trimmed + 1, len(self.ticks) + 1)), "what is not trimmed is gone"
        seen = self.look()
        assert self._log.head == seen, "a committed tick is gone"
        for consumer, next_offset in self._log.next_offsets().items():
            before = self._next.get(consumer, 1)
            assert before <= next_offset <= seen + 1, f"{consumer} was at {before}, is at {next_offset} of {seen}"
            assert is_shipped(consumer, self.ticks[before - 1 : next_offset - 1]), f"{consumer} is ahead of its sink"
            self._next[consumer] = next_offset

    @property
    def rows(self) -> list[tuple]:
        """For the comparison with a journal."""
        return [(tick.offset, tick.received_at, tick.stream.encode(), tick.payload.encode()) for tick in self.ticks]


def covered(keys: list[str]) -> set[int]:
    """The offsets that objects of these names hold."""
    offsets: set[int] = set()
    for key in keys:
        name = NAME.fullmatch(key)
        offsets |= set(range(int(name["first"]), int(name["last"]) + 1))
    return offsets
