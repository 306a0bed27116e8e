"""The whole program: killed, stopped, starved of disk and of its sinks, with every tick compared while it runs."""

import json
import multiprocessing
import os
import pathlib
import random
import re
import signal
import subprocess
import time
from collections import Counter

from support.log import Log

from .checker import follow
from .parts import Exchange, environment, limits_broken, names
from .samples import Lives
from .stores import Cloud, Folder
from .volume import Volume

MOST_GAP_SECONDS = 120
RETENTION_SECONDS = (2, 20, 45, 90)
REPORT_SECONDS = 60
STOP_SECONDS = 90
DRAIN_SECONDS = 900
CHECK_SECONDS = 3_600
LONGEST_AGE = "0.008"
"""FEED_MAX_AGE in hours: half a minute."""


class Broken(Exception):
    """It cannot go on."""


class WholeSoak:
    def __init__(self, options, folder: pathlib.Path):
        self.options, self.folder = options, folder
        self.dice = random.Random(options.seed)
        self.volume = Volume(folder, options.volume << 20)
        self.log = self.volume.folder / "ticks.db"
        self.journal = folder / "journal"
        streams = names(options.streams)
        self.stack, self.arguments = None, ["--local", str(folder / "local")]
        self.environment = {"STREAMS": ",".join(streams)}
        make_store = lambda: Folder(folder / "local")  # noqa: E731
        if options.kind == "aws":
            make_store = self._start_stack(streams)
        self.exchange = Exchange(options, folder)
        self.environment = environment(
            **self.environment, WAL_PATH=str(self.log), BINANCE_WS_URL=self.exchange.url, FEED_MAX_AGE=LONGEST_AGE,
            FEED_STALE_SECONDS=str(options.stale), MAX_BATCH_TIMEOUT="2", HTTP_LISTEN="off",
            # Without a volume of its own, how full the machine's is must not matter.
            **({} if self.volume.is_small else {"DISK_LOW": "0", "DISK_STOP": "0", "BALLAST_SIZE": "0"}))
        self.points = self._find_points()
        self._messages, theirs = multiprocessing.Pipe()
        self._checker = multiprocessing.Process(
            target=follow, args=(theirs, self.exchange.journal, self.log, make_store, MOST_GAP_SECONDS), daemon=True)
        self._checker.start()
        theirs.close()
        self.lives, self.counts, self.largest = Lives(), Counter(), Counter()
        self.seen: dict = {}
        self._output = open(folder / "run.log", "wb")
        self._is_to_be_killed = False
        self._start()

    def _start_stack(self, streams: list[str]):
        from support.aws import MiniStack, Place

        self.stack = MiniStack(self.folder)
        place = Place(self.stack, "soak", streams)
        self.arguments = []
        self.environment = place.environment(self.stack.url)
        self.admin = self.stack.admin.environment
        url, keys, bucket, table = self.stack.url, self.stack.admin, place.bucket, place.table
        return lambda: Cloud(url, keys, bucket, table)

    def _find_points(self) -> list[str]:
        """Where a debug build can have itself killed; a release build knows of nothing."""
        said = subprocess.run([self.options.tickwal, "config"], env={**self.environment, "TICKWAL_KILL_AT": "nowhere"},
                              capture_output=True, text=True)
        return re.findall(r"\w+\.(?:before|after)", said.stderr) if said.returncode == 78 else []

    def describe(self) -> str:
        build = "debug build" if self.points else "release build"
        return f"{self.options.streams:,} streams, {build}, log on {self.volume.note}"

    # The program

    def _start(self, **more) -> None:
        hours = self.dice.choice(RETENTION_SECONDS) / 3600
        self.program = subprocess.Popen(
            [self.options.tickwal, "run", *self.arguments],
            env={**self.environment, "WAL_RETENTION_HOURS": f"{hours:.6f}", **more},
            stderr=self._output, start_new_session=True)
        self._started = time.monotonic()
        self.counts["starts"] += 1
        self.lives.begin(self.program.pid)

    def _ended(self, expected: int) -> None:
        code = self.program.wait(STOP_SECONDS)
        self.lives.end()
        if code != expected:
            raise Broken(f"run ended with {code}, not {expected}: {self._tail()}")

    def _kill(self) -> None:
        self.program.kill()
        self._ended(-signal.SIGKILL)
        self.counts["kills at random moments"] += 1
        self._start()

    def _terminate(self) -> None:
        self.program.terminate()
        began = time.monotonic()
        try:
            self._ended(0)
        except subprocess.TimeoutExpired:
            raise Broken(f"run did not end {STOP_SECONDS} s after SIGTERM: {self._tail()}") from None
        self.counts["SIGTERM"] += 1
        self.largest["seconds to stop"] = max(self.largest["seconds to stop"], time.monotonic() - began)
        self._start()

    def _tail(self) -> str:
        return (self.folder / "run.log").read_text(errors="replace")[-3000:]

    # Trouble

    def watch(self, seconds: float) -> list[str]:
        self._began = time.monotonic()
        self._deadline, self._next_report = self._began + seconds, self._began + REPORT_SECONDS
        phases = {self._kills: 6, self._calm: 1, self._stops: 1, self._hangups: 1}
        if self.volume.is_small:
            phases[self._full_disk] = 2
        if self.stack:
            phases[self._outage] = 2
        try:
            # Each of them once at least, however short the time.
            order = list(phases)
            while time.monotonic() < self._deadline:
                (order.pop(0) if order else self.dice.choices(list(phases), phases.values())[0])()
        except Broken as error:
            return [str(error)]
        return []

    def _wait(self, seconds: float) -> None:
        until = min(time.monotonic() + seconds, self._deadline)
        while (now := time.monotonic()) < until:
            time.sleep(min(0.1, until - now))
            code = self.program.poll()
            if code is not None:
                if self._is_to_be_killed and code == -signal.SIGKILL:
                    return
                raise Broken(f"run ended with {code} by itself: {self._tail()}")
            if (code := self.exchange.process.poll()) is not None:
                raise Broken(f"simulate ended with {code}")
            self.lives.look(time.monotonic() - self._started)
            self._listen()

    def _listen(self) -> None:
        while self._messages.poll():
            self.seen = self._messages.recv()
            if "problems" in self.seen:
                raise Broken("; ".join(self.seen["problems"]))
        for name, path in (("log", self.log), ("-wal", f"{self.log}-wal")):
            if os.path.exists(path):
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

    def _kills(self) -> None:
        until = min(time.monotonic() + 30, self._deadline)
        while time.monotonic() < until:
            is_early = self.dice.random() < 0.15
            self._wait(self.dice.uniform(0.01, 0.3) if is_early else self.dice.uniform(0.4, 2.5))
            self._kill()
            if self.points and self.dice.random() < 0.5:
                self._kill_at(self.dice.choice(self.points))

    def _kill_at(self, point: str) -> None:
        self.program.kill()
        self._ended(-signal.SIGKILL)
        self.counts["kills at random moments"] += 1
        self._start(TICKWAL_KILL_AT=f"{point}:{self.dice.choice((1, 1, 2, 5, 20))}")
        self._is_to_be_killed = True
        self._wait(self.dice.uniform(1, 3))
        if self.program.poll() is None:
            self.program.terminate()
        try:
            code = self.program.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise Broken(f"run did not end {STOP_SECONDS} s after SIGTERM: {self._tail()}") from None
        self._is_to_be_killed = False
        if code not in (0, -signal.SIGKILL):
            raise Broken(f"run ended with {code}: {self._tail()}")
        self.counts["SIGTERM" if code == 0 else "kills at named points"] += 1
        self._start()

    def _calm(self) -> None:
        self._wait(90)

    def _stops(self) -> None:
        for _ in range(4):
            self._wait(self.dice.uniform(1, 8))
            self._terminate()

    def _hangups(self) -> None:
        # It is heard from the first moment on.
        for _ in range(5):
            self._wait(self.dice.uniform(1, 4))
            self.program.send_signal(signal.SIGHUP)
            self.counts["SIGHUP"] += 1

    def _full_disk(self) -> None:
        share_left, level = self.dice.choice([(0.1, "low"), (0.02, "too low"), (0, "full")])
        self._wait(3)
        try:
            self.volume.fill(share_left)
            self.counts[f"volume {level}"] += 1
            self._trouble(12)
        finally:
            self.volume.free()
        self._wait(8)

    def _outage(self) -> None:
        self._wait(3)
        try:
            self.stack.pause()
            self.counts["outages of the sinks"] += 1
            self._trouble(15)
        finally:
            self.stack.resume()
        self._wait(8)

    def _trouble(self, seconds: float) -> None:
        """Time that passes while something is wrong, in which the program may be killed or stopped."""
        self._wait(self.dice.uniform(2, seconds))
        chance = self.dice.random()
        if chance < 0.6:
            self._kill() if chance < 0.4 else self._terminate()
            self._wait(self.dice.uniform(1, 4))

    # The end

    def stop(self) -> list[str]:
        problems = []
        if self.program.poll() is None:
            # Of what was missed between a kill and the end only a process that has received something can tell.
            self._wait_for_ticks()
            self.program.terminate()
        try:
            if (code := self.program.wait(STOP_SECONDS)) != 0:
                problems.append(f"run ended with {code} at the end: {self._tail()}")
        except subprocess.TimeoutExpired:
            self.program.kill()
            self.program.wait()
            problems.append(f"run did not end {STOP_SECONDS} s after SIGTERM at the end: {self._tail()}")
        self.lives.end()
        problems += self.exchange.stop()
        began = time.monotonic()
        # Nothing is to be trimmed any more: the rest of the log is compared with the sinks once more.
        self.environment["WAL_RETENTION_HOURS"] = "1"
        problems += self._command("ship", *self.arguments, seconds=DRAIN_SECONDS)[1]
        self.largest["seconds to ship the rest"] = time.monotonic() - began
        return problems

    def _wait_for_ticks(self) -> None:
        log, first, deadline = Log(self.log), 0, time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and self.program.poll() is None:
            # 0 is said as well while the log is just being opened.
            head = log.head
            first = first or head
            if first and head >= first + 2 * self.options.rate:
                return
            time.sleep(0.2)

    def check(self) -> list[str]:
        problems = self._checked()
        verified, wrong = self._command("verify")
        problems += wrong
        admin = self.admin if self.stack else {}
        reconciled, wrong = self._command("reconcile", "--full", *self.arguments, seconds=DRAIN_SECONDS, **admin)
        problems += wrong + self.lives.problems()
        report = json.loads(self.exchange.report.read_text()) if self.exchange.report.exists() else {}
        problems += limits_broken(report, allow_slow=True) if report else ["the exchange has left no report"]
        self._print(report, verified.splitlines()[-2:], reconciled.splitlines())
        self._output.close()
        if self.stack:
            self.stack.stop()
        self.volume.close()
        return problems

    def _command(self, *arguments: str, seconds: float = STOP_SECONDS, **more) -> tuple[str, list[str]]:
        try:
            done = subprocess.run(
                [self.options.tickwal, *arguments], env={**self.environment, **more}, capture_output=True, text=True,
                timeout=seconds)
        except subprocess.TimeoutExpired:
            return "", [f"{arguments[0]} did not end in {seconds} s"]
        wrong = [f"{arguments[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}"]
        return done.stdout, wrong if done.returncode else []

    def _checked(self) -> list[str]:
        began = time.monotonic()
        try:
            self._messages.send("finish")
            while time.monotonic() < began + CHECK_SECONDS:
                if self._messages.poll(5):
                    self.seen = self._messages.recv()
                    if "problems" in self.seen:
                        self.largest["seconds to compare the rest"] = time.monotonic() - began
                        return self.seen["problems"]
        except (EOFError, OSError) as error:
            return self.seen.get("problems") or [f"the check has ended: {error!r}"]
        return [f"the check did not end in {CHECK_SECONDS} s"]

    def _print(self, report: dict, verified: list[str], reconciled: list[str]) -> None:
        figures = self.seen.get("figures", {})

        def show(title: str, values: dict) -> None:
            print(f"\n{title}")
            for name, value in values.items():
                text = f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
                print(f"  {name.replace('_', ' '):34}{text}")

        show("trouble", {
            **dict(sorted(self.counts.items())), "attempts to connect": report.get("attempts", 0),
            "refused": report.get("connections_refused", 0), "faults": figures.get("faults", {}),
        })
        show("compared", {
            "made by the exchange": figures.get("made", 0), "in the log": figures.get("in_log", 0),
            "missing, a gap covers it": figures.get("missing_covered", 0),
            "made after the end": figures.get("missing_after_end", 0),
            "missing without a gap": figures.get("missing_uncovered", 0),
            **{name: self.seen.get(name, 0) for name in ("objects", "items", "trimmed")},
            "trimmed before it was read": self.seen.get("from_objects", 0), "wrong": self.seen.get("wrong", 0),
            "gaps": figures.get("gaps", {}), "longest gap, s": figures.get("longest_gap_seconds", 0.0),
        })
        show("at most", dict(self.largest))
        print("\nprocesses")
        print("\n".join(self.lives.lines()))
        print("\n" + "\n".join(f"verify: {line}" for line in verified))
        print("\n".join(f"reconcile: {line}" for line in reconciled[-4:]))
