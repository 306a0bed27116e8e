"""A terminal with a person at it: what it shows, keys, another size."""

import fcntl
import os
import pty
import re
import select
import struct
import termios

LEFT = "\x1b[?1049l"


class Terminal:
    """The terminal that controls the process that `control` is the `prepare` of."""

    def __init__(self, width: int, height: int):
        self.master, self.slave = pty.openpty()
        self.resize(width, height)
        self._seen = b""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def control(self) -> None:
        """In the new process, whose stdout it is."""
        os.setsid()
        fcntl.ioctl(1, termios.TIOCSCTTY, 0)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    @property
    def text(self) -> str:
        """All that came until now."""
        while select.select([self.master], [], [], 0)[0]:
            try:
                self._seen += os.read(self.master, 65_536)
            except OSError:
                break
        return self._seen.decode(errors="replace")

    @property
    def picture(self) -> list[str]:
        """The lines of the last whole picture, without colours; empty if there is none yet."""
        whole = re.findall(r"\x1b\[H(?:\x1b\[2J)?((?:(?!\x1b\[H).)*?)\x1b\[J", self.text, re.DOTALL)
        lines = whole[-1].replace("\x1b[K", "").split("\r\n") if whole else []
        return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]

    def close(self) -> None:
        os.close(self.slave)
        os.close(self.master)
