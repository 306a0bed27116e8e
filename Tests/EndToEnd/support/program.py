"""tickwal as an operating system sees it: arguments, environment, signals, output, exit status."""

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .log import Log
from .waiting import wait_until

PATIENCE = 90
"""Seconds until something that should happen counts as failed; generous, for a debug build on a busy machine."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: str


class Process:
    """One start of the program."""

    def __init__(
        self, command: list[str], environment: dict[str, str], folder: Path, number: int,
        stdout: int | None = None, stderr: int | None = None, prepare: Callable[[], None] | None = None,
        before: tuple[str, ...] = (),
    ):
        """`stdout` and `stderr` are descriptors, in the place of files in the folder; `prepare` runs in the new
        process before the program."""
        self.arguments = command[1:]
        name = f"{number:03}-{self.arguments[0] if self.arguments else 'bare'}"
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self._process = subprocess.Popen(
                [*before, *command], stdin=subprocess.DEVNULL, stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr, env=environment, cwd=folder, preexec_fn=prepare,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def out(self) -> bytes:
        return self._out.read_bytes()

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def check(self) -> None:
        """Fails if the program ended although it should not have."""
        code = self._process.poll()
        assert code is None, f"tickwal {' '.join(self.arguments)} ended with {code}:\n{self.err[-4000:]}"

    def wait_until(self, question, what: str, seconds: float = PATIENCE):
        try:
            return wait_until(question, what, seconds, self.check)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.err[-4000:]}") from None

    def wait_until_said(self, text: str, seconds: float = PATIENCE) -> None:
        self.wait_until(lambda: text in self.err, f"stderr has '{text}'", seconds)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self, seconds: float = PATIENCE) -> Ended:
        """Waits for the end that was asked for, or that comes by itself."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"tickwal {' '.join(self.arguments)} did not end in {seconds} s:\n{self.err[-4000:]}"
            ) from None
        return Ended(self._process.returncode, self.out, self.err)

    def terminate(self, seconds: float = PATIENCE) -> Ended:
        self.send(signal.SIGTERM)
        return self.end(seconds)

    def kill(self) -> None:
        if self.is_running:
            self._process.kill()
        self._process.wait()


class Tickwal:
    """The program with a folder of its own and an environment made from nothing."""

    def __init__(self, binary: Path, folder: Path, environment: dict[str, str] | None = None):
        self.binary, self.folder = binary, folder
        self.path = folder / "ticks.db"
        self.log = Log(self.path)
        # Without keys the program would ask the network for the instance's: tests stay on loopback. And how full
        # this machine's disk is must not matter.
        self.environment = {
            "DISK_LOW": "0", "DISK_STOP": "0", "BALLAST_SIZE": "0",
            "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(folder), "WAL_PATH": str(self.path), "MAX_BATCH_SIZE": "100",
            "MAX_BATCH_TIMEOUT": "0.5", "HTTP_LISTEN": "off", **(environment or {}),
        }
        self.before: tuple[str, ...] = ()
        """A command that becomes the one that its arguments say, with the same process id."""
        self._started: list[Process] = []

    def start(
        self, *arguments: str, stdout: int | None = None, stderr: int | None = None,
        prepare: Callable[[], None] | None = None, **environment: str,
    ) -> Process:
        process = Process(
            [str(self.binary), *map(str, arguments)], {**self.environment, **environment}, self.folder,
            len(self._started), stdout, stderr, prepare, self.before,
        )
        self._started.append(process)
        return process

    def run_to_end(self, *arguments: str, seconds: float = PATIENCE, **environment: str) -> Ended:
        return self.start(*arguments, **environment).end(seconds)

    def succeed(self, *arguments: str, seconds: float = PATIENCE, **environment: str) -> Ended:
        ended = self.run_to_end(*arguments, seconds=seconds, **environment)
        # A log without a process is not healthy, which is no failure to say so.
        good = (0, 1) if arguments[0] == "status" else (0,)
        assert ended.code in good, f"tickwal {' '.join(map(str, arguments))}: {ended.code}\n{ended.err[-4000:]}"
        return ended

    def run_with_input(self, text: bytes, *arguments: str) -> Ended:
        done = subprocess.run(
            [str(self.binary), *arguments], input=text, capture_output=True, env=self.environment,
            cwd=self.folder, timeout=PATIENCE,
        )
        for kind, written in (("out", done.stdout), ("err", done.stderr)):
            with open(self.folder / f"input-{arguments[0]}.{kind}", "ab") as file:
                file.write(written)
        return Ended(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def drain(self, *arguments: str, **environment: str) -> Ended:
        """Ships what is left, without a feed."""
        return self.succeed("ship", *arguments, seconds=180, **environment)

    def stop_all(self) -> None:
        for process in self._started:
            process.kill()


def find_binary(root: Path) -> Path:
    """The debug build that `swift test` made, or `TICKWAL`."""
    binary = Path(os.environ.get("TICKWAL", root / ".build/debug/tickwal")).resolve()
    assert binary.is_file(), f"{binary} is not there; run 'swift build' first"
    return binary
