"""Few open files: as many as it starts with, and hardly more."""

from .runs import limited


def few_descriptors(soak) -> None:
    runs, dice = soak.runs, soak.dice
    soak.wait(2)
    if soak.stack:
        soak.stack.pause()
    try:
        # A backlog, where the sinks can be away.
        soak.wait(6 if soak.stack else 0)
        runs.end_by_kill()
        runs.before = limited(soak.least_files + dice.choice((0, 0, 1, 3, 10, 40)))
        runs.start()
        soak.counts["few descriptors"] += 1
        soak.wait(2)
    finally:
        if soak.stack:
            soak.stack.resume()
    # It replaces its connections, which takes the most files.
    for _ in range(3):
        runs.hang_up()
        soak.wait(dice.uniform(2, 5))
    soak.trouble(15)
    runs.before = []
    runs.terminate()
    soak.wait(3)
