"""The process that checks while the program runs."""

import os
import pathlib
import signal
import time
import traceback

from .checker import Checker
from .clock import TrueTimes


def follow(
    connection, journal: pathlib.Path, log: pathlib.Path, make_store, most_gap_seconds: float, began: int
) -> None:
    """The process that checks: tells how far it is now and then, and when it is asked to finish, what it found.
    `began`: when the soak did, in microseconds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    try:
        checker = Checker(journal, log, make_store(), TrueTimes(began))
        said, order = time.monotonic(), None
        while order != "finish":
            order = connection.recv() if connection.poll(0 if checker.step() else 0.3) else None
            if order == "hold":
                connection.send("held")
                order = connection.recv()
            if time.monotonic() > said + 5:
                said = time.monotonic()
                connection.send(summary(checker))
        problems = checker.finish(most_gap_seconds)
        connection.send({**summary(checker), "problems": problems, "figures": vars(checker.figures)})
    except Exception:
        connection.send({"problems": [f"the check has failed: {traceback.format_exc()}"]})


def summary(checker: Checker) -> dict:
    return {
        "ticks": checker.figures.in_log, "objects": checker.objects, "items": checker.items,
        "from_objects": checker.from_objects, "wrong": checker.wrong_count, "trimmed": checker.trimmed,
        "stretched": checker.stretched,
    }
