#!/usr/bin/env python3
"""What `tickwal fleet` takes where ten logs have shipped for a year: time, requests and memory.

The bucket is made up: five shards of two replicas, 5,000 streams, and so many gaps a day in each log, of all its streams,
a few seconds to minutes long. A server in this process has it in memory, and answers each GET after `--latency`; it
takes a part of the same cores.

    fleet_year.py [--streams 5000] [--gaps-a-day 5] [--days 365] [--latency 20] [--foreign 0] [--tickwal PATH]
"""

import argparse
import bisect
import hashlib
import http.server
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from datetime import datetime, timedelta, timezone
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parents[1]
SHARDS, REPLICAS = 5, 2
DAY = timedelta(days=1)


def dashed(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def shard(stream: str, shards: int) -> int:
    return max(range(1, shards + 1), key=lambda k: hashlib.sha256(f"{stream}/{k}".encode()).digest())


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


class Bucket:
    """Keys in order, with what lies there."""

    def __init__(self, options):
        now = datetime.now(timezone.utc)
        began = now - options.days * DAY
        dice = random.Random(options.seed)
        names = [f"s{number}usdt@miniTicker" for number in range(options.streams)]
        self.bodies: dict[str, bytes] = {}
        self.gaps = 0
        for number in range(SHARDS * REPLICAS):
            log_id, part = f"{dice.getrandbits(64):016x}", number % SHARDS + 1
            streams = sorted(name for name in names if shard(name, SHARDS) == part)
            digest = hashlib.sha256("".join(f"{name}\n" for name in streams).encode()).hexdigest()
            self._make_gaps(dice, log_id, streams, began, now, options.gaps_a_day)
            longest = timedelta(seconds=300)
            self._put(f"_logs/{log_id}.json", {
                "claim": log_id, "consumers": {"s3": {"age_seconds": 0, "lag": 0, "may_wait_seconds": 10}},
                "covered_until": dashed(now), "feed": "running", "first_tick": dashed(began),
                "gap_bounds": {"longest_seconds": longest.total_seconds(), "oldest_open": dashed(now)}, "head": 1,
                "highest_planned_offset": 1, "host": f"host-{number}", "last_tick": dashed(now), "log_id": log_id,
                "open_gaps": {"causes": [], "count": 0, "streams": 0}, "shard": f"{part}/{SHARDS}",
                "streams": {"count": len(streams), "sha256": digest}, "version": "0.1.0", "written_at": dashed(now)})
            self._put(f"_logs/{log_id}.streams.json", {
                "log_id": log_id, "sha256": digest, "written_at": dashed(now),
                "streams": [{"from": dashed(began), "name": name, "to": None} for name in streams]})
        for number in range(options.foreign):
            self._put(f"_logs/foreign-{number}.json", {"who": "knows"})
        self.keys = sorted(self.bodies)

    def _make_gaps(self, dice, log_id, streams, began, now, a_day) -> None:
        moment, number, text = began, 0, compact(streams).decode()
        while (moment := moment + DAY * dice.expovariate(a_day)) < now - timedelta(minutes=10):
            number += 1
            self.gaps += 1
            start, end = (f"{time:%Y-%m-%dT%H:%M:%S.%fZ}" for time in (moment, moment + timedelta(seconds=dice.uniform(1, 300))))
            self.bodies[f"batch_jsonl/_gaps/dt={moment:%Y-%m-%d}/miniticker-{dashed(moment)}-{log_id}-{number}.jsonl"] = (
                f'{{"gap":{number},"log_id":"{log_id}","started_at":"{start}","ended_at":"{end}","cause":"closed",'
                f'"streams":{text}}}\n').encode()

    def _put(self, key: str, document: dict) -> None:
        self.bodies[f"batch_jsonl/{key}"] = compact(document)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket
    latency: float
    counts = {"LIST": 0, "GET": 0, "bytes": 0}
    lock = threading.Lock()

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        time.sleep(self.latency)
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        if "list-type" in query:
            body, status = self._page(query), 200
        else:
            found = self.bucket.bodies.get(urllib.parse.unquote(address.path).split("/", 2)[2])
            body, status = (found, 200) if found is not None else (b"<Error><Code>NoSuchKey</Code></Error>", 404)
        with self.lock:
            self.counts["LIST" if "list-type" in query else "GET"] += 1
            self.counts["bytes"] += len(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(body)

    def _page(self, query: dict) -> bytes:
        prefix, after = query.get("prefix", ""), query.get("continuation-token") or query.get("start-after", "")
        first = bisect.bisect_right(self.bucket.keys, max(after, "")) if after > prefix else bisect.bisect_left(self.bucket.keys, prefix)
        page = []
        while first < len(self.bucket.keys) and len(page) <= 1_000 and self.bucket.keys[first].startswith(prefix):
            page.append(self.bucket.keys[first])
            first += 1
        more = len(page) > 1_000
        page = page[:1_000]
        is_url = query.get("encoding-type") == "url"
        encode = urllib.parse.quote if is_url else escape
        contents = "".join(
            f"<Contents><Key>{encode(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<Size>{len(self.bucket.bodies[key])}</Size></Contents>" for key in page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        return (f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>b</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>1000</MaxKeys>"
                f"<IsTruncated>{str(more).lower()}</IsTruncated>"
                f"{'<EncodingType>url</EncodingType>' * is_url}{contents}{token}</ListBucketResult>").encode()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def ended(process: subprocess.Popen) -> tuple[bytes, float, float]:
    """What it printed, its seconds of CPU, its memory in MiB. A child's `ru_maxrss` is at least that of its parent."""
    most, parts = 0, []
    reader = threading.Thread(target=lambda: parts.append(process.stdout.read()))
    reader.start()
    while reader.is_alive():
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                most = max(most, int(line.split()[1]))
        reader.join(0.01)
    _, _, usage = os.wait4(process.pid, 0)
    return parts[0], usage.ru_utime + usage.ru_stime, most / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=5_000)
    parser.add_argument("--gaps-a-day", type=float, default=5, help="of each log")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--latency", type=float, default=20, help="of each request, in milliseconds")
    parser.add_argument("--foreign", type=int, default=0, help="objects of others below _logs/")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tickwal", default=str(ROOT / ".build/release/tickwal"))
    options = parser.parse_args()
    Handler.bucket, Handler.latency = Bucket(options), options.latency / 1_000
    print(f"{SHARDS * REPLICAS} logs, {options.streams:,} streams, {Handler.bucket.gaps:,} gaps of {options.days:,} days, "
          f"{sum(map(len, Handler.bucket.bodies.values())) / 1e6:,.0f} MB in {len(Handler.bucket.keys):,} objects; "
          f"each request takes {options.latency:g} ms", flush=True)
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {
        "PATH": os.environ["PATH"], "HOME": "/", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}", "S3_BUCKET": "bucket",
    }
    print("| asked for | LIST | GET | MB read | s | s of CPU | MiB at most | missing |\n|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, arguments in (("the last 24 hours", []), ("a day half a year ago", ["--day", f"{datetime.now(timezone.utc) - options.days / 2 * DAY:%Y-%m-%d}"]),
                            ("the whole time", ["--since", f"-{options.days - 1}d"])):
        Handler.counts.update(dict.fromkeys(Handler.counts, 0))
        began = time.monotonic()
        process = subprocess.Popen([options.tickwal, "fleet", "--json", *arguments], env=variables, stdout=subprocess.PIPE)
        printed, cpu, memory = ended(process)
        document = json.loads(printed)
        seconds = time.monotonic() - began
        if document["problems"]:
            print(f"WRONG: {document['problems'][:3]}")
            return 1
        counts = Handler.counts
        print(f"| {name} | {counts['LIST']:,} | {counts['GET']:,} | {counts['bytes'] / 1e6:,.1f} | {seconds:.1f} "
              f"| {cpu:.1f} | {memory:,.0f} | {len(document['missing']):,} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
