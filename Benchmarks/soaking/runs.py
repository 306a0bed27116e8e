"""The program under the soak, started again and again."""

import pathlib
import re
import signal
import subprocess
import time

from .samples import Lives
from .stalled import Output

RETENTION_SECONDS = (2, 20, 45, 90)
STOP_SECONDS = 90


class Broken(Exception):
    """It cannot go on."""


class Runs:
    def __init__(self, options, folder, environment: dict[str, str], arguments: list[str], dice, counts, largest):
        self.tickwal, self.environment, self.arguments = options.tickwal, environment, arguments
        self._dice, self._counts, self._largest = dice, counts, largest
        self.before: list[str] = []
        """A command that becomes the program, with the same process id."""
        self.changed: dict[str, str] = {}
        """Of the environment, until it is cleared; before `start` gives more."""
        self.retentions, self.retention = None, 0
        """In seconds: those to choose from in place of the usual ones, and that of the present process."""
        self.lives, self.output = Lives(), Output(folder / "run.log")
        self.points = self._find_points()
        self.may_be_killed = False

    def _find_points(self) -> list[str]:
        """Where a debug build can have itself killed; a release build knows of nothing."""
        said = self._refused("config", TICKWAL_KILL_AT="nowhere")
        return re.findall(r"\w+\.(?:before|after)", said or "")

    def _refused(self, command: str, before=(), **more) -> str | None:
        """What is said of a setting that is refused."""
        done = subprocess.run([*before, self.tickwal, command, *self.arguments * (command == "run")],
                              env={**self.environment, **more}, capture_output=True, text=True, timeout=STOP_SECONDS)
        return done.stderr if done.returncode == 78 else None

    def least_files(self) -> int:
        """The smallest limit of open files that it starts with; to be asked while nothing runs."""
        said = self._refused("run", before=limited(24)) or ""
        if not (least := re.search(r"RLIMIT_NOFILE is .* must be at least (\d+)", said)):
            raise Broken(f"a limit of 24 open files was not refused by name: {said}")
        return int(least[1])

    # One process

    def start(self, **more) -> None:
        self.retention = self._dice.choice(self.retentions or RETENTION_SECONDS)
        self.process = subprocess.Popen(
            [*self.before, self.tickwal, "run", *self.arguments],
            env={**self.environment, "WAL_RETENTION_HOURS": f"{self.retention / 3600:.6f}", **self.changed, **more},
            stderr=self.output.writing, start_new_session=True)
        self._started = time.monotonic()
        self._counts["starts"] += 1
        self.lives.begin(self.process.pid)

    def look(self) -> bool:
        """To be called several times a second; whether it runs."""
        code = self.process.poll()
        if code is not None:
            if self.may_be_killed and code == -signal.SIGKILL:
                return False
            raise Broken(f"run ended with {code} by itself: {self.output.tail()}")
        self.lives.look(time.monotonic() - self._started)
        return True

    def ended(self, *expected: int, within: float = STOP_SECONDS, after: str = "SIGTERM") -> int:
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise Broken(f"run did not end {within:g} s after {after}: {self.output.tail()}") from None
        self.lives.end()
        if code not in expected:
            raise Broken(f"run ended with {code} after {after}, not {expected[0]}: {self.output.tail()}")
        return code

    def end_by_kill(self) -> None:
        self.process.kill()
        self.ended(-signal.SIGKILL, after="SIGKILL")
        self._counts["kills at random moments"] += 1

    def kill(self) -> None:
        self.end_by_kill()
        self.start()

    def _ask_to_end(self) -> None:
        # In its very first moments a signal ends any program.
        deadline = time.monotonic() + STOP_SECONDS
        while self.process.poll() is None and not hears(self.process.pid, signal.SIGTERM):
            if time.monotonic() > deadline:
                raise Broken(f"run did not listen to SIGTERM in {STOP_SECONDS} s: {self.output.tail()}")
            time.sleep(0.05)
        self.process.terminate()

    def end_by_signal(self) -> None:
        self._ask_to_end()
        began = time.monotonic()
        self.ended(0)
        self._counts["SIGTERM"] += 1
        self._largest["seconds to stop"] = max(self._largest["seconds to stop"], time.monotonic() - began)

    def terminate(self) -> None:
        self.end_by_signal()
        self.start()

    def kill_at(self, point: str, wait) -> None:
        self.end_by_kill()
        self.start(TICKWAL_KILL_AT=f"{point}:{self._dice.choice((1, 1, 2, 5, 20))}")
        self.may_be_killed = True
        wait()
        if self.process.poll() is None:
            self._ask_to_end()
        code = self.ended(0, -signal.SIGKILL)
        self.may_be_killed = False
        self._counts["SIGTERM" if code == 0 else "kills at named points"] += 1
        self.start()

    def hang_up(self) -> None:
        # It is heard from the first moment on.
        self.process.send_signal(signal.SIGHUP)
        self._counts["SIGHUP"] += 1

    # Other commands

    def command(self, *arguments: str, seconds: float = STOP_SECONDS, **more) -> tuple[str, list[str]]:
        """What it prints, and what is wrong."""
        try:
            done = subprocess.run(
                [self.tickwal, *arguments], env={**self.environment, **more}, capture_output=True, text=True,
                timeout=seconds)
        except subprocess.TimeoutExpired:
            return "", [f"{arguments[0]} did not end in {seconds:g} s"]
        wrong = [f"{arguments[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}"]
        return done.stdout, wrong if done.returncode else []


def hears(pid: int, number: signal.Signals) -> bool:
    """Whether the program does something of its own about a signal. Reference: proc(5), status."""
    try:
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return False
    return any(int(status.get(mask, "0"), 16) >> number - 1 & 1 for mask in ("SigCgt", "SigIgn"))


def limited(files: int) -> list[str]:
    """A command that becomes another one, which may have so many files open."""
    return ["prlimit", f"--nofile={files}:{files}"]
