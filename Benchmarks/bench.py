#!/usr/bin/env python3
"""Measures the stages of tickwal, the whole program each time, against a baseline in Python in the same run.

Sender, sinks and tickwal share this machine's cores. Each stage runs three times; the median is printed with
ticks a second, CPU time of tickwal alone for each tick, and peak memory.

  feed       simulate -> run -> log, until the last tick is durable
  import     file -> log
  objects    backlog -> gzip JSONL -> PUT to nginx, which answers at once
  level3     the same with S3_GZIP_LEVEL=3
  items      backlog -> UpdateItem to nginx, which answers at once
  batch      the same with DYNAMO_WRITE_MODE=batch; what items has given is its baseline
  both       objects and items at a time, for the peak memory of a full backlog
  local      backlog -> files and table in a folder
  steady     400 ticks a second in bursts of 8, both sinks: what a day costs

Baselines: what the Python pipeline does (json + gzip on one core, boto3's update_item in 20 threads, sqlite3 with
1,000 rows a commit), and beside it the plainest loop in C (Benchmarks/c): the same rows into the same table, the
same text through zlib, the same bodies over curl, 64 at a time. For steady both loops in C, the log's and the items',
at the same pace.
"""

import argparse
import contextlib
import datetime
import functools
import gzip
import itertools
import json
import multiprocessing
import multiprocessing.pool
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
import threading
import time
import urllib.parse

from bursts import Bursts

