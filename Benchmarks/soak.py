#!/usr/bin/env python3
"""Runs tickwal for long against a stand-in exchange at which something is always going wrong, then compares the log
with what the exchange made.

Over all connections together there is a fault (close, reset, FIN in the middle of a frame, stall, half-open) about
every ten seconds and a rotation about as often; a tenth of the attempts to connect is refused. The exchange enforces
its limits (streams, attempts, messages). At the end, or after Ctrl-C, everything is stopped in order and checked;
exits 1 if anything is wrong. Several can run at once.
"""

import argparse
import contextlib
import gzip
import json
import math
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))

from support import continuity  # noqa: E402

KINDS = ("miniTicker", "trade", "bookTicker", "depth@100ms", "aggTrade", "kline_1m")
STREAMS_A_CONNECTION = 1024
# Far above what noticing a stall and connecting again take; a feed that sits on a dead connection is found out.
MOST_GAP_SECONDS = 60
SAMPLE_SECONDS = 5
REPORT_SECONDS = 60


def names(count):
    return [f"s{number // len(KINDS)}usdt@{KINDS[number % len(KINDS)]}" for number in range(count)]


def environment(**variables):
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_EC2_METADATA_DISABLED": "true",
            **variables}


class Samples:
    """Memory and open files of one process over time."""

    def __init__(self, pid):
        self._folder = pathlib.Path(f"/proc/{pid}")
        self.memory, self.files = [], []

    def take(self):
        status = dict(line.split(":", 1) for line in (self._folder / "status").read_text().splitlines())
        self.memory.append(int(status["RssAnon"].split()[0]) / 1024)
        self.files.append(len(list((self._folder / "fd").iterdir())))

    def __str__(self):
        return "; ".join(
            f"{what} first {values[0]:,.0f}, last {values[-1]:,.0f}, peak {max(values):,.0f}{unit}"
            for what, values, unit in (("memory", self.memory, " MiB"), ("open files", self.files, ""))
        )

    def problems(self):
        """What has grown from the second quarter of the time to the last one."""
        quarter = len(self.memory) // 4
        if quarter < 3:
            return []
        found = []
        for what, values, slack in (("memory", self.memory, 16), ("open files", self.files, 8)):
            early, late = (statistics.median(part) for part in (values[quarter:2 * quarter], values[-quarter:]))
            if late > early * 1.2 + slack:
                found.append(f"{what} grew from {early:,.0f} to {late:,.0f}")
        return found


