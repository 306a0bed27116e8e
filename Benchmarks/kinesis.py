#!/usr/bin/env python3
"""Measures what tickwal puts into Kinesis: a backlog of mini tickers, `tickwal ship`, and a server in Python in place of
Kinesis that takes every record, after a round trip of so many milliseconds.

All share this machine's cores. Each delay runs several times; the median is printed, with CPU time and peak memory of
tickwal alone. Beside it: boto3's put_records with 500 records each, json and all, one request after the other.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import shutil
import socketserver
import statistics
import tempfile
import time

import bench

RECORDS = 500
DESTINATION = {"S3_WRITE": "0", "DYNAMO_WRITE": "0", "KINESIS_WRITE": "1", "KINESIS_STREAM": "bench"}


class Kinesis(socketserver.ThreadingTCPServer):
    """Takes every record and keeps none; counts requests, records and bytes of bodies."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, delay: float, counts):
        super().__init__(("127.0.0.1", 0), Connection)
        self.delay, self.counts, self.answers = delay, counts, {}

    def answer(self, records: int) -> bytes:
        if records not in self.answers:
            taken = {"SequenceNumber": "49590338271490256608559692538361571095921575989136588898", "ShardId": "shardId-0"}
            body = json.dumps({"FailedRecordCount": 0, "Records": [taken] * records}).encode()
            self.answers[records] = (b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\n"
                                     b"Content-Length: %d\r\n\r\n" % len(body)) + body
        return self.answers[records]


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while line := self.rfile.readline():
            length = 0
            while line not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
                elif name.lower() == b"expect":
                    self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                line = self.rfile.readline()
            # No base64 and no name of a stream has a quotation mark.
            records = self.rfile.read(length).count(b'"PartitionKey"')
            for place, count in enumerate((1, records, length)):
                self.server.counts[place] += count
            if self.server.delay:
                time.sleep(self.server.delay)
            self.wfile.write(self.server.answer(records))


def serve(delay: float, counts, port) -> None:
    with Kinesis(delay, counts) as server:
        port.send(server.server_address[1])
        server.serve_forever()


class Served:
    """The server, in a process of its own."""

    def __init__(self, delay: float):
        ours, theirs = multiprocessing.Pipe()
        self._counts = multiprocessing.Array("q", 3, lock=False)
        self._process = multiprocessing.Process(target=serve, args=(delay, self._counts, theirs), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{ours.recv()}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.join()

    def taken(self) -> list[int]:
        """Requests, records and bytes since the question was asked last."""
        counts, self._counts[:] = list(self._counts), [0, 0, 0]
        return counts


def plain(recorded: pathlib.Path, url: str, count: int) -> float:
    """Ticks a second of a loop in Python, as somebody would write it."""
    import boto3

    kinesis = boto3.client("kinesis", endpoint_url=url, region_name="us-east-1", aws_access_key_id="bench",
                           aws_secret_access_key="bench")
    lines = bench.first_lines(recorded, count)
    began, batch = time.monotonic(), []
    for offset, line in enumerate(lines, 1):
        message = json.loads(line)
        event = message["data"]
        row = {"log_id": "0123456789abcdef", "offset": offset, "event_type": event["e"], "event_time": event["E"],
               "stream_type": message["stream"], "symbol": event["s"], "close_price": event["c"],
               "open_price": event["o"], "high_price": event["h"], "low_price": event["l"],
               "total_traded_volume": event["v"], "total_traded_base_asset_volume": event["q"]}
        batch.append({"Data": json.dumps(row).encode(), "PartitionKey": message["stream"]})
        if len(batch) == RECORDS or offset == len(lines):
            kinesis.put_records(StreamName="bench", Records=batch)
            batch = []
    return len(lines) / (time.monotonic() - began)


def measure(tickwal: str, folder: pathlib.Path, backlog: pathlib.Path, ticks: int, delay: float, options) -> dict:
    runs = []
    with Served(delay) as kinesis:
        for _ in range(options.repeat):
            log = folder / "ship.db"
            shutil.copyfile(backlog, log)
            kinesis.taken()
            usage = bench.run_to_end(
                [tickwal, "ship"], folder, options.limit, WAL_PATH=str(log), AWS_ENDPOINT_URL=kinesis.url, **bench.KEYS,
                **DESTINATION)
            requests, records, size = kinesis.taken()
            if records != ticks:
                raise SystemExit(f"{records:,} records were put, of {ticks:,} ticks")
            runs.append({
                "ticks/s": ticks / usage.seconds, "CPU us/tick": usage.cpu / ticks * 1e6, "peak MiB": usage.peak_mib,
                "requests": requests, "bytes/tick": size / ticks, "MB/s": size / usage.seconds / 1e6})
            for file in folder.glob("ship.db*"):
                file.unlink()
        boto3 = bench.apart(plain, folder / "recorded.jsonl", kinesis.url, min(ticks, options.plain_ticks))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]} | {"boto3, ticks/s": boto3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickwal", default=str(bench.ROOT / ".build/release/tickwal"))
    parser.add_argument("--ticks", type=int, default=100_000, help="backlog (default: 100,000)")
    parser.add_argument("--plain-ticks", type=int, default=20_000, help="how many of them boto3 puts (default: 20,000)")
    parser.add_argument("--delays", default="0,5,20", help="round trips, milliseconds (default: 0,5,20)")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limit", type=float, default=900, help="seconds until a run counts as failed (default: 900)")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="tickwal-bench.") as name:
        folder = pathlib.Path(name)
        recorded, backlog = folder / "recorded.jsonl", folder / "backlog.db"
        bench.make_file(recorded, options.ticks)
        bench.run_to_end([options.tickwal, "import", recorded], folder, options.limit, WAL_PATH=str(backlog))
        print(f"{options.ticks:,} ticks, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, median of {options.repeat}\n")
        for delay in options.delays.split(","):
            rows.append((delay, measure(options.tickwal, folder, backlog, options.ticks, float(delay) / 1000, options)))
    print("| round trip, ms |" + " | ".join(rows[0][1]) + " |\n|" + "--:|" * (len(rows[0][1]) + 1))
    for delay, row in rows:
        print(f"| {delay} | " + " | ".join(f"{value:,.1f}" for value in row.values()) + " |")


if __name__ == "__main__":
    main()
