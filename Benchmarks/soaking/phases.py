"""What goes wrong, one after the other: each of these is a spell of one kind of trouble."""

import time

from .descriptors import few_descriptors
from .quota import Quota, quota
from .removed import moved_log, removed_ballast, removed_lock, removed_log, removed_socket, removed_wal
from .stalled import stalled_messages


def name(phase) -> str:
    return getattr(phase, "__name__", type(phase).__name__).lower()


def phases(soak) -> dict:
    """Each with its weight; those alone that were asked for."""
    found = {
        kills: 8, stalled_messages: 2, few_descriptors: 2, soak.jumps: 3,
        removed_lock: 1, removed_socket: 1, removed_wal: 1, removed_log: 1, moved_log: 1,
    }
    if Quota.is_there:
        found[quota] = 2
    else:
        soak.left_out.add("strace is not there: no quota")
    if soak.volume.is_small:
        found |= {full_disk: 2, removed_ballast: 1}
    if soak.stack:
        found[outage] = 2
    found |= {stops: 1, hangups: 1, calm: 1}
    wanted = soak.options.phases and soak.options.phases.split(",")
    return {phase: weight for phase, weight in found.items() if not wanted or name(phase) in wanted}


def kills(soak) -> None:
    runs, dice = soak.runs, soak.dice
    until = time.monotonic() + 30
    while time.monotonic() < until and not soak.is_over:
        is_early = dice.random() < 0.15
        soak.wait(dice.uniform(0.01, 0.3) if is_early else dice.uniform(0.4, 2.5))
        runs.kill()
        if runs.points and dice.random() < 0.5:
            runs.kill_at(dice.choice(runs.points), lambda: soak.wait(dice.uniform(1, 3)))


def calm(soak) -> None:
    soak.wait(90)


def stops(soak) -> None:
    for _ in range(4):
        soak.wait(soak.dice.uniform(1, 8))
        soak.runs.terminate()


def hangups(soak) -> None:
    for _ in range(5):
        soak.wait(soak.dice.uniform(1, 4))
        soak.runs.hang_up()


def full_disk(soak) -> None:
    share_left, level = soak.dice.choice([(0.1, "low"), (0.02, "too low"), (0, "full")])
    soak.wait(3)
    try:
        soak.volume.fill(share_left)
        soak.counts[f"volume {level}"] += 1
        soak.trouble(12)
    finally:
        soak.volume.free()
    soak.wait(8)


def outage(soak) -> None:
    soak.wait(3)
    try:
        soak.stack.pause()
        soak.counts["outages of the sinks"] += 1
        soak.trouble(15)
    finally:
        soak.stack.resume()
    soak.wait(8)
