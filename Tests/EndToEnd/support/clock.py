"""A time of day of the program's own, which a test sets; how fast time passes stays the machine's."""

import struct
import time
from pathlib import Path


class Clock:
    def __init__(self, library: Path, file: Path):
        self._file = file
        file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "TICKWAL_TEST_CLOCK": str(file)}
        self._offset = 0

    def set(self, seconds: int) -> None:
        """So much after the machine's, or before it."""
        self._offset = seconds
        # In place: the program looks at this file.
        with open(self._file, "r+b", buffering=0) as file:
            file.write(struct.pack("=q", seconds))

    def shows(self, microseconds: int) -> bool:
        """Whether this is what it shows now, more or less."""
        return abs(microseconds / 1e6 - time.time() - self._offset) < 600
