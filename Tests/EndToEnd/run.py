#!/usr/bin/env python3
"""Runs the end-to-end tests, several at a time, and ends what they leave behind, however they end.

Arguments are pytest's, and come after those given here: `run.py -n 0 -k disk`.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
AT_A_TIME = 8
"""More than there are cores: a test waits most of its time."""
PATIENCE = 30
"""Seconds for pytest to end its tests after a signal."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWNS = 0x20000
MS_REC, MS_SLAVE = 0x4000, 0x80000
_libc = ctypes.CDLL(None, use_errno=True)


def ask_the_kernel(option: int, value: int) -> None:
    """Reference: prctl(2)."""
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def mount_apart() -> None:
    """From now on what is mounted is seen by this process and those below it alone, and ends with them.

    Without the right to do so nobody below can mount anything. Reference: mount_namespaces(7).
    """
    if _libc.unshare(CLONE_NEWNS) == 0 and _libc.mount(None, b"/", None, MS_REC | MS_SLAVE, None) != 0:
        raise OSError(ctypes.get_errno(), "mount /")


def before_pytest() -> None:
    # A shell's background jobs ignore interrupts, and hand that down.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ask_the_kernel(PR_SET_PDEATHSIG, signal.SIGINT)


def descendants() -> dict[int, str]:
    """All processes below this one that have not ended, with their names."""
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It may end at any moment.
            # The name is in brackets, and may have any character.
            before, _, after = stat.read_text(errors="replace").rpartition(")")
            state, parent = after.split()[:2]
            if state not in "ZX":
                pid = int(stat.parent.name)
                parents[pid], names[pid] = int(parent), before.partition("(")[2]
    below, found = {os.getpid()}, {}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
        found |= {pid: names[pid] for pid in more}
    return found


def end_what_is_left() -> dict[int, str]:
    """Kills every process below this one, and gives them."""
    ended: dict[int, str] = {}
    while left := descendants():
        ended |= left
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)
    return ended


def main() -> int:
    # Whose parent ends becomes a child of this process, and can be found.
    ask_the_kernel(PR_SET_CHILD_SUBREAPER, 1)
    ask_the_kernel(PR_SET_PDEATHSIG, signal.SIGTERM)
    mount_apart()
    command = [
        sys.executable, "-m", "pytest", "-n", str(AT_A_TIME), "--dist", "loadgroup", str(FOLDER), *sys.argv[1:],
    ]
    deadline = None

    def stop(number: int, _frame) -> None:
        nonlocal deadline
        # An interrupt comes from a terminal, which has sent it to pytest, too.
        if deadline is None and number != signal.SIGINT:
            tests.send_signal(signal.SIGINT)
        deadline = deadline or time.monotonic() + PATIENCE

    tests = subprocess.Popen(command, preexec_fn=before_pytest)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    code = None
    while code is None and (deadline is None or time.monotonic() < deadline):
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = tests.wait(0.5)
    left = end_what_is_left()
    if left:
        print(f"\nended {len(left)} processes that the tests had left running: {', '.join(sorted(set(left.values())))}",
              file=sys.stderr)
    if code is None or code < 0:
        return 1
    # Stopped before its end counts as failed, whatever pytest says.
    return code or (1 if deadline else 0)


if __name__ == "__main__":
    sys.exit(main())
