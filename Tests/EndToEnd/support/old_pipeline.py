#!/usr/bin/env python3
"""A small stand-in of the Python pipeline that tickwal takes the place of: its variables, rows, items and names.

It keeps what it has received in memory until a batch is full or old enough, as that one did.
"""

import gzip
import json
import os
import socket
import sys
import time
from datetime import datetime, timezone
from decimal import Decimal

import boto3
from botocore.config import Config
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, Request, TextMessage

NAMES = {
    "s": "symbol", "c": "close_price", "o": "open_price", "h": "high_price",
    "l": "low_price", "v": "total_traded_volume", "q": "total_traded_base_asset_volume",
}
NUMBERS = {"event_time", *NAMES.values()} - {"symbol"}


def row(message: str) -> dict:
    combined = json.loads(message)
    event = combined["data"]
    time_of_event = datetime.fromtimestamp(event["E"] / 1000, timezone.utc)
    return {
        "event_type": event["e"], "event_time": event["E"],
        "iso_timestamp": time_of_event.strftime("%Y-%m-%dT%H-%M-%S.%fZ"), "stream_type": combined["stream"],
        **{name: event[key] for key, name in NAMES.items()},
    }


class Sinks:
    def __init__(self, environment: dict[str, str]):
        def client(service: str):
            return boto3.client(
                service, region_name=environment.get("REGION", "ap-southeast-1"),
                config=Config(s3={"addressing_style": "path"}),
            )

        self._s3, self._dynamo = client("s3"), client("dynamodb")
        self._bucket = environment.get("S3_BUCKET", "crypto-live-bucket")
        self._folder = environment.get("S3_JSONL_DIR_PATH", "batch_jsonl")
        self._name = environment.get("S3_FILENAME", "miniticker")
        self._table = environment.get("DYNAMO_TABLE_NAME", "crypto-live-miniticker")
        self._lifetime = int(environment.get("RETENTION_TTL_DAYS", "1")) * 86_400

    def put(self, rows: list[dict]) -> str:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H-%M-%SZ")
        key = f"{self._folder}/{self._name}-{now}.jsonl.gz"
        text = "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in rows)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=gzip.compress(text.encode()))
        return key

    def write(self, each: dict) -> None:
        values = {
            name: {"N": str(Decimal(str(value)))} if name in NUMBERS else {"S": value}
            for name, value in each.items() if name not in ("stream_type", "iso_timestamp")
        } | {"ttl_days": {"N": str(int(time.time()) + self._lifetime)}}
        self._dynamo.update_item(
            TableName=self._table,
            Key={name: {"S": each[name]} for name in ("stream_type", "iso_timestamp")},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )


def main() -> None:
    environment = dict(os.environ)
    host, _, port = environment["BINANCE_WS_URL"].removeprefix("ws://").partition(":")
    sinks, rows, message, started = Sinks(environment), [], "", time.monotonic()
    size, wait = int(environment.get("MAX_BATCH_SIZE", "1000")), float(environment.get("MAX_BATCH_TIMEOUT", "10"))
    connection = socket.create_connection((host, int(port)))
    protocol = WSConnection(ConnectionType.CLIENT)
    target = f"/stream?streams={environment['STREAMS'].replace(',', '/')}"
    connection.sendall(protocol.send(Request(host=f"{host}:{port}", target=target)))
    print("connected", file=sys.stderr, flush=True)
    while data := connection.recv(65_536):
        protocol.receive_data(data)
        for event in protocol.events():
            if isinstance(event, Ping):
                connection.sendall(protocol.send(event.response()))
            elif isinstance(event, TextMessage):
                message += event.data
                if event.message_finished:
                    rows.append(row(message))
                    sinks.write(rows[-1])
                    message = ""
            else:
                assert isinstance(event, AcceptConnection), event
        if len(rows) >= size or rows and time.monotonic() - started >= wait:
            print(f"uploaded {len(rows)} rows to {sinks.put(rows)}", file=sys.stderr, flush=True)
            rows, started = [], time.monotonic()


if __name__ == "__main__":
    main()
