"""The feed alone, never ended but suspended now and then: faults and rotations, the log kept whole and compared at the end."""

import contextlib
import gzip
import json
import math
import pathlib
import signal
import sqlite3
import subprocess
import time

from support import continuity

from .parts import STREAMS_A_CONNECTION, Exchange, environment, limits_broken, names
from .samples import SAMPLE_SECONDS, Samples
from .stops import LONGEST_STOP, Stops

# Far above what noticing a stall and connecting again take; a feed that sits on a dead connection is found out.
MOST_GAP_SECONDS = 60
REPORT_SECONDS = 60


class FeedSoak:
    def __init__(self, options, folder: pathlib.Path):
        self.folder, self.log = folder, folder / "ticks.db"
        self.options, self.tickwal = options, options.tickwal
        streams = names(options.streams)
        self.slots = math.ceil(len(streams) / STREAMS_A_CONNECTION)
        self.exchange = Exchange(options, folder, kinds=options.fault_kinds)
        # Faults end connections before their time, too. At this age half of them come to be rotated, which makes
        # rotations as frequent as faults; scaled to what was asked for.
        age = math.log(2) * options.rotate_every * self.slots
        sinks = {} if options.local else {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}
        self.environment = environment(
            WAL_PATH=str(self.log), BINANCE_WS_URL=self.exchange.url, STREAMS=",".join(streams),
            FEED_MAX_AGE=f"{age / 3600:.6f}", FEED_STALE_SECONDS=str(options.stale), **sinks)
        self.local = ["--local", str(folder / "local")] if options.local else []
        with open(folder / "run.log", "wb") as log:
            self.program = subprocess.Popen(
                [options.tickwal, "run", *self.local], env=self.environment, stderr=log, start_new_session=True)
        self.samples = Samples(self.program.pid)
        self.stops = Stops(self.program.send_signal, options.stops_every, options.seed)

    def describe(self) -> str:
        return f"{self.options.streams:,} streams over {self.slots} connections"

    def watch(self, seconds: float) -> list[str]:
        began = time.monotonic()
        next_sample, next_report = began + SAMPLE_SECONDS, began + REPORT_SECONDS
        self.stops.begin(began)
        while time.monotonic() < began + seconds:
            time.sleep(0.5)
            self.stops.step(time.monotonic())
            for process, name in ((self.program, "run"), (self.exchange.process, "simulate")):
                if process.poll() is not None:
                    return [f"{name} ended with {process.returncode} before its time: {self.tail(name)}"]
            if time.monotonic() >= next_sample:
                self.samples.take()
                next_sample += SAMPLE_SECONDS
            if time.monotonic() >= next_report:
                print(f"{time.monotonic() - began:6,.0f} s  {self.progress()}", flush=True)
                next_report += REPORT_SECONDS
        return []

    def progress(self) -> str:
        with contextlib.closing(sqlite3.connect(f"file:{self.log}?mode=ro", uri=True, timeout=5)) as log:
            [(head,)] = log.execute("select value from meta where key = 'head'")
            [(gaps, still_open)] = log.execute("select count(*), count(*) filter (where ended_at is null) from gaps")
        memory, files = (values[-1] if values else 0 for values in (self.samples.memory, self.samples.files))
        return (f"{int(head):,} ticks, {gaps} gaps ({still_open} open), {memory:,.0f} MiB, {files} open files")

    def tail(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def stop(self) -> list[str]:
        problems = []
        if self.program.poll() is None:
            self.stops.finish(time.monotonic())
            self.program.send_signal(signal.SIGTERM)
        try:
            code = self.program.wait(60)
        except subprocess.TimeoutExpired:
            self.program.kill()
            code = self.program.wait()
        if code != 0:
            problems.append(f"run ended with {code}: {self.tail('run')}")
        return problems + self.exchange.stop()

    def check(self) -> list[str]:
        problems = self.check_exchange() + self.check_log() + self.check_local()
        if self.samples.memory:
            print(f"\nprogram: {self.samples}")
            problems += self.samples.problems()
        return problems

    def check_exchange(self) -> list[str]:
        if not self.exchange.report.exists():
            return []
        report = json.loads(self.exchange.report.read_text())
        print("\nexchange\n" + "\n".join(f"  {name.replace('_', ' '):34}{value}" for name, value in report.items()))
        # Who does not run does not read.
        return limits_broken(report, allow_slow=self.stops.count > 0)

    def check_log(self) -> list[str]:
        began = time.monotonic()
        result = continuity.compare(self.exchange.journal, self.log, most_connections=2 * self.slots,
                                   # Two may come while one connection is lost.
                                   most_gap_seconds=MOST_GAP_SECONDS + (2 * LONGEST_STOP if self.stops.count else 0),
                                   most_tightness=self.options.most_tightness)
        print(f"\n{self.stops}\n\nlog (compared in {time.monotonic() - began:.0f} s)")
        print("\n".join("  " + line for line in str(result).splitlines() if not line.startswith("WRONG")))
        return result.problems

    def check_local(self) -> list[str]:
        if not self.local:
            return []
        subprocess.run([self.tickwal, "ship", *self.local], env=self.environment, check=True, capture_output=True)
        rows = 0
        for file in (self.folder / "local" / "objects").rglob("*.jsonl.gz"):
            with gzip.open(file) as lines:
                rows += sum(1 for _ in lines)
        with contextlib.closing(sqlite3.connect(f"file:{self.log}?mode=ro", uri=True)) as log:
            [(ticks,)] = log.execute("select count(*) from ticks")
        print(f"\nobjects: {rows:,} rows")
        return [] if rows == ticks else [f"{rows:,} rows in the objects, but {ticks:,} ticks in the log"]
