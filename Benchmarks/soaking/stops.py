"""A program that does not run for a while, as in a container or a virtual machine that is suspended."""

import random
import signal

SHORTEST_STOP, LONGEST_STOP = 2, 40


class Stops:
    """Suspends a program about so often, for two to 40 seconds; never with 0. Seeded."""

    def __init__(self, send_signal, every: float, seed: int):
        self._send, self._every, self._random = send_signal, every, random.Random(f"stops {seed}")
        self._next = self._stopped_at = None
        self.count, self.seconds = 0, 0.0

    def begin(self, now: float) -> None:
        if self._every:
            self._next = now + self._every * self._random.uniform(0.5, 1.5)

    def step(self, now: float) -> None:
        """To be called several times a second."""
        if self._next is None or now < self._next:
            return
        if self._stopped_at is not None:
            self.finish(now)
            return self.begin(now)
        self._send(signal.SIGSTOP)
        self.count, self._stopped_at = self.count + 1, now
        self._next = now + self._random.uniform(SHORTEST_STOP, LONGEST_STOP)

    def finish(self, now: float) -> None:
        """Lets it run on if it is suspended."""
        if self._stopped_at is not None:
            self._send(signal.SIGCONT)
            self.seconds += now - self._stopped_at
            self._stopped_at = None

    def __str__(self):
        return f"suspended {self.count} times, for {self.seconds:,.0f} s in all"
