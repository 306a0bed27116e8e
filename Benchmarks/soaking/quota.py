"""A quota that is used up: writes to SQLite's WAL are refused, by strace, which is attached to the running program."""

import shutil
import subprocess

SAID = "the quota on the volume of the log is used up"
REFUSED = "pwrite64,ftruncate,fallocate"


class Quota:
    is_there = shutil.which("strace") is not None

    def __init__(self, pid: int, path: str):
        self._strace = subprocess.Popen(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-P", path, "-e", f"trace={REFUSED}", "-e",
             f"inject={REFUSED}:error=EDQUOT"], stderr=subprocess.PIPE, text=True)

    def raise_it(self) -> None:
        """Detached: the program goes on, if it is there."""
        self._strace.terminate()
        try:
            self._strace.wait(20)
        except subprocess.TimeoutExpired:
            self._strace.kill()
            self._strace.wait()

    @property
    def trouble(self) -> str | None:
        return None if self._strace.poll() is None else f"strace has ended: {self._strace.stderr.read()[-300:]}"


def quota(soak) -> None:
    runs, dice = soak.runs, soak.dice
    soak.wait(3)
    before, process = runs.output.size, runs.process
    used_up = Quota(process.pid, f"{soak.log}-wal")
    try:
        soak.until(lambda: used_up.trouble or SAID in runs.output.since(before), "the quota is said")
        if used_up.trouble:
            soak.left_out.add(used_up.trouble)
            return
        soak.counts["quota used up"] += 1
        soak.trouble(12)
    finally:
        used_up.raise_it()
    head = soak.head
    soak.until(lambda: soak.head > head, "it appends again")
    soak.wait(5)
