#!/usr/bin/env python3
"""Measures what a steady rate costs: CPU, memory, writes to the volume, objects, requests and bytes per million ticks.

MiniTickers of 400 symbols come in bursts, 50 a second at most; objects and items go to an nginx that answers at once.
The figures are those of tickwal alone (its own metrics, /proc/PID/io, wait4), without its start.
"""

import argparse
import os
import pathlib
import re
import tempfile
import time
import urllib.request

import bench
from bursts import Bursts


def metrics(port: int) -> dict[str, float]:
    """Sums of each metric over its labels; by operation or consumer besides."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for name, labels, value in re.findall(r"^(tickwal_\w+)(?:\{([^}]*)\})? (\S+)", text, re.MULTILINE):
        kind = re.search(r'(?:operation|consumer)="(\w+)"', labels or "")
        for key in (name, kind and f"{name} {kind[1]}"):
            if key:
                found[key] = found.get(key, 0) + float(value)
    return found


def now(pid: int, port: int) -> dict[str, float]:
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    io = dict(line.split(": ") for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines())
    cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return metrics(port) | {"cpu": cpu, "written": float(io["write_bytes"])}


def measure(tickwal: str, folder: pathlib.Path, rate: int, seconds: float, settings: dict[str, str]) -> dict[str, float]:
    file = folder / "ticks.jsonl"
    if not file.exists():
        bench.make_file(file, 20_000)
    messages = [line.strip().encode() for line in bench.first_lines(file, 20_000)]
    port = bench.free_port()
    log = folder / f"{rate}-{time.monotonic_ns()}.db"
    with Bursts(messages, rate, max(1, rate // 50)) as exchange, bench.nginx(folder) as sink, bench.Measured(
        [tickwal, "run"], folder, seconds + 120, WAL_PATH=str(log), BINANCE_WS_URL=exchange.url,
        STREAMS=",".join(bench.STREAMS), AWS_ENDPOINT_URL=sink, **bench.KEYS,
        **{"HTTP_LISTEN": f"127.0.0.1:{port}"} | settings,
    ) as run:
        while not (log.exists() and log.stat().st_size and bench.head(log) > rate):
            time.sleep(0.1)
        before = now(run.pid, port)
        time.sleep(seconds)
        after = now(run.pid, port)
        run.terminate()
        usage = run.end(time.monotonic())
    gained = {name: value - before.get(name, 0) for name, value in after.items()}
    ticks = gained["tickwal_log_appended_ticks_total"]
    million = 1e6 / ticks
    requests = "tickwal_aws_requests_total"
    return {
        "ticks/s": ticks / seconds,
        "CPU %": 100 * gained["cpu"] / seconds,
        "CPU s": gained["cpu"] * million,
        "peak MiB": usage.peak_mib,
        "commits/s": gained["tickwal_log_commit_duration_seconds_count"] / seconds,
        "written KiB/s": gained["written"] / 1024 / seconds,
        "written MB": gained["written"] * million / 1e6,
        "objects": gained["tickwal_ship_objects_total"] * million,
        "PutObject": gained.get(f"{requests} PutObject", 0) * million,
        "UpdateItem": gained.get(f"{requests} UpdateItem", 0) * million,
        "BatchWriteItem": gained.get(f"{requests} BatchWriteItem", 0) * million,
        "items": gained.get("tickwal_ship_ticks_total dynamodb", 0) * million,
        "all requests": gained[requests] * million,
        "object MB": gained.get("tickwal_ship_bytes_total s3", 0) * million / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickwal", default=str(bench.ROOT / ".build/release/tickwal"))
    parser.add_argument("--rates", default="20,400,5000")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of tickwal")
    parser.add_argument("--against", metavar="NAME=VALUE", help="measure each rate without and with this setting, in turn")
    parser.add_argument("--turns", type=int, default=1, help="how often each is measured (default: 1)")
    given = parser.parse_args()
    variants = [[], [given.against]] if given.against else [[]]
    runs = [(rate, more) for rate in map(int, given.rates.split(",")) for _ in range(given.turns) for more in variants]
    with tempfile.TemporaryDirectory() as name:
        for number, (rate, more) in enumerate(runs):
            settings = dict(each.split("=", 1) for each in given.set + more)
            row = measure(given.tickwal, pathlib.Path(name), rate, given.seconds, settings)
            if number == 0:
                print("| rate | set | load | " + " | ".join(row) + " |\n|--:|---|" + "--:|" * (len(row) + 1))
            cells = " | ".join(f"{value:,.1f}" for value in row.values())
            print(f"| {rate} | {' '.join(more)} | {os.getloadavg()[0]:.1f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
