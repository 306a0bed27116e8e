"""SeaweedFS: a second S3 on this machine, by other authors, with signatures, checksums and encryption of its own."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .aws import REGION, Keys
from .delivery import StoredObject, is_batch
from .ports import free_ports
from .waiting import wait_until

_PORTS = ("master", "volume", "filer", "s3")


class SeaweedFS:
    def __init__(self, folder: Path):
        self.keys = Keys("AKIDSEAWEED", secrets.token_hex(20))
        self._log = folder / "seaweedfs.log"
        ports = free_ports(2 * len(_PORTS))
        self._ports = dict(zip(_PORTS, zip(ports[::2], ports[1::2])))
        self.port = self._ports["s3"][0]
        self.url = f"http://127.0.0.1:{self.port}"
        identity = {
            "name": "shipper", "actions": ["Admin"],
            "credentials": [{"accessKey": self.keys.id, "secretKey": self.keys.secret}],
        }
        identities = folder / "credentials-s3.json"
        identities.write_text(json.dumps({"identities": [identity]}))
        (folder / "data").mkdir()
        command = [
            Path(sys.executable).with_name("weed"), "server", f"-dir={folder}/data", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-master.telemetry=false", "-master.electionTimeout=1s",
            # A bucket takes several volumes, and by default there are eight of 30 GB.
            "-master.volumeSizeLimitMB=64", "-volume.max=50", "-filer", "-s3", f"-s3.config={identities}",
            "-s3.port.iceberg=0", "-s3.port.lance=0",
        ]
        for part, (plain, grpc) in self._ports.items():
            command += [f"-{part}.port={plain}", f"-{part}.port.grpc={grpc}"]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "WEED_S3_SSE_KEK": secrets.token_hex(32)},
            )
        self.s3 = boto3.client(
            "s3", endpoint_url=self.url, region_name=REGION, aws_access_key_id=self.keys.id,
            aws_secret_access_key=self.keys.secret,
            config=Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, connect_timeout=5, read_timeout=20
            ),
        )
        try:
            wait_until(self._stores_objects, "SeaweedFS stores objects", 120, self._check)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self._log.read_text(errors='replace')[-6000:]}") from None

    def _stores_objects(self) -> bool:
        """It answers well before its first volume can be written."""
        try:
            self.make_bucket("is-it-up")
            self.s3.put_object(Bucket="is-it-up", Key="probe", Body=b"1", ServerSideEncryption="AES256")
            return True
        except (BotoCoreError, ClientError):
            return False

    def _check(self) -> None:
        assert self._process.poll() is None, f"SeaweedFS ended with {self._process.returncode}"

    def make_bucket(self, name: str) -> None:
        with contextlib.suppress(self.s3.exceptions.BucketAlreadyOwnedByYou, self.s3.exceptions.BucketAlreadyExists):
            self.s3.create_bucket(Bucket=name)

    def objects(self, bucket: str, prefix: str = "") -> list[StoredObject]:
        """The batches, without marker and gaps; as boto3 reads them, which compares the checksum."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        found = []
        for key in keys:
            if is_batch(key):
                answer = self.s3.get_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
                found.append(StoredObject(key, answer["Body"].read(), answer))
        return found

    def stop(self) -> None:
        # Asked nicely it takes half a minute, and nobody wants its data.
        self._process.kill()
        self._process.wait()
        # It leaves its local sockets behind.
        for part, (plain, grpc) in self._ports.items():
            for name in (f"seaweedfs-{part}-{plain}", f"seaweedfs-{part}-grpc-{grpc}"):
                Path(f"/tmp/{name}.sock").unlink(missing_ok=True)


def start_seaweedfs(make_folder: Callable[[], Path]) -> SeaweedFS:
    """Tried again, with other ports, if somebody has taken one of its eight meanwhile."""
    for _ in range(3):
        try:
            return SeaweedFS(make_folder())
        except AssertionError as error:
            if "address already in use" not in str(error):
                raise
    return SeaweedFS(make_folder())
