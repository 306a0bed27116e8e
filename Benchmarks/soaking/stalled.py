"""The program's messages, which nobody reads for a while."""

import contextlib
import fcntl
import os
import pathlib
import select
import signal
import threading
import time

from support.stalled import F_SETPIPE_SZ

DROPPED = "messages were dropped while stderr did not take them"
MOST_KEPT = 256 << 10
"""Bytes of messages that the program keeps for a reader."""


class Output:
    """A pipe of 4,096 bytes, and a thread that writes what comes out of it to a file."""

    def __init__(self, path: pathlib.Path):
        self._path, self._flows = path, threading.Event()
        self._file = open(path, "wb", buffering=0)
        self._flows.set()
        self._reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, F_SETPIPE_SZ, 4096)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            self._flows.wait()
            if not select.select([self._reading], [], [], 0.1)[0] or not self._flows.is_set():
                continue
            if not (data := os.read(self._reading, 65_536)):
                return
            self._file.write(data)

    @contextlib.contextmanager
    def stalled(self):
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    @property
    def size(self) -> int:
        return self._path.stat().st_size

    def since(self, place: int) -> str:
        with open(self._path, "rb") as file:
            file.seek(place)
            return file.read().decode(errors="replace")

    def settled_since(self, place: int) -> str:
        """With the last words, which may be on their way."""
        self._flows.set()
        time.sleep(0.5)
        return self.since(place)

    def tail(self) -> str:
        return self.settled_since(max(0, self.size - 3_000))

    def close(self) -> None:
        os.close(self.writing)
        self._thread.join()
        os.close(self._reading)
        self._file.close()


def stalled_messages(soak) -> None:
    """While nobody reads, the feed is disturbed, which is worth messages, and the program killed or stopped, or said
    so much that some of it must be dropped."""
    runs, dice = soak.runs, soak.dice
    soak.wait(3)
    end = dice.choice((runs.kill, runs.terminate, None))
    if not end:
        # So that it answers each SIGHUP at once, and asks for no secret.
        runs.changed = {"STREAMS": ",".join(soak.streams)}
        runs.terminate()
        runs.changed = {}
        soak.wait(3)
    before = runs.output.size
    with runs.output.stalled():
        soak.counts["stderr stalled"] += 1
        # It stands still for longer than FEED_STALE_SECONDS.
        with soak.exchange.suspended():
            soak.wait(dice.uniform(soak.options.stale + 1, soak.options.stale + 3))
        for _ in range(3):
            runs.hang_up()
            soak.wait(dice.uniform(0.5, 3))
        if end:
            end()
        else:
            flood(soak)
        soak.wait(dice.uniform(1, 5))
    if not end:
        soak.until(lambda: DROPPED in runs.output.since(before), "messages that were dropped are said")
        soak.counts["messages dropped and said"] += 1
    soak.wait(4)


def flood(soak) -> None:
    """Messages beyond what is kept: one for each SIGHUP that is heard alone."""
    for _ in range(MOST_KEPT // 25):
        soak.runs.process.send_signal(signal.SIGHUP)
        time.sleep(0.001)
    soak.wait(1)
