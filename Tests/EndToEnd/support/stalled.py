"""Readers that take nothing: a small pipe that is full, and a terminal that was told to stop."""

import fcntl
import os
import pty
import select

F_SETPIPE_SZ = 1031
"""Reference: fcntl(2)."""


class FullPipe:
    """A pipe of 4,096 bytes without room, until it is read."""

    def __init__(self):
        self.reading, self.writing = os.pipe()
        fcntl.fcntl(self.writing, F_SETPIPE_SZ, 4096)
        os.set_blocking(self.writing, False)
        self.filling = 0
        try:
            while True:
                self.filling += os.write(self.writing, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(self.writing, True)

    def read(self, seconds: float) -> bytes:
        """What is there, without the filling; empty at the end."""
        while select.select([self.reading], [], [], seconds)[0]:
            data = os.read(self.reading, 65_536)
            skipped = min(self.filling, len(data))
            self.filling -= skipped
            if len(data) > skipped or not data:
                return data[skipped:]
        raise AssertionError("nothing came out of the pipe")

    def read_all(self, seconds: float) -> bytes:
        """Until all writers have closed it."""
        self.close_writing()
        everything = b""
        while data := self.read(seconds):
            everything += data
        return everything

    def close_writing(self) -> None:
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1

    def close(self) -> None:
        self.close_writing()
        os.close(self.reading)


class StoppedTerminal:
    """A terminal at which somebody has pressed Ctrl-S."""

    def __init__(self):
        self.master, self.writing = pty.openpty()
        os.write(self.master, b"\x13")

    def close(self) -> None:
        os.close(self.writing)
        os.close(self.master)
