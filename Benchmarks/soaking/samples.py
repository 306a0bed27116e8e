"""Memory and open files of processes over time."""

import pathlib
import statistics

SAMPLE_SECONDS = 5


def grown(what: str, early: list, late: list, slack: float) -> list[str]:
    before, after = statistics.median(early), statistics.median(late)
    return [f"{what} grew from {before:,.0f} to {after:,.0f}"] if after > before * 1.2 + slack else []


def take(pid: int) -> tuple[float, int] | None:
    """MiB of memory and number of open files; `None` if the process is gone."""
    folder = pathlib.Path(f"/proc/{pid}")
    try:
        status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        return int(status["RssAnon"].split()[0]) / 1024, len(list((folder / "fd").iterdir()))
    except (OSError, KeyError):
        return None


class Samples:
    """Of one process."""

    def __init__(self, pid: int):
        self._pid = pid
        self.memory, self.files = [], []

    def take(self) -> None:
        sample = take(self._pid)
        if sample:
            self.memory.append(sample[0])
            self.files.append(sample[1])

    def __str__(self):
        return "; ".join(
            f"{what} first {values[0]:,.0f}, last {values[-1]:,.0f}, peak {max(values):,.0f}{unit}"
            for what, values, unit in (("memory", self.memory, " MiB"), ("open files", self.files, ""))
        )

    def problems(self) -> list[str]:
        """What has grown from the second quarter of the time to the last one."""
        quarter = len(self.memory) // 4
        if quarter < 3:
            return []
        return [
            problem for what, values, slack in (("memory", self.memory, 16), ("open files", self.files, 8))
            for problem in grown(what, values[quarter:2 * quarter], values[-quarter:], slack)
        ]


class Lives:
    """Of a program that is started again and again, by the age of its processes."""

    AGES = (1, 2, 5, 10, 20, 40, 80, 160)
    SAMPLE_SECONDS = 2
    """A life may be short."""
    AT_WORK = 5
    """The age by which a process has opened what it needs, on a busy machine, too."""
    CONNECTIONS = 24
    """To sinks; how many there are by then is chance."""

    def __init__(self):
        self.by_age: dict[int, list[tuple[float, int]]] = {age: [] for age in self.AGES}
        self._within: list[str] = []
        self._life: Samples | None = None
        self._left: list[int] = []

    def begin(self, pid: int) -> None:
        self.end()
        self._pid, self._life, self._left = pid, Samples(pid), list(self.AGES)
        self._next = self.SAMPLE_SECONDS

    def look(self, age: float) -> None:
        """To be called several times a second with the seconds since the process was started."""
        while self._left and age >= self._left[0]:
            sample = take(self._pid)
            if sample:
                self.by_age[self._left[0]].append(sample)
            self._left.pop(0)
        if age >= self._next:
            self._life.take()
            self._next += self.SAMPLE_SECONDS

    def end(self) -> None:
        if self._life:
            self._within += self._life.problems()
            self._life = None

    def problems(self) -> list[str]:
        found = [f"within one process, {problem}" for problem in self._within]
        for age, samples in self.by_age.items():
            third = len(samples) // 3
            if third < 5:
                continue
            for place, what, slack in ((0, "memory", 16), (1, "open files", self.CONNECTIONS)):
                if place == 1 and age < self.AT_WORK:
                    continue
                values = [sample[place] for sample in samples]
                found += [f"at an age of {age} s, from the first processes to the last, {problem}"
                          for problem in grown(what, values[:third], values[-third:], slack)]
        return found

    def lines(self) -> list[str]:
        lines = ["  age in s  processes   MiB: first third, last third, peak   open files: the same"]
        for age, samples in self.by_age.items():
            if samples:
                third = max(1, len(samples) // 3)
                cells = []
                for place in (0, 1):
                    values = [sample[place] for sample in samples]
                    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
                    cells += [f"{first:,.0f}", f"{last:,.0f}", f"{max(values):,.0f}"]
                lines.append(f"  {age:>8}  {len(samples):>9}   {cells[0]:>16} {cells[1]:>11} {cells[2]:>5}   "
                             f"{cells[3]:>12} {cells[4]:>3} {cells[5]:>3}")
        return lines
