#!/usr/bin/env python3
"""Measures the stages of tickwal, the whole program each time, against a baseline in Python in the same run.

Sender, sinks and tickwal share this machine's cores. Each stage runs three times; the median is printed with
ticks a second, CPU time of tickwal alone for each tick, and peak memory.

  feed       simulate -> run -> log, until the last tick is durable
  import     file -> log
  objects    backlog -> gzip JSONL -> PUT to nginx, which answers at once
  items      backlog -> UpdateItem to nginx, which answers at once
  both       objects and items at a time, for the peak memory of a full backlog
  local      backlog -> files and table in a folder

Baselines: what the Python pipeline does with one core (json + gzip, boto3's update_item one at a time, sqlite3
with 1,000 rows a commit).
"""

import argparse
import contextlib
import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
STREAMS = [f"sym{number:03d}usdt@miniTicker" for number in range(400)]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(**variables):
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}


class Usage:
    """CPU seconds and peak memory of one process that has ended."""

    def __init__(self, usage, seconds):
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak_mib = usage.ru_maxrss / 1024
        self.seconds = seconds


def run_to_end(arguments, **variables):
    began = time.monotonic()
    process = subprocess.Popen(arguments, env=environment(**variables), stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{arguments} ended with {process.returncode}:\n{stderr.decode(errors='replace')[-2000:]}")
    return Usage(usage, time.monotonic() - began)


@contextlib.contextmanager
def nginx(folder):
    """Answers every request at once. Notes beside the objects are not there.

    Without If-None-Match, to which nginx answers 304 by itself, also for a PUT.
    """
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(f"""
        load_module /usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so;
        load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
        daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
        worker_rlimit_nofile 8192;
        events {{ worker_connections 4096; }}
        http {{
          access_log off; client_max_body_size 128m; client_body_buffer_size 1m; keepalive_requests 100000000;
          client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
          uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
          server {{
            listen 127.0.0.1:{port};
            location / {{ return 200 '{{}}'; }}
            location /crypto-live-bucket/ {{ more_clear_input_headers If-None-Match; echo_read_request_body; echo ok; }}
            location ~ /_logs/ {{
              if ($request_method = GET) {{ return 404 '<Error><Code>NoSuchKey</Code></Error>'; }}
              return 200;
            }}
          }}
        }}""")
    process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", config])
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit("nginx did not start: " + (folder / "nginx.log").read_text())
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def head(log):
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=5)) as connection:
        row = connection.execute("select value from meta where key = 'head'").fetchone()
        return row[0] if row else 0


def bench_feed(tickwal, folder, count):
    log = folder / "feed.db"
    simulate = subprocess.Popen(
        [tickwal, "simulate", "--listen", "127.0.0.1:0", "--rate", "0", "--count", str(count)],
        env=environment(), stdout=subprocess.PIPE)
    url = simulate.stdout.readline().decode().strip()
    run = subprocess.Popen(
        [tickwal, "run"], stderr=subprocess.DEVNULL,
        env=environment(WAL_PATH=str(log), BINANCE_WS_URL=url, STREAMS=",".join(STREAMS), S3_WRITE="0",
                        DYNAMO_WRITE="0"))
    began = None
    deadline = time.monotonic() + 600
    while True:
        done = head(log) if log.exists() and log.stat().st_size else 0
        now = time.monotonic()
        if began is None and done:
            began, first = now, done
        if done >= count:
            break
        if run.poll() is not None or now > deadline:
            sys.exit("run did not receive everything")
        time.sleep(0.01)
    seconds = now - began
    run.send_signal(signal.SIGTERM)
    _, _, usage = os.wait4(run.pid, 0)
    simulate.terminate()
    simulate.wait()
    return Usage(usage, seconds), count - first


def make_file(path, count):
    """Combined messages as Binance sends them, with prices and volumes that walk at random."""
    walk = random.Random(1)
    now = 1_700_000_000_000
    prices = [walk.uniform(0.01, 60_000) for _ in STREAMS]
    volumes = [walk.uniform(1e3, 1e7) for _ in STREAMS]
    with open(path, "w") as file:
        for number in range(count):
            index = number % len(STREAMS)
            price = prices[index] = prices[index] * walk.uniform(0.999, 1.001)
            volumes[index] += walk.uniform(0, 10)
            event = {"e": "24hrMiniTicker", "E": now + number, "s": STREAMS[index].split("@")[0].upper(),
                     "c": f"{price:.8f}", "o": f"{price * walk.uniform(0.97, 1.03):.8f}",
                     "h": f"{price * walk.uniform(1, 1.05):.8f}", "l": f"{price * walk.uniform(0.95, 1):.8f}",
                     "v": f"{volumes[index]:.8f}", "q": f"{volumes[index] * price:.8f}"}
            file.write(json.dumps({"stream": STREAMS[index], "data": event}, separators=(",", ":")) + "\n")


def baseline_rows(lines):
    """json.loads, the row, json.dumps, gzip: 1,000 rows an object."""
    began = time.monotonic()
    batch = []
    for line in lines:
        message = json.loads(line)
        event = message["data"]
        batch.append(json.dumps({"event_type": event["e"], "event_time": event["E"], "stream_type": message["stream"],
                                 "symbol": event["s"], "close_price": event["c"], "open_price": event["o"],
                                 "high_price": event["h"], "low_price": event["l"],
                                 "total_traded_volume": event["v"],
                                 "total_traded_base_asset_volume": event["q"]}))
        if len(batch) == 1000:
            gzip.compress("\n".join(batch).encode(), 6)
            batch = []
    return len(lines) / (time.monotonic() - began)


