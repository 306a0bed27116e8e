"""Places where objects and Parquet files lie: a bucket, or a folder as `tickwal run --local` makes it."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path


class Folder:
    has_metadata = False
    """A folder's objects are just their bodies."""

    def __init__(self, root: Path):
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def list(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Keys below a folder, with the time at which each was written."""
        for path in sorted((self._root / prefix).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield str(path.relative_to(self._root)), datetime.fromtimestamp(path.stat().st_mtime, UTC)

    def get(self, key: str) -> tuple[bytes, dict[str, str]] | None:
        """The body and the metadata; None if there is nothing."""
        try:
            return (self._root / key).read_bytes(), {}
        except FileNotFoundError:
            return None

    def made_of(self, key: str) -> str | None:
        """The digest that a Parquet was put with."""
        import duckdb

        path = self._root / key
        if not path.exists():
            return None
        found = duckdb.execute(
            "select value from parquet_kv_metadata(?) where key = 'sources'", [str(path)]
        ).fetchone()
        return found and bytes(found[0]).decode()

    def put(self, key: str, file: Path, made_of: str) -> None:
        """Under its name only when it is whole and on the disk."""
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        with open(file, "rb") as whole, open(part, "wb") as copy:
            shutil.copyfileobj(whole, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.replace(part, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


class Bucket:
    has_metadata = True

    def __init__(self, name: str, prefix: str):
        import boto3

        self._name, self._prefix = name, prefix.strip("/")
        self._s3 = boto3.session.Session().client("s3", region_name=os.environ.get("REGION") or "ap-southeast-1")

    def __str__(self) -> str:
        return f"s3://{self._name}/{self._prefix}"

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    def list(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._key(prefix) + "/")
        for page in pages:
            for entry in page.get("Contents", []):
                yield entry["Key"].removeprefix(self._key("")), entry["LastModified"]

    def get(self, key: str) -> tuple[bytes, dict[str, str]] | None:
        try:
            answer = self._s3.get_object(Bucket=self._name, Key=self._key(key))
        except self._s3.exceptions.NoSuchKey:
            return None
        return answer["Body"].read(), answer["Metadata"]

    def made_of(self, key: str) -> str | None:
        from botocore.exceptions import ClientError

        try:
            return self._s3.head_object(Bucket=self._name, Key=self._key(key))["Metadata"].get("sources")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            return None

    def put(self, key: str, file: Path, made_of: str) -> None:
        """One PUT: readers see the old object or the new one, never half."""
        with open(file, "rb") as body:
            self._s3.put_object(Bucket=self._name, Key=self._key(key), Body=body, Metadata={"sources": made_of})


def place(name: str) -> Folder | Bucket:
    if name.startswith("s3://"):
        bucket, _, prefix = name.removeprefix("s3://").partition("/")
        return Bucket(bucket, prefix)
    return Folder(Path(name))
