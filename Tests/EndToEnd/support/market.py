"""`tickwal simulate` with a journal, and the comparison of a log with it."""

import json
from pathlib import Path

from . import continuity
from .program import PATIENCE, Tickwal
from .waiting import wait_until


class Market:
    def __init__(self, program: Tickwal, *arguments: str):
        self.journal: Path = program.folder / "journal"
        self._report = program.folder / "report.json"
        self._process = program.start(
            "simulate", "--listen", "127.0.0.1:0", "--journal", self.journal, "--report", self._report, *arguments
        )
        self._process.wait_until(lambda: b"\n" in self._process.out, "simulate says its address", PATIENCE)
        self.url = self._process.out.split(b"\n")[0].decode()
        self._port = int(self.url.rsplit(":", 1)[1])

    @property
    def connections(self) -> int:
        """Established ones, as the system counts them."""
        established, count = "01", 0
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state, *_ = line.split()
            count += state == established and int(remote.split(":")[1], 16) == self._port
        return count

    def count(self, word: str) -> int:
        """Lines of this kind in the journal; it is written once a second."""
        return self.journal.read_bytes().count(f" {word} ".encode())

    def wait_until_opened(self, connections: int, seconds: float = PATIENCE) -> None:
        wait_until(lambda: self.count("open") >= connections, f"{connections} connections", seconds)

    def stop(self) -> dict:
        """What the exchange reports at its end."""
        assert self._process.terminate().code == 0
        return json.loads(self._report.read_text())

    def compare(self, log, **options) -> continuity.Figures:
        """Fails unless everything is in the log that should be; for a market that has been stopped."""
        result = continuity.compare(self.journal, log.path, **options)
        assert result.problems == [], str(result)
        return result.figures
