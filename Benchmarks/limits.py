#!/usr/bin/env python3
"""Measures what grows: with the backlog, with the number of streams, with the rate.

Sender, sinks (nginx, which answers at once) and tickwal share this machine's cores. Each stage prints a line for each
of its figures, and the ratio that counts.

  latency   10,000 ticks a second into the log: from queued to durable, as the program's own histogram has it
  table     5,000 ticks a second to DynamoDB alone: CPU for each, against the plainest loop in C
  drain     a backlog to objects while 20,000 ticks a second come in, against the same without
  streams   1,000 ticks a second of 1, 100 and 5,000 streams: CPU for each
  growth    100,000 ticks appended to a log of 10,000, a million and ten million, and read from its end: CPU for each
  start     until connected to the exchange, with that backlog and with none
  memory    that backlog to both sinks (DYNAMO_WRITE_MODE=batch): peak

The last three make a log of --backlog ticks: ten million need 6 GB while they run, and some minutes.
"""

import argparse
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import sys
import tempfile
import time
import urllib.request

import bench
import sizing
from bursts import Bursts

STAGES = ("latency", "table", "drain", "streams", "growth", "start", "memory")


class Bench:
    def __init__(self, options, folder, sink):
        self.tickwal, self.options, self.folder, self.sink = str(options.tickwal), options, folder, sink
        self.recorded = folder / "recorded.jsonl"
        bench.make_file(self.recorded, min(100_000, options.backlog))
        self._backlog = None
        self.loops = bench.Loops(folder, options.repeat)

    # Logs

    def run_to_end(self, *arguments, **variables):
        return bench.run_to_end([self.tickwal, *arguments], self.folder, self.options.limit, **variables)

    def imported(self, name, ticks):
        """A log of so many ticks, made of the recorded ones over and over."""
        log = self.folder / name
        left, usage = ticks, None
        while left > 0:
            part = self.folder / "part.jsonl"
            count = min(left, 1_000_000)
            with open(part, "w") as file:
                with open(self.recorded) as lines:
                    once = lines.readlines()
                file.writelines(itertools.islice(itertools.cycle(once), count))
            usage = self.run_to_end("import", "--again", str(part), WAL_PATH=str(log))
            part.unlink()
            left -= count
        return log, usage

    @property
    def backlog(self):
        self._backlog = self._backlog or self.imported("backlog.db", self.options.backlog)[0]
        return self._backlog

    @contextlib.contextmanager
    def copied(self, log):
        copy = self.folder / "copy.db"
        shutil.copyfile(log, copy)
        # Else what is measured next pays for writing the copy down.
        os.sync()
        try:
            yield copy
        finally:
            for file in self.folder.glob("copy.db*"):
                file.unlink()

    # Runs

    @contextlib.contextmanager
    def running(self, log, url, streams=bench.STREAMS, **variables):
        port = bench.free_port()
        with bench.Measured([self.tickwal, "run"], self.folder, self.options.limit, WAL_PATH=str(log),
                            BINANCE_WS_URL=url, STREAMS=",".join(streams), AWS_ENDPOINT_URL=self.sink,
                            **bench.KEYS, **{"HTTP_LISTEN": f"127.0.0.1:{port}"} | variables) as run:
            run.port = port
            yield run

    def bursts(self, rate, count=20_000):
        messages = [line.strip().encode() for line in bench.first_lines(self.recorded, count)]
        return Bursts(messages, rate, max(1, rate // 100))

    def until(self, run, is_so, what):
        deadline = time.monotonic() + self.options.limit
        while not is_so():
            if not run.is_running or time.monotonic() > deadline:
                run.fail(f"ended, or was ended, before {what}")
            time.sleep(0.02)

    def until_ticks(self, run, log, ticks):
        self.until(run, lambda: log.exists() and log.stat().st_size and bench.head(log) >= ticks, f"{ticks:,} ticks")

    # Stages

    def latency(self):
        rate, log = 10_000, self.folder / "latency.db"
        with self.bursts(rate) as exchange, self.running(log, exchange.url, S3_WRITE="0", DYNAMO_WRITE="0") as run:
            self.until_ticks(run, log, rate)
            before = buckets(run.port, "tickwal_log_append_wait_seconds")
            time.sleep(self.options.seconds)
            after = buckets(run.port, "tickwal_log_append_wait_seconds")
            run.terminate()
            run.end(time.monotonic())
        gained = {bound: count - before[bound] for bound, count in after.items()}
        for share in (0.5, 0.99):
            yield f"p{share * 100:.0f}", 1e3 * quantile(gained, share), "ms"

    def table(self):
        cpu = []
        for _ in range(self.options.repeat):
            row = sizing.measure(self.tickwal, self.folder, 5_000, self.options.seconds, {"S3_WRITE": "0"})
            cpu.append(row["CPU s"])
        bodies = bench.write_lines(self.folder / "items", bench.item, self.recorded)
        loop = self.loops.run("items", bodies, self.sink, 64)[1]
        yield "CPU a tick", statistics.median(cpu), "µs"
        yield "C's CPU a request", loop, "µs"
        yield "ratio", statistics.median(cpu) / loop, "x"

    def drain(self):
        ticks = min(self.options.backlog, 500_000)
        source, _ = self.imported("drain.db", ticks)
        rates = {}
        for incoming in (0, 20_000):
            runs = []
            for _ in range(self.options.repeat):
                with self.copied(source) as log, self.bursts(max(incoming, 100)) as exchange, self.running(
                        log, exchange.url if incoming else "ws://127.0.0.1:1", DYNAMO_WRITE="0", HTTP_LISTEN="off") as run:
                    began = time.monotonic()
                    self.until(run, lambda: shipped(log) >= ticks, "the backlog's end")
                    runs.append(ticks / (time.monotonic() - began))
                    if incoming:
                        self.until(run, lambda: bench.head(log) > ticks, "the feed")
                    run.terminate()
                    run.end(began)
            rates[incoming] = statistics.median(runs)
        yield "alone", rates[0], "ticks/s"
        yield "beside 20,000 ticks/s", rates[20_000], "ticks/s"
        yield "ratio", rates[20_000] / max(1, rates[0]), "x"

    def streams(self):
        for number in map(int, self.options.streams.split(",")):
            names = [f"s{index:04d}usdt@miniTicker" for index in range(number)]
            log = self.folder / f"streams-{number}.db"
            with bench.exchange(self.tickwal, "--rate", "1000") as url, self.running(
                    log, url, names, S3_WRITE="0", DYNAMO_WRITE="0") as run:
                self.until_ticks(run, log, 1_000)
                # Every stream has been asked for by then: five requests a second of two hundred streams.
                time.sleep(min(self.options.seconds, 2 + number / 500))
                before, head = bench.usage_so_far(run.pid), bench.head(log)
                time.sleep(self.options.seconds)
                after, ticks = bench.usage_so_far(run.pid), bench.head(log) - head
                run.terminate()
                run.end(time.monotonic())
            yield f"{number:,} streams", (after[0] - before[0]) / max(1, ticks) * 1e6, "µs"
            yield f"{number:,} streams, peak", after[2], "MiB"

    def growth(self):
        for size in sorted({min(size, self.options.backlog) for size in (10_000, 1_000_000, 10_000_000)}):
            source = self.backlog if size == self.options.backlog else self.imported(f"grown-{size}.db", size)[0]
            more = len(bench.first_lines(self.recorded, 100_000))
            with self.copied(source) as log:
                appended = self.run_to_end("import", "--again", str(self.recorded), WAL_PATH=str(log))
                first = bench.head(log) - more + 1
                read = self.run_to_end("replay", "--from-offset", str(first), "--to", "stdout", WAL_PATH=str(log))
            yield f"{size:,}: append", appended.cpu / more * 1e6, "µs"
            yield f"{size:,}: read and write as rows", read.cpu / more * 1e6, "µs"

    def start(self):
        times = {}
        for name, source in (("none", None), (f"{self.options.backlog:,}", self.backlog)):
            runs = []
            for _ in range(self.options.repeat):
                with contextlib.ExitStack() as stack:
                    log = stack.enter_context(self.copied(source)) if source else self.folder / "empty.db"
                    url = stack.enter_context(bench.exchange(self.tickwal, "--rate", "100"))
                    began = time.monotonic()
                    run = stack.enter_context(self.running(log, url, HTTP_LISTEN="off"))
                    self.until(run, lambda: "connected to the exchange" in run.said(), "a connection")
                    runs.append(time.monotonic() - began)
                    run.terminate()
                    run.end(began)
                for file in self.folder.glob("empty.db*"):
                    file.unlink()
            times[name] = statistics.median(runs)
            yield f"backlog {name}", 1e3 * times[name], "ms"
        yield "ratio", times[f"{self.options.backlog:,}"] / times["none"], "x"

    def memory(self):
        began = time.monotonic()
        with self.copied(self.backlog) as log:
            usage = self.run_to_end("ship", WAL_PATH=str(log), DYNAMO_WRITE_MODE="batch", **self.keys())
        yield f"{self.options.backlog:,} ticks to both sinks, peak", usage.peak_mib, "MiB"
        yield "both sinks together", self.options.backlog / (time.monotonic() - began), "ticks/s"

    def keys(self):
        return bench.KEYS | {"AWS_ENDPOINT_URL": self.sink}


def shipped(log):
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=5)) as connection:
        row = connection.execute("select next_offset from consumers where name = 's3'").fetchone()
        return row[0] - 1 if row else 0


