"""Files taken away beneath the program: those beside the log it makes anew; without the log, or its -wal, it ends with
74 and leaves a whole log under its name."""

import os
import time

LOG_LOST = 74
LOST_SECONDS = 40
"""SHUTDOWN_TIMEOUT, 5 s, and a margin for writing the log anew on a busy machine."""
SUFFIXES = ("", "-wal", "-shm")


def _path(soak, suffix: str):
    return soak.log.with_name(soak.log.name + suffix)


def removed_lock(soak) -> None:
    _removed_beside(soak, ".lock")


def removed_ballast(soak) -> None:
    _removed_beside(soak, ".ballast")


def removed_socket(soak) -> None:
    soak.wait(3)
    _path(soak, ".sock").unlink(missing_ok=True)
    soak.counts["removed: .sock"] += 1
    soak.trouble(8)
    soak.wait(2)


def _removed_beside(soak, suffix: str) -> None:
    """It is made anew, while everything goes on."""
    path = _path(soak, suffix)
    soak.wait(2)
    soak.until(path.exists, f"there is {path.name}")
    path.unlink()
    soak.until(path.exists, f"{path.name} is made anew")
    soak.counts[f"removed: {suffix}"] += 1
    soak.trouble(8)
    soak.wait(2)


def removed_wal(soak) -> None:
    _take_away(soak, "-wal", lambda: _path(soak, "-wal").unlink())


def removed_log(soak) -> None:
    def remove():
        for suffix in SUFFIXES:
            _path(soak, suffix).unlink(missing_ok=True)

    _take_away(soak, "the log", remove)


def moved_log(soak) -> None:
    folder = soak.log.with_name("elsewhere")

    def move():
        folder.mkdir()
        for suffix in SUFFIXES:
            path = _path(soak, suffix)
            if path.exists():
                path.rename(folder / path.name)

    _take_away(soak, "the log, moved", move)
    # Not before the program has ended: it might have needed them.
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _take_away(soak, what: str, take) -> None:
    soak.wait(2)
    head = soak.until(lambda: soak.head, "the log has ticks")
    soak.until(_path(soak, "-wal").exists, "the log is open")
    # A reader by name would make a -wal of its own.
    with soak.checker_held():
        before = soak.runs.output.size
        take()
        began = time.monotonic()
        soak.runs.ended(LOG_LOST, within=LOST_SECONDS, after=f"{what} was taken away")
        seconds = "seconds from a loss of the log to the end"
        soak.largest[seconds] = max(soak.largest[seconds], time.monotonic() - began)
        soak.counts[f"removed: {what}"] += 1
        soak.require("nothing is lost" in soak.runs.output.settled_since(before), f"{what} was taken away: no word of it")
        left = [entry.name for entry in os.scandir(soak.log.parent) if ".saved-" in entry.name]
        soak.require(not left, f"{what} was taken away: beside the log lies {left}")
        soak.require(soak.head >= head, f"{what} was taken away: the log has {soak.head} of {head} ticks")
        _, wrong = soak.runs.command("verify")
        soak.require(not wrong, f"{what} was taken away: {wrong}")
        soak.runs.start()
        soak.until(_path(soak, "-wal").exists, "the log is open again")
    soak.wait(4)