ROOT = pathlib.Path(__file__).resolve().parent.parent
STAGES = ("feed", "import", "objects", "level3", "items", "batch", "local", "both", "steady")
BURST, STEADY_RATE = 8, 400
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
STREAMS = [f"sym{number:03d}usdt@miniTicker" for number in range(400)]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(**variables):
    """From nothing; and how full this machine's disk is must not matter."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DISK_LOW": "0", "DISK_STOP": "0",
            "BALLAST_SIZE": "0", "HTTP_LISTEN": "off", **variables}


class Usage:
    """CPU seconds and peak memory of one process that has ended."""

    def __init__(self, usage, peak_mib, seconds):
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak_mib = peak_mib or usage.ru_maxrss / 1024
        self.seconds = seconds


class Measured:
    """One process of tickwal, its CPU seconds and peak memory at its end. It is killed when it takes too long, and
    when the measuring ends before it does."""

    def __init__(self, arguments, folder, limit, **variables):
        self.arguments = [str(argument) for argument in arguments]
        self._messages = folder / "messages"
        with open(self._messages, "wb") as messages:
            self._process = subprocess.Popen(self.arguments, env=environment(**variables), stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=messages)
        self._limit = limit
        self._is_late = False
        self._timer = threading.Timer(limit, self._end_late)
        self._timer.daemon = True
        self._timer.start()
        # ru_maxrss of a process begins with what its parent had when it was started, and this one may be large.
        self._peak_mib = 0
        threading.Thread(target=self._watch_peak, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._timer.cancel()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()

    def _watch_peak(self):
        while self._process.returncode is None:
            with contextlib.suppress(OSError, ValueError):
                self._peak_mib = max(self._peak_mib, peak_so_far(self._process.pid))
            time.sleep(0.03)

    def _end_late(self):
        self._is_late = True
        self._process.kill()

    @property
    def pid(self):
        return self._process.pid

    @property
    def is_running(self):
        return self._process.poll() is None

    def terminate(self):
        self._process.terminate()

    def end(self, began):
        """Waits for its end, which must be a good one."""
        # The system tells the usage to who waits, and Popen would wait without asking for it.
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._timer.cancel()
        seconds = time.monotonic() - began
        if self._is_late:
            self.fail(f"did not end within {self._limit:g} s")
        if self._process.returncode != 0:
            self.fail(f"ended with {self._process.returncode}")
        return Usage(usage, self._peak_mib, seconds)

    def said(self):
        return self._messages.read_text(errors="replace")

    def fail(self, what):
        sys.exit(f"{' '.join(self.arguments)} {what}:\n{self.said()[-2000:]}")


def run_to_end(arguments, folder, limit, **variables):
    began = time.monotonic()
    with Measured(arguments, folder, limit, **variables) as process:
        return process.end(began)


@contextlib.contextmanager
def nginx(folder):
    """Stores nothing and answers at once what an empty bucket and DynamoDB would: every PUT and POST succeeds, every
    listing is empty, no key is there.

    Without If-None-Match, to which nginx answers 304 by itself, also for a PUT.
    """
    port = free_port()
    config, log = folder / "nginx.conf", folder / "nginx.log"
    nothing = ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
               "<Name>crypto-live-bucket</Name><Prefix></Prefix><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>"
               "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated></ListBucketResult>")
    absent = ('<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code>'
              "<Message>The specified key does not exist.</Message></Error>")
    config.write_text(f"""
        load_module /usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so;
        load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
        daemon off; master_process off; pid {folder}/nginx.pid; error_log {log} crit;
        worker_rlimit_nofile 8192;
        events {{ worker_connections 4096; }}
        http {{
          access_log off; client_max_body_size 128m; client_body_buffer_size 1m; keepalive_requests 100000000;
          client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fcgi;
          uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
          server {{
            listen 127.0.0.1:{port};
            location = / {{ default_type application/x-amz-json-1.0; return 200 '{{}}'; }}
            location ~ ^/crypto-live-bucket/?$ {{ default_type application/xml; return 200 '{nothing}'; }}
            location /crypto-live-bucket/ {{
              default_type application/xml;
              if ($request_method != PUT) {{ return 404 '{absent}'; }}
              more_clear_input_headers If-None-Match; echo_read_request_body; echo ok;
            }}
            location / {{ return 400; }}
          }}
        }}""")
    process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-e", log, "-c", config],
                               stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("nginx did not start: " + log.read_text())
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def head(log):
    with contextlib.closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True, timeout=5)) as connection:
        row = connection.execute("select value from meta where key = 'head'").fetchone()
        return row[0] if row else 0


@contextlib.contextmanager
def exchange(tickwal, *options):
    """The URL of a stand-in exchange."""
    simulate = subprocess.Popen(
        [tickwal, "simulate", "--listen", "127.0.0.1:0", *options],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        with simulate.stdout:
            url = simulate.stdout.readline().decode().strip()
            if not url:
                sys.exit("the stand-in exchange did not start")
            yield url
    finally:
        simulate.kill()
        simulate.wait()


def bench_feed(tickwal, folder, count, limit):
    """From the last look at the log that found it empty to the first that finds everything in it."""
    log = folder / "feed.db"
    with exchange(tickwal, "--rate", "0", "--count", str(count)) as url, Measured(
            [tickwal, "run"], folder, limit, WAL_PATH=str(log), BINANCE_WS_URL=url, STREAMS=",".join(STREAMS),
            S3_WRITE="0", DYNAMO_WRITE="0") as run:
        now = empty = time.monotonic()
        done = 0
        while done < count:
            if not run.is_running:
                run.fail(f"ended, or was ended after {limit:g} s, with {done:,} of {count:,} ticks")
            time.sleep(0.01)
            now = time.monotonic()
            done = head(log) if log.exists() and log.stat().st_size else 0
            if not done:
                empty = now
        run.terminate()
        usage = run.end(empty)
    usage.seconds = now - empty
    return usage


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


def first_lines(file, count):
    with open(file) as lines:
        return list(itertools.islice(lines, count))


def apart(baseline, *arguments):
    """Its result, computed in a process of its own: a program's peak memory begins with that of who starts it."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(baseline, arguments)


def baseline_rows(recorded, level):
    """json.loads, the row, json.dumps, gzip: 1,000 rows an object."""
    lines = first_lines(recorded, 50_000)
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
            gzip.compress("\n".join(batch).encode(), level)
            batch = []
    return len(lines) / (time.monotonic() - began)


def baseline_items(recorded, endpoint):
    """The old pipeline's way: a pool of 20 threads that share one client."""
    try:
        import boto3
        import botocore.config
    except ImportError:
        return None
    lines, threads = first_lines(recorded, 2_000), 20
    client = boto3.client("dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="bench",
                          aws_secret_access_key="bench",
                          config=botocore.config.Config(max_pool_connections=threads))

    def write(line):
        client.update_item(**item(line))

    with multiprocessing.pool.ThreadPool(threads) as pool:
        began = time.monotonic()
        pool.map(write, lines, chunksize=1)
        return len(lines) / (time.monotonic() - began)