def baseline_items(lines, endpoint):
    try:
        import boto3
    except ImportError:
        return None
    table = boto3.resource("dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="bench",
                           aws_secret_access_key="bench").Table("t")
    began = time.monotonic()
    for line in lines:
        message = json.loads(line)
        event = message["data"]
        table.update_item(
            Key={"stream_type": message["stream"], "iso_timestamp": str(event["E"])},
            UpdateExpression="SET event_type=:e,symbol=:s,close_price=:c",
            ExpressionAttributeValues={":e": event["e"], ":s": event["s"], ":c": event["c"]})
    return len(lines) / (time.monotonic() - began)


def baseline_sqlite(lines, folder):
    path = folder / "baseline.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table t(offset integer primary key, stream text, payload text)")
    began = time.monotonic()
    for start in range(0, len(lines), 1000):
        connection.execute("begin")
        for line in lines[start:start + 1000]:
            message = json.loads(line)
            connection.execute("insert into t(stream, payload) values (?, ?)",
                               (message["stream"], json.dumps(message["data"])))
        connection.execute("commit")
    rate = len(lines) / (time.monotonic() - began)
    connection.close()
    path.unlink()
    return rate


class Table:
    """A line for each stage, printed as soon as it is known."""

    def __init__(self):
        self.results = {}
        print(f"{'stage':10}{'ticks/s':>12}{'CPU µs/tick':>14}{'peak MiB':>11}{'baseline/s':>13}{'ratio':>9}")

    def add(self, stage, runs, baseline=None):
        """runs: (ticks, Usage) of each repetition."""
        rate = statistics.median(ticks / usage.seconds for ticks, usage in runs)
        cpu = statistics.median(usage.cpu / ticks * 1e6 for ticks, usage in runs)
        peak = max(usage.peak_mib for _, usage in runs)
        compared = f"{baseline:13,.0f}{rate / baseline:8.1f}x" if baseline else ""
        print(f"{stage:10}{rate:12,.0f}{cpu:14.2f}{peak:11.1f}{compared}", flush=True)
        self.results[stage] = {"ticks_per_second": round(rate), "cpu_microseconds_per_tick": round(cpu, 2),
                               "peak_mib": round(peak, 1), "baseline_per_second": baseline and round(baseline)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickwal", default=ROOT / ".build/release/tickwal")
    parser.add_argument("--ticks", type=int, default=1_000_000, help="backlog (default: a million)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", help="stages, separated by commas")
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    tickwal = str(options.tickwal)
    wanted = lambda stage: not options.only or stage in options.only.split(",")  # noqa: E731

    with tempfile.TemporaryDirectory(prefix="tickwal-bench.") as name, nginx(pathlib.Path(name)) as url:
        folder = pathlib.Path(name)
        recorded = folder / "recorded.jsonl"
        make_file(recorded, options.ticks)
        with open(recorded) as file:
            lines = [next(file) for _ in range(min(50_000, options.ticks))]
        cores = os.cpu_count()
        print(f"{options.ticks:,} ticks, {recorded.stat().st_size / 2**20:.0f} MiB, {cores} cores, "
              f"median of {options.repeat}\n")
        table = Table()

        durable = baseline_sqlite(lines, folder)
        if wanted("feed"):
            runs = []
            for _ in range(options.repeat):
                usage, ticks = bench_feed(tickwal, folder, options.ticks)
                runs.append((ticks, usage))
                for file in folder.glob("feed.db*"):
                    file.unlink()
            table.add("feed", runs, durable)

        backlog = folder / "backlog.db"
        imports = []
        for _ in range(options.repeat if wanted("import") else 1):
            for file in folder.glob("backlog.db*"):
                file.unlink()
            imports.append((options.ticks, run_to_end([tickwal, "import", recorded], WAL_PATH=str(backlog))))
        if wanted("import"):
            table.add("import", imports, durable)

        def ship(stage, ticks, arguments=(), baseline=None, **variables):
            if not wanted(stage):
                return
            runs = []
            for _ in range(options.repeat):
                log = folder / "ship.db"
                shutil.copyfile(backlog, log)
                if ticks < options.ticks:
                    trim(log, ticks)
                usage = run_to_end([tickwal, "ship", *arguments], WAL_PATH=str(log), AWS_ENDPOINT_URL=url, **KEYS,
                                   **variables)
                runs.append((ticks, usage))
                for file in folder.glob("ship.db*"):
                    file.unlink()
                shutil.rmtree(folder / "local", ignore_errors=True)
            table.add(stage, runs, baseline)

        few = min(options.ticks, 200_000)
        ship("objects", options.ticks, baseline=baseline_rows(lines), DYNAMO_WRITE="0")
        ship("items", few, baseline=baseline_items(lines[:2_000], url), S3_WRITE="0")
        ship("local", few, arguments=("--local", str(folder / "local")))
        ship("both", options.ticks)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(table.results, indent=2) + "\n")


def trim(log, ticks):
    """Leaves the first ticks alone, so that slow stages need not ship the whole backlog."""
    with contextlib.closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute("delete from ticks where offset > ?", (ticks,))
        connection.execute("update meta set value = ? where key = 'head'", (ticks,))
        connection.execute("pragma wal_checkpoint(truncate)")


if __name__ == "__main__":
    main()
