"""The processes of a fleet: each with its own log, and with ways to the exchange and to AWS that can be cut."""

import pathlib
import signal
import subprocess

from support.log import Log
from support.relay import Relay

from .runs import STOP_SECONDS, Broken


class Way:
    """To a port of this machine: straight, or through a relay that can be shut."""

    def __init__(self, port: int, can_be_cut: bool):
        self._relay = Relay(port) if can_be_cut else None
        self.port = self._relay.port if self._relay else port

    def shut(self) -> None:
        self._relay.shut()

    def open(self) -> None:
        self._relay.open()

    def stop(self) -> None:
        if self._relay:
            self._relay.stop()


class Machine:
    """One replica of one shard."""

    def __init__(self, name: str, shard: int, tickwal: str, folder: pathlib.Path, log: pathlib.Path, environment: dict,
                 exchange: Way, aws: Way):
        self.name, self.shard, self.exchange, self.aws = name, shard, exchange, aws
        self.log, self.starts, self.process = Log(log), 0, None
        self._tickwal, self._folder = tickwal, folder
        self._messages = folder / f"{name}.log"
        self.environment = environment | {"WAL_PATH": str(log)}

    def start(self, shards: int) -> None:
        self.environment["STREAM_SHARD"] = f"{self.shard}/{shards}"
        with open(self._messages, "ab") as messages:
            self.process = subprocess.Popen(
                [self._tickwal, "run"], env=self.environment, stderr=messages, cwd=self._folder, start_new_session=True)
        self.starts += 1
        self._head = None

    def check(self) -> None:
        if self.process and (code := self.process.poll()) is not None:
            raise Broken(f"{self.name} ended with {code} by itself: {self.tail}")

    @property
    def tail(self) -> str:
        return self._messages.read_text(errors="replace")[-2000:]

    @property
    def log_id(self) -> str:
        return self.log.log_id

    def receives(self) -> bool:
        """Whether it has appended something since it was started, or since the question was asked first."""
        head = self.log.head
        if self._head is None:
            self._head = head
        return head > self._head

    def ask_again(self) -> None:
        self._head = None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = None

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def stopped(self) -> list[str]:
        """What is wrong with its end, which it was asked for."""
        if not self.process:
            return []
        process, self.process = self.process, None
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return [f"{self.name} did not end {STOP_SECONDS} s after SIGTERM: {self.tail}"]
        return [f"{self.name} ended with {code} after SIGTERM: {self.tail}"] if code else []

    def command(self, *arguments: str, seconds: float) -> list[str]:
        try:
            done = subprocess.run(
                [self._tickwal, *arguments], env=self.environment, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return [f"{arguments[0]} of {self.name} did not end in {seconds:g} s"]
        said = (done.stdout + done.stderr)[-2000:]
        return [f"{arguments[0]} of {self.name} ended with {done.returncode}: {said}"] if done.returncode else []
