"""Where objects and items are, as whoever checks them sees it: folders, or S3 and DynamoDB."""

import json
import os
import pathlib
import sqlite3
from decimal import Decimal

from support import oracle
from support.delivery import StoredObject, is_batch, local_gaps, told_gaps

NUMBERS = {"event_time", "ttl_days", *oracle.PRICES.values()}
REGION = "ap-southeast-1"


class Folder:
    consumers = ("local-s3", "local-dynamodb")
    """Of the objects and of the items."""

    def __init__(self, folder: pathlib.Path):
        self._folder, self._root = folder, folder / "objects"
        self._seen: dict[str, tuple] = {}
        self._table: sqlite3.Connection | None = None

    def new_objects(self) -> list[str]:
        found = []
        for folder in self._root.glob("batch_jsonl/dt=*/hour=*"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    key = str(pathlib.Path(entry.path).relative_to(self._root)) if entry.path not in self._seen else None
                    if key:
                        self._seen[entry.path] = self._state(entry.path)
                        found.append(key)
        return found

    def _state(self, path: str) -> tuple:
        state = os.stat(path)
        return state.st_ino, state.st_size, state.st_mtime_ns

    def read(self, key: str) -> StoredObject:
        return StoredObject(key, (self._root / key).read_bytes())

    def _rows(self, sql: str, *arguments) -> list[sqlite3.Row]:
        if not self._table:
            self._table = sqlite3.connect(f"file:{self._folder / 'table.db'}?mode=ro", uri=True, timeout=30)
            self._table.row_factory = sqlite3.Row
        return self._table.execute(sql, arguments).fetchall()

    def items(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], dict]:
        return {
            key: _attributes(row) for key in keys
            for row in self._rows("select * from items where stream_type = ? and iso_timestamp = ?", *key)
        }

    def all_items(self):
        """Each key with its item."""
        for row in self._rows("select * from items"):
            yield (row["stream_type"], row["iso_timestamp"]), _attributes(row)

    def listed_streams(self, log_id: str) -> dict:
        """Which streams a log says that it has, and when."""
        return json.loads((self._root / f"batch_jsonl/_logs/{log_id}.streams.json").read_bytes())

    def forget(self, keys: list[tuple[str, str]]) -> None:
        """There is room for all of them."""

    def gaps(self) -> dict[int, dict]:
        return local_gaps(self._folder)

    def problems(self, ticks: int) -> list[str]:
        """At the end: whether anything is there that should not be, or was written again."""
        changed = [path for path, state in self._seen.items() if self._state(path) != state]
        problems = [f"{len(changed)} objects were written again, such as {changed[0]}"] if changed else []
        [(items,)] = self._table.execute("select count(*) from items").fetchall() if self._table else [(0,)]
        if items != ticks:
            problems.append(f"{items:,} items of {ticks:,} ticks, of which no two have one key")
        left = list((self._root / ".tmp").iterdir()) if self._root.exists() else []
        return problems + [f"killed processes left {len(left)} files behind"] * bool(left)


def _attributes(row: sqlite3.Row) -> dict:
    return {
        name: ("N", Decimal(row[name])) if name in NUMBERS else ("S", row[name])
        for name in row.keys() if row[name] is not None
    }


class Cloud:
    consumers = ("s3", "dynamodb")

    def __init__(self, url: str, keys, bucket: str, table: str):
        import boto3
        from botocore.config import Config

        def client(service):
            return boto3.client(
                service, endpoint_url=url, region_name=REGION, aws_access_key_id=keys.id,
                aws_secret_access_key=keys.secret,
                config=Config(retries={"max_attempts": 10}, read_timeout=120, s3={"addressing_style": "path"}),
            )

        self._s3, self._dynamo = client("s3"), client("dynamodb")
        self._bucket, self._table = bucket, table
        self._seen: set[str] = set()
        self._forgotten = 0

    def _keys(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def new_objects(self) -> list[str]:
        found = [key for key in self._keys() if is_batch(key) and key not in self._seen]
        self._seen.update(found)
        return found

    def read(self, key: str) -> StoredObject:
        return StoredObject(key, self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def items(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], dict]:
        found = {}
        for start in range(0, len(keys), 100):
            wanted = [_key(key) for key in keys[start:start + 100]]
            while wanted:
                answer = self._dynamo.batch_get_item(
                    RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}})
                for attributes in answer["Responses"][self._table]:
                    item = _plain(attributes)
                    found[item["stream_type"][1], item["iso_timestamp"][1]] = item
                wanted = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return found

    def all_items(self):
        """Each key with its item."""
        pages = self._dynamo.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
        for page in pages:
            for attributes in page["Items"]:
                item = _plain(attributes)
                yield (item["stream_type"][1], item["iso_timestamp"][1]), item

    def listed_streams(self, log_id: str) -> dict:
        """Which streams a log says that it has, and when."""
        return json.loads(self.read(f"batch_jsonl/_logs/{log_id}.streams.json").body)

    def forget(self, keys: list[tuple[str, str]]) -> None:
        """The stand-in keeps everything in memory: what was checked, and is trimmed in the log, goes."""
        for start in range(0, len(keys), 25):
            requests = [{"DeleteRequest": {"Key": _key(key)}} for key in keys[start:start + 25]]
            self._dynamo.batch_write_item(RequestItems={self._table: requests})
        self._forgotten += len(keys)

    def gaps(self) -> dict[int, dict]:
        return told_gaps(self.read(key) for key in self._keys() if "/_gaps/" in key)

    def problems(self, ticks: int) -> list[str]:
        versions: dict[str, int] = {}
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket):
            for version in page.get("Versions", []):
                if is_batch(version["Key"]):
                    versions[version["Key"]] = versions.get(version["Key"], 0) + 1
        again = [key for key, count in versions.items() if count > 1]
        problems = [f"{len(again)} objects were written again, such as {again[0]}"] if again else []
        items = sum(
            page["Count"] for page in self._dynamo.get_paginator("scan").paginate(
                TableName=self._table, Select="COUNT", ConsistentRead=True))
        if items + self._forgotten != ticks:
            problems.append(f"{items:,} items beside {self._forgotten:,} checked and deleted ones, of {ticks:,} ticks")
        return problems


def _key(key: tuple[str, str]) -> dict:
    return {"stream_type": {"S": key[0]}, "iso_timestamp": {"S": key[1]}}


def _plain(attributes: dict) -> dict:
    plain = {}
    for name, value in attributes.items():
        [(kind, text)] = value.items()
        plain[name] = (kind, Decimal(text) if kind == "N" else text)
    return plain