def buckets(port, name):
    """The cumulative counts of a histogram, by upper bound in seconds."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {float(line.split('le="')[1].split('"')[0]): float(line.rsplit(" ", 1)[1])
            for line in text.splitlines() if line.startswith(f"{name}_bucket")}


def quantile(counts, share):
    """Within a bucket as if its values lay evenly in it."""
    bounds = sorted(counts)
    wanted, below, lower = share * counts[bounds[-1]], 0.0, 0.0
    for bound in bounds:
        if counts[bound] >= wanted and bound != float("inf"):
            return lower + (bound - lower) * (wanted - below) / max(1, counts[bound] - below)
        below, lower = counts[bound], bound
    return lower


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickwal", default=bench.ROOT / ".build/release/tickwal")
    parser.add_argument("--backlog", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="how long a rate is looked at (default: 20)")
    parser.add_argument("--limit", type=float, default=1_800)
    parser.add_argument("--streams", default="1,100,5000")
    parser.add_argument("--only", default=",".join(STAGES), help="stages, separated by commas")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(STAGES):
        parser.error(f"--only: no such stage: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="tickwal-bench.") as name, bench.nginx(pathlib.Path(name)) as sink:
        measured = Bench(options, pathlib.Path(name), sink)
        print(f"backlog {options.backlog:,}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
        for stage in options.only.split(","):
            for what, value, unit in getattr(measured, stage)():
                print(f"{stage:10}{what:44}{value:14,.2f} {unit}", flush=True)


if __name__ == "__main__":
    main()
