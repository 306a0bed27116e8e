"""What every soak has: an exchange, and programs with an environment made from nothing."""

import contextlib
import os
import pathlib
import signal
import subprocess

KINDS = ("miniTicker", "trade", "bookTicker", "depth@100ms", "aggTrade", "kline_1m")
STREAMS_A_CONNECTION = 1024


def names(count: int) -> list[str]:
    return [f"s{number // len(KINDS)}usdt@{KINDS[number % len(KINDS)]}" for number in range(count)]


def environment(**variables) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_EC2_METADATA_DISABLED": "true",
            **variables}


# What breaks a connection, as whoever sees that it is gone can tell.
BREAKS = "close,reset,fin,stall,half-open"


class Exchange:
    """At which something is always going wrong: random faults of these kinds, or of all."""

    def __init__(self, options, folder: pathlib.Path, kinds: str | None = BREAKS):
        self.journal, self.report, self._log = folder / "journal", folder / "report.json", folder / "simulate.log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [options.tickwal, "simulate", "--listen", "127.0.0.1:0", "--rate", str(options.rate), "--seed",
                 str(options.seed), "--faults-every", str(options.faults_every),
                 *(["--fault-kinds", kinds] if kinds else []), "--refuse", "503", "--refuse-share", "0.1", "--strict",
                 "--journal", self.journal, "--report", self.report],
                env=environment(), stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self.url = self.process.stdout.readline().decode().strip()

    @contextlib.contextmanager
    def suspended(self):
        """It stands still, and makes nothing."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def stop(self) -> list[str]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        return [f"simulate ended with {code}: {self._log.read_text(errors='replace')[-2000:]}"] if code else []


def limits_broken(report: dict, allow_slow: bool) -> list[str]:
    broken = {name: count for name, count in report["violations"].items() if count}
    # Who is killed, or pauses because its disk is full, does not answer and does not read.
    watched = () if allow_slow else ("silent_clients", "slow_clients")
    broken |= {name: report[name] for name in watched if report[name]}
    return [f"the exchange's limits were broken: {broken}"] if broken else []
