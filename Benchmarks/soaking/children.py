"""The end of a soak, whatever ends it: nothing that it started may go on."""

import contextlib
import ctypes
import os
import pathlib
import signal

SET_CHILD_SUBREAPER = 36
"""Reference: prctl(2)."""


class Children:
    """All processes started meanwhile, and theirs: killed when the block ends, also by an exception. SIGTERM and SIGHUP
    end the block as Ctrl-C does; those that come while it ends are heard no more."""

    def __enter__(self):
        # Whose parent ends becomes a child of this process, and not of the machine's first one.
        if ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot take over the children of children")
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        return self

    @staticmethod
    def _stop(number, frame):
        raise KeyboardInterrupt(signal.Signals(number).name)

    def __exit__(self, *exception):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while children := _children(os.getpid()):
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child, 0)


def _children(parent: int) -> list[int]:
    """Those that have ended and were not waited for, too. Reference: proc(5), stat."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        # The name before may have anything in it.
        with contextlib.suppress(OSError):
            if int(stat.read_text(errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found
