"""The whole program: killed, stopped, starved of disk, of descriptors and of its sinks, its files taken away, its clock
moved, with every tick compared while it runs."""

import contextlib
import json
import multiprocessing
import os
import pathlib
import random
import subprocess
import time
from collections import Counter

from support.log import Log

from .clock import Jumps
from .following import follow
from .parts import Exchange, environment, limits_broken, names
from .phases import name, phases
from .result import show_all
from .runs import STOP_SECONDS, Broken, Runs
from .stores import Cloud, Folder
from .volume import Volume

MOST_GAP_SECONDS = 120
REPORT_SECONDS = 60
DRAIN_SECONDS = 900
CHECK_SECONDS = 3_600
HOLD_SECONDS = 300
LONGEST_AGE = "0.008"
"""FEED_MAX_AGE in hours: half a minute."""


class WholeSoak:
    def __init__(self, options, folder: pathlib.Path):
        self.options, self.folder = options, folder
        self.dice = random.Random(options.seed)
        self.volume = Volume(folder, options.volume << 20)
        self.log = self.volume.folder / "ticks.db"
        self.streams = streams = names(options.streams)
        self.stack, arguments = None, ["--local", str(folder / "local")]
        variables, make_store = {"STREAMS": ",".join(streams)}, lambda: Folder(folder / "local")
        if options.kind == "aws":
            arguments = []
            variables, make_store = self._start_stack(streams)
        self.counts, self.largest, self.left_out = Counter(), Counter(), set()
        self.exchange = Exchange(options, folder)
        variables = environment(
            **variables, WAL_PATH=str(self.log), BINANCE_WS_URL=self.exchange.url, FEED_MAX_AGE=LONGEST_AGE,
            FEED_STALE_SECONDS=str(options.stale), MAX_BATCH_TIMEOUT="2", HTTP_LISTEN="off",
            # Without a volume of its own, how full the machine's is must not matter.
            **({} if self.volume.is_small else {"DISK_LOW": "0", "DISK_STOP": "0", "BALLAST_SIZE": "0"}))
        self._messages, theirs = multiprocessing.Pipe()
        self._checker = multiprocessing.Process(
            target=follow, daemon=True, args=(
                theirs, self.exchange.journal, self.log, make_store, MOST_GAP_SECONDS, int(time.time() * 1e6)))
        self._checker.start()
        theirs.close()
        self.seen: dict = {}
        self.runs = Runs(options, folder, variables, arguments, self.dice, self.counts, self.largest)
        self.least_files, self.jumps = self.runs.least_files(), Jumps(folder)
        self.runs.start()

    def _start_stack(self, streams: list[str]):
        from support.aws import MiniStack, Place

        self.stack = MiniStack(self.folder, hears_the_terminal=False)
        place = Place(self.stack, "soak", streams)
        url, keys, bucket, table = self.stack.url, self.stack.admin, place.bucket, place.table
        return place.environment(self.stack.url), lambda: Cloud(url, keys, bucket, table)

    def describe(self) -> str:
        build = "debug build" if self.runs.points else "release build"
        return (f"{self.options.streams:,} streams, {build}, log on {self.volume.note}, "
                f"{self.least_files} open files at least")

    # What trouble is made of

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._deadline

    @property
    def head(self) -> int:
        return self.head_and_trimmed[0]

    @property
    def head_and_trimmed(self) -> tuple[int, int]:
        values = dict(Log(self.log).ask("select key, value from meta where key in ('head', 'trimmed')"))
        return int(values.get("head", 0)), int(values.get("trimmed", 0))

    @property
    def shipped(self) -> list:
        """How far each consumer is."""
        return Log(self.log).ask("select name, next_offset from consumers order by name")

    def require(self, holds: bool, what_else: str) -> None:
        if not holds:
            raise Broken(f"{what_else}: {self.runs.output.tail()}")

    def wait(self, seconds: float) -> None:
        """Time that passes, but not beyond the end."""
        until = min(time.monotonic() + seconds, self._deadline)
        while (now := time.monotonic()) < until:
            time.sleep(min(0.1, until - now))
            if not self._look():
                return

    def until(self, question, what: str, seconds: float = STOP_SECONDS, progress=None):
        """Time that passes until the answer is yes, which it must be in the end: so long after the last progress."""
        deadline, reached = time.monotonic() + seconds, None
        while not (answer := question()):
            if progress and self.is_over:
                return answer
            if progress and (now := progress()) != reached:
                deadline, reached = time.monotonic() + seconds, now
            self.require(time.monotonic() < deadline, f"{seconds:g} s were not enough until {what}")
            time.sleep(0.1)
            self._look()
        return answer

    def trouble(self, seconds: float) -> None:
        """Time that passes while something is wrong, in which the program may be killed or stopped."""
        self.wait(self.dice.uniform(2, seconds))
        chance = self.dice.random()
        if chance < 0.6:
            self.runs.kill() if chance < 0.4 else self.runs.terminate()
            self.wait(self.dice.uniform(1, 4))

    @contextlib.contextmanager
    def checker_held(self):
        """The checker does not look at the log meanwhile."""
        self._is_held = False
        self._messages.send("hold")
        self.until(lambda: self._is_held, "the check holds", HOLD_SECONDS)
        yield
        self._messages.send("go on")

    def _look(self) -> bool:
        is_running = self.runs.look()
        if (code := self.exchange.process.poll()) is not None:
            raise Broken(f"simulate ended with {code}")
        self._listen()
        return is_running

    def _listen(self) -> None:
        while self._messages.poll():
            said = self._messages.recv()
            if said == "held":
                self._is_held = True
                continue
            self.seen = said
            if "problems" in said:
                raise Broken("; ".join(said["problems"]))
        for name, path in (("log", self.log), ("-wal", f"{self.log}-wal")):
            with contextlib.suppress(FileNotFoundError):
                size = f"{name}, MiB"
                self.largest[size] = max(self.largest[size], os.path.getsize(path) / (1 << 20))
        if time.monotonic() >= self._next_report:
            self._next_report += REPORT_SECONDS
            print(f"{time.monotonic() - self._began:6,.0f} s  {self._progress()}", flush=True)

    def _progress(self) -> str:
        seen = self.seen
        checked = (f"{seen['ticks']:,} ticks, {seen['objects']:,} objects and {seen['items']:,} items compared, "
                   f"{seen['wrong']} wrong" if seen else "nothing compared yet")
        kills = sum(count for name, count in self.counts.items() if name.startswith("kills"))
        return f"{checked}; {kills} kills; log {self.largest['log, MiB']:,.0f} MiB at most"

    def watch(self, seconds: float) -> list[str]:
        self._began = time.monotonic()
        self._deadline, self._next_report = self._began + seconds, self._began + REPORT_SECONDS
        weights = phases(self)
        order = list(weights)
        self.dice.shuffle(order)
        try:
            while not self.is_over:
                (order.pop(0) if order else self.dice.choices(list(weights), weights.values())[0])(self)
        except Broken as error:
            return [str(error)]
        self.left_out |= {f"{name(phase)}: the time was too short" for phase in order}
        return []

    # The end

    def stop(self) -> list[str]:
        problems, runs = [], self.runs
        if runs.process.poll() is None:
            # Of what was missed between a kill and the end only a process that has received something can tell.
            self._wait_for_ticks()
            runs.process.terminate()
        try:
            if (code := runs.process.wait(STOP_SECONDS)) != 0:
                problems.append(f"run ended with {code} at the end: {runs.output.tail()}")
        except subprocess.TimeoutExpired:
            runs.process.kill()
            runs.process.wait()
            problems.append(f"run did not end {STOP_SECONDS} s after SIGTERM at the end: {runs.output.tail()}")
        runs.lives.end()
        problems += self.exchange.stop()
        began = time.monotonic()
        # Nothing is to be trimmed any more: the rest of the log is compared with the sinks once more.
        runs.environment["WAL_RETENTION_HOURS"] = "1"
        problems += runs.command("ship", *runs.arguments, seconds=DRAIN_SECONDS)[1]
        self.largest["seconds to ship the rest"] = time.monotonic() - began
        return problems

    def _wait_for_ticks(self) -> None:
        first, deadline = 0, time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and self.runs.process.poll() is None:
            # 0 is said as well while the log is just being opened.
            head = self.head
            first = first or head
            if first and head >= first + 2 * self.options.rate:
                return
            time.sleep(0.2)

    def check(self) -> list[str]:
        runs = self.runs
        problems = self._checked()
        verified, wrong = runs.command("verify")
        problems += wrong
        admin = self.stack.admin.environment if self.stack else {}
        reconciled, wrong = runs.command("reconcile", "--full", *runs.arguments, seconds=DRAIN_SECONDS, **admin)
        problems += wrong + runs.lives.problems()
        report = json.loads(self.exchange.report.read_text()) if self.exchange.report.exists() else {}
        problems += limits_broken(report, allow_slow=True) if report else ["the exchange has left no report"]
        show_all(self, report, verified.splitlines()[-2:], reconciled.splitlines())
        runs.output.close()
        if self.stack:
            self.stack.stop()
        self.volume.close()
        return problems

    def _checked(self) -> list[str]:
        began = time.monotonic()
        try:
            self._messages.send("finish")
            while time.monotonic() < began + CHECK_SECONDS:
                if self._messages.poll(5):
                    said = self._messages.recv()
                    if said == "held":
                        continue
                    self.seen = said
                    if "problems" in self.seen:
                        self.largest["seconds to compare the rest"] = time.monotonic() - began
                        return self.seen["problems"]
        except (EOFError, OSError) as error:
            return self.seen.get("problems") or [f"the check has ended: {error!r}"]
        return [f"the check did not end in {CHECK_SECONDS} s"]