def baseline_sqlite(recorded, folder):
    lines = first_lines(recorded, 50_000)
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


class Loops:
    """The plainest loops in C, made when they are first needed."""

    LIBRARIES = {"append": ["sqlite3"], "deflate": ["z"], "items": ["curl", "crypto"]}

    def __init__(self, folder, repeat):
        self._folder, self._repeat = folder, repeat

    def _made(self, name):
        program = self._folder / f"loop-{name}"
        if not program.exists():
            compiler = shutil.which("cc") or shutil.which("clang")
            if not compiler:
                sys.exit("there is no C compiler for the baselines: install gcc")
            subprocess.run([compiler, "-O2", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-o", program,
                            ROOT / f"Benchmarks/c/{name}.c", *(f"-l{library}" for library in self.LIBRARIES[name])],
                           check=True)
        return program

    def run(self, name, *arguments, before=lambda: None):
        """So many a second, and CPU microseconds for each: medians."""
        runs = []
        for _ in range(self._repeat):
            before()
            done = subprocess.run([self._made(name), *map(str, arguments)], check=True, capture_output=True, text=True)
            runs.append(tuple(map(float, done.stdout.split())))
        return tuple(statistics.median(column) for column in zip(*runs))


NUMBERS = {"c": "close_price", "o": "open_price", "h": "high_price", "l": "low_price", "v": "total_traded_volume",
           "q": "total_traded_base_asset_volume"}