class Run:
    """The exchange and the program, in a folder of their own."""

    def __init__(self, options, folder):
        self.folder, self.log, self.journal = folder, folder / "ticks.db", folder / "journal"
        self.report = folder / "report.json"
        streams = names(options.streams)
        self.slots = math.ceil(len(streams) / STREAMS_A_CONNECTION)
        with open(folder / "simulate.log", "wb") as log:
            self.exchange = subprocess.Popen(
                [options.tickwal, "simulate", "--listen", "127.0.0.1:0", "--rate", str(options.rate), "--seed",
                 str(options.seed), "--faults-every", str(options.faults_every), "--fault-kinds",
                 "close,reset,fin,stall,half-open", "--refuse", "503", "--refuse-share", "0.1", "--strict",
                 "--journal", self.journal, "--report", self.report],
                env=environment(), stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        url = self.exchange.stdout.readline().decode().strip()
        # Faults end connections before their time, too. At this age half of them come to be rotated, which makes
        # rotations as frequent as faults; scaled to what was asked for.
        age = math.log(2) * options.rotate_every * self.slots
        sinks = {} if options.local else {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}
        self.environment = environment(
            WAL_PATH=str(self.log), BINANCE_WS_URL=url, STREAMS=",".join(streams), FEED_MAX_AGE=f"{age / 3600:.6f}",
            FEED_STALE_SECONDS=str(options.stale), **sinks)
        self.local = ["--local", str(folder / "local")] if options.local else []
        self.tickwal = options.tickwal
        with open(folder / "run.log", "wb") as log:
            self.program = subprocess.Popen(
                [options.tickwal, "run", *self.local], env=self.environment, stderr=log, start_new_session=True)
        self.samples = Samples(self.program.pid)

    def watch(self, seconds):
        began = time.monotonic()
        next_sample, next_report = began + SAMPLE_SECONDS, began + REPORT_SECONDS
        while time.monotonic() < began + seconds:
            time.sleep(0.5)
            for process, name in ((self.program, "run"), (self.exchange, "simulate")):
                if process.poll() is not None:
                    return [f"{name} ended with {process.returncode} before its time: {self.tail(name)}"]
            if time.monotonic() >= next_sample:
                self.samples.take()
                next_sample += SAMPLE_SECONDS
            if time.monotonic() >= next_report:
                print(f"{time.monotonic() - began:6,.0f} s  {self.progress()}", flush=True)
                next_report += REPORT_SECONDS
        return []

    def progress(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.log}?mode=ro", uri=True, timeout=5)) as log:
            [(head,)] = log.execute("select value from meta where key = 'head'")
            [(gaps, still_open)] = log.execute("select count(*), count(*) filter (where ended_at is null) from gaps")
        memory, files = (values[-1] if values else 0 for values in (self.samples.memory, self.samples.files))
        return (f"{int(head):,} ticks, {gaps} gaps ({still_open} open), {memory:,.0f} MiB, {files} open files")

    def tail(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def stop(self):
        problems = []
        for process, name in ((self.program, "run"), (self.exchange, "simulate")):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if code != 0:
                problems.append(f"{name} ended with {code}: {self.tail(name)}")
        return problems

    def check_exchange(self):
        report = json.loads(self.report.read_text())
        print("\nexchange\n" + "\n".join(f"  {name.replace('_', ' '):34}{value}" for name, value in report.items()))
        broken = {name: count for name, count in report["violations"].items() if count}
        broken |= {name: report[name] for name in ("silent_clients", "slow_clients") if report[name]}
        return [f"the exchange's limits were broken: {broken}"] if broken else []

    def check_log(self):
        began = time.monotonic()
        result = continuity.compare(self.journal, self.log, most_connections=2 * self.slots,
                                   most_gap_seconds=MOST_GAP_SECONDS)
        print(f"\nlog (compared in {time.monotonic() - began:.0f} s)")
        print("\n".join("  " + line for line in str(result).splitlines() if not line.startswith("WRONG")))
        return result.problems

    def check_local(self):
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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickwal", default=str(ROOT / ".build/release/tickwal"))
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--streams", type=int, default=600)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--faults-every", type=float, default=10, help="seconds, over all connections")
    parser.add_argument("--rotate-every", type=float, default=10, help="seconds, over all connections, about")
    parser.add_argument("--stale", type=float, default=2, help="FEED_STALE_SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--local", action="store_true", help="ship to a folder, too")
    parser.add_argument("--keep", action="store_true", help="keep the folder; it is kept if something is wrong")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tickwal-soak."))
    run = Run(options, folder)
    print(f"{options.seconds:,.0f} s, {options.streams:,} streams over {run.slots} connections, {options.rate:,.0f} "
          f"ticks/s, seed {options.seed}, in {folder}", flush=True)
    problems = []
    try:
        problems += run.watch(options.seconds)
    except KeyboardInterrupt:
        print("stopping")
    finally:
        problems += run.stop()
    problems += run.check_exchange() if run.report.exists() else []
    problems += run.check_log() + run.check_local()
    if run.samples.memory:
        print(f"\nprogram: {run.samples}")
        problems += run.samples.problems()
    for problem in problems:
        print(f"WRONG: {problem}")
    if problems or options.keep:
        print(f"\neverything is in {folder}")
    else:
        shutil.rmtree(folder)
        print("\neverything is right")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