def row(line):
    """What the object has of a recorded message, without white space."""
    message = json.loads(line)
    event = message["data"]
    time_of_event = datetime.datetime.fromtimestamp(event["E"] / 1000, datetime.timezone.utc)
    return {"event_type": event["e"], "event_time": event["E"],
            "iso_timestamp": time_of_event.strftime("%Y-%m-%dT%H-%M-%S.%fZ"), "stream_type": message["stream"],
            "symbol": event["s"], **{name: event[key] for key, name in NUMBERS.items()}}


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def item(line):
    """The body of an UpdateItem for it."""
    values = row(line) | {"ttl_days": 1_700_086_400}
    key = {name: {"S": values.pop(name)} for name in ("stream_type", "iso_timestamp")}
    types = {"event_type": "S", "symbol": "S"}
    return {"TableName": "crypto-live-miniticker", "Key": key,
            "UpdateExpression": "SET " + ",".join(f"#{name}=:{name}" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {f":{name}": {types.get(name, "N"): str(value)}
                                          for name, value in values.items()}}


def write_lines(path, make, recorded):
    with open(recorded) as lines, open(path, "w") as file:
        file.writelines(compact(make(line)) + "\n" for line in lines)
    return path


def usage_so_far(pid):
    """CPU seconds and context switches of a process, all its threads together, and its peak memory in MiB."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    switches = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        with contextlib.suppress(OSError):
            switches += sum(int(line.split()[1]) for line in status.read_text().splitlines() if "ctxt_switches" in line)
    return ticks / os.sysconf("SC_CLK_TCK"), switches, peak_so_far(pid)


def peak_so_far(pid):
    """Of a process that runs; a ValueError for one that has ended. MiB."""
    [peak] = [line.split()[1] for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
              if line.startswith("VmHWM")]
    return int(peak) / 1024


def loops_at_the_pace(loops, folder, recorded, items, url, seconds):
    """CPU microseconds a tick of the loops in C, for the log and for the items, at the pace of steady."""
    log, count = folder / "loop.db", round(STEADY_RATE * seconds)

    def remove():
        for file in folder.glob(f"{log.name}*"):
            file.unlink()

    appending = loops.run("append", recorded, log, BURST, count, STEADY_RATE, before=remove)
    return round(appending[1] + loops.run("items", items, url, BURST, count, STEADY_RATE)[1], 1)


def bench_steady(tickwal, folder, recorded, url, seconds, limit):
    """A rate as on most days, once everything runs. The streams are so few that the URL names them all."""
    log, streams = folder / "steady.db", STREAMS[:100]
    with open(recorded) as lines:
        messages = [line.strip().encode() for line in itertools.islice(lines, 100_000)
                    if json.loads(line)["stream"] in streams]
    with Bursts(messages, STEADY_RATE, BURST) as feed, Measured(
            [tickwal, "run"], folder, limit, WAL_PATH=str(log), STREAMS=",".join(streams), AWS_ENDPOINT_URL=url,
            BINANCE_WS_URL=f"{feed.url}/stream?streams={'/'.join(map(urllib.parse.quote, streams))}", **KEYS) as run:
        while not log.exists() or not log.stat().st_size or head(log) < STEADY_RATE:
            if not run.is_running:
                run.fail("ended, or was ended")
            time.sleep(0.05)
        before, began, cpu, switches = head(log), time.monotonic(), *usage_so_far(run.pid)[:2]
        time.sleep(seconds)
        now, now_switches, peak = usage_so_far(run.pid)
        took, ticks = time.monotonic() - began, head(log) - before
        run.terminate()
        run.end(began)
    return {"ticks_per_second": round(ticks / took), "cpu_microseconds_per_tick": round((now - cpu) / ticks * 1e6, 1),
            "peak_mib": round(peak, 1), "percent_of_a_core": round((now - cpu) / took * 100, 2),
            "context_switches_per_second": round((now_switches - switches) / took)}


class Table:
    """A line for each stage, printed as soon as it is known."""

    def __init__(self):
        self.results = {}
        print(f"{'stage':10}{'ticks/s':>12}{'CPU µs/tick':>14}{'peak MiB':>11}{'baseline/s':>13}{'ratio':>9}"
              f"{'C/s':>12}{'ratio':>8}{'C CPU µs':>11}{'ratio':>8}")

    def add_steady(self, runs):
        """The turn with the middle ratio to the loops in C."""
        def ratio(run):
            return run["cpu_microseconds_per_tick"] / run["loop_cpu_microseconds"]

        middle = sorted(runs, key=ratio)[len(runs) // 2]
        print(f"{'steady':10}{middle['ticks_per_second']:12,.0f}{middle['cpu_microseconds_per_tick']:14.2f}"
              f"{max(run['peak_mib'] for run in runs):11.1f}    {middle['percent_of_a_core']} % of a core, "
              f"{middle['context_switches_per_second']} context switches a second; in C "
              f"{middle['loop_cpu_microseconds']:.1f} µs, {ratio(middle):.2f} times", flush=True)
        self.results["steady"] = {**middle, "baseline_per_second": None}

    def add(self, stage, runs, baseline=None, turns=()):
        """runs: (ticks, Usage) of each repetition; turns: what ``Loops.run`` has given after each."""
        rate = statistics.median(ticks / usage.seconds for ticks, usage in runs)
        cpu = statistics.median(usage.cpu / ticks * 1e6 for ticks, usage in runs)
        peak = max(usage.peak_mib for _, usage in runs)
        loop = tuple(map(statistics.median, zip(*turns)))
        compared = f"{baseline:13,.0f}{rate / baseline:8.1f}x" if baseline else ""
        if loop:
            compared += f"{loop[0]:12,.0f}{rate / loop[0]:7.2f}x{loop[1]:11.2f}{cpu / loop[1]:7.2f}x"
        print(f"{stage:10}{rate:12,.0f}{cpu:14.2f}{peak:11.1f}{compared}", flush=True)
        self.results[stage] = {"ticks_per_second": round(rate), "cpu_microseconds_per_tick": round(cpu, 2),
                               "peak_mib": round(peak, 1), "baseline_per_second": baseline and round(baseline)}
        if loop:
            self.results[stage] |= {"loop_per_second": round(loop[0]), "loop_cpu_microseconds": round(loop[1], 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickwal", default=ROOT / ".build/release/tickwal")
    parser.add_argument("--ticks", type=int, default=1_000_000, help="backlog (default: a million)")
    parser.add_argument("--slow-ticks", type=int, default=200_000,
                        help="backlog of items, batch and local, if less than that (default: 200,000)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--steady-seconds", type=float, default=20, help="how long steady looks on (default: 20)")
    parser.add_argument("--limit", type=float, default=900,
                        help="seconds until a process that has not ended counts as failed (default: 900)")
    parser.add_argument("--only", help="stages, separated by commas")
    parser.add_argument("--json", help="write the figures to this file, too")
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(STAGES) if options.only else set()
    if unknown:
        parser.error(f"--only: no such stage: {', '.join(sorted(unknown))}")
    # Whoever ends this ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    tickwal = str(options.tickwal)
    wanted = lambda stage: not options.only or stage in options.only.split(",")  # noqa: E731

    with tempfile.TemporaryDirectory(prefix="tickwal-bench.") as name, nginx(pathlib.Path(name)) as url:
        folder = pathlib.Path(name)
        recorded, beginning = folder / "recorded.jsonl", folder / "beginning.jsonl"
        few = min(options.ticks, options.slow_ticks)
        make_file(recorded, options.ticks)
        with open(recorded) as file, open(beginning, "w") as start:
            start.writelines(itertools.islice(file, few))
        print(f"{options.ticks:,} ticks, {recorded.stat().st_size / 2**20:.0f} MiB, {os.cpu_count()} cores, "
              f"load {os.getloadavg()[0]:.1f}, median of {options.repeat}\n")
        table = Table()

        def measure(*arguments, **variables):
            return run_to_end([tickwal, *arguments], folder, options.limit, **variables)

        def remove(log):
            for file in folder.glob(f"{log.name}*"):
                file.unlink()

        # One turn after each of the program's: what a machine gives changes within minutes.
        loops = Loops(folder, 1)
        rows = functools.cache(lambda: write_lines(folder / "rows", row, recorded))
        items = functools.cache(lambda: write_lines(folder / "items", item, beginning))
        durable = apart(baseline_sqlite, recorded, folder)

        def append():
            remove(folder / "loop.db")
            return loops.run("append", recorded, folder / "loop.db", 1_000)

        if wanted("feed"):
            runs, turns = [], []
            for _ in range(options.repeat):
                runs.append((options.ticks, bench_feed(tickwal, folder, options.ticks, options.limit)))
                remove(folder / "feed.db")
                turns.append(append())
            table.add("feed", runs, durable, turns)

        backlogs = {options.ticks: folder / "backlog.db", few: folder / "few.db"}
        imports, turns = [], []
        for _ in range(options.repeat if wanted("import") else 1):
            remove(backlogs[options.ticks])
            imports.append((options.ticks, measure("import", recorded, WAL_PATH=str(backlogs[options.ticks]))))
            if wanted("import"):
                turns.append(append())
        if wanted("import"):
            table.add("import", imports, durable, turns)
        if few < options.ticks:
            measure("import", beginning, WAL_PATH=str(backlogs[few]))

        def ship(stage, ticks, arguments=(), baseline=lambda: None, loop=None, **variables):
            if not wanted(stage):
                return
            runs, turns = [], []
            for _ in range(options.repeat):
                log = folder / "ship.db"
                shutil.copyfile(backlogs[ticks], log)
                usage = measure("ship", *arguments, WAL_PATH=str(log), AWS_ENDPOINT_URL=url, **KEYS, **variables)
                runs.append((ticks, usage))
                remove(log)
                shutil.rmtree(folder / "local", ignore_errors=True)
                if loop:
                    turns.append(loop())
            table.add(stage, runs, baseline(), turns)

        for stage, level in ("objects", 6), ("level3", 3):
            ship(stage, options.ticks, baseline=lambda level=level: apart(baseline_rows, recorded, level),
                 loop=lambda level=level: loops.run("deflate", rows(), level, 1_000),
                 DYNAMO_WRITE="0", S3_GZIP_LEVEL=str(level))
        ship("items", few, baseline=lambda: apart(baseline_items, recorded, url),
             loop=lambda: loops.run("items", items(), url, 64), S3_WRITE="0")
        ship("batch", few, baseline=lambda: table.results.get("items", {}).get("ticks_per_second"), S3_WRITE="0",
             DYNAMO_WRITE_MODE="batch")
        ship("local", few, arguments=("--local", str(folder / "local")))
        ship("both", options.ticks)
        if wanted("steady"):
            runs = []
            for _ in range(options.repeat):
                runs.append(bench_steady(tickwal, folder, recorded, url, options.steady_seconds, options.limit)
                            | {"loop_cpu_microseconds": loops_at_the_pace(loops, folder, recorded, items(), url,
                                                                          options.steady_seconds)})
                remove(folder / "steady.db")
            table.add_steady(runs)
        if options.json:
            pathlib.Path(options.json).write_text(json.dumps(table.results, indent=2) + "\n")


if __name__ == "__main__":
    main()
