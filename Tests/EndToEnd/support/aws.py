"""MiniStack: S3, DynamoDB, Kinesis, Secrets Manager and IAM on this machine, with signatures verified."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from .delivery import StoredObject, is_batch, told_gaps
from .ports import free_port
from .waiting import wait_until

REGION = "ap-southeast-1"


@dataclass(frozen=True)
class Keys:
    id: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}


class MiniStack:
    def __init__(self, folder: Path, hears_the_terminal: bool = True):
        """`hears_the_terminal`: Ctrl-C ends it as well."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.secrets: list[str] = []
        """Of every key that was made."""
        self._output = open(folder / "ministack.log", "wb")
        self._process = subprocess.Popen(
            [Path(sys.executable).with_name("ministack")], stdin=subprocess.DEVNULL, stdout=self._output,
            stderr=self._output, cwd=folder, start_new_session=not hears_the_terminal,
            env={
                "PATH": os.environ["PATH"], "HOME": str(folder), "AUTH": "true", "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(self.port), "MINISTACK_IMDS_V2_REQUIRED": "1",
            },
        )
        wait_until(self._answers, "MiniStack answers", 60, self._check)
        self.admin = self.make_user("admin", [("*", "*")])

    def _answers(self) -> bool:
        try:
            self._client("iam", Keys("test", "test")).list_users()
            return True
        except (BotoCoreError, ClientError):
            return False

    def _check(self) -> None:
        assert self._process.poll() is None, "MiniStack ended; see ministack.log"

    @property
    def pid(self) -> int:
        return self._process.pid

    def pause(self) -> None:
        """From now on it takes connections and requests, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _client(self, service: str, keys: Keys):
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=keys.id,
            aws_secret_access_key=keys.secret,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def client(self, service: str):
        return self._client(service, self.admin)

    def root(self, service: str):
        """With the key that may do everything, whatever the users may."""
        return self._client(service, Keys("test", "test"))

    def make_user(self, name: str, allowed: list[tuple[str, str]]) -> Keys:
        """A user with a key of its own that may do just this: pairs of action and resource."""
        iam = self._client("iam", Keys("test", "test"))
        iam.create_user(UserName=name)
        statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in allowed]
        iam.put_user_policy(
            UserName=name, PolicyName="allowed",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.secrets.append(key["SecretAccessKey"])
        return Keys(key["AccessKeyId"], key["SecretAccessKey"])


class Place:
    """A bucket, a table, a secret and a user that may use them, made for one test."""

    def __init__(self, stack: MiniStack, name: str, streams: list[str], has_sinks: bool = True, **secret):
        self.bucket, self.table, self.secret = f"bucket-{name}", f"table-{name}", f"secret-{name}"
        self.kinesis_stream = f"stream-{name}"
        """The name of one that the user may put records into; it is not made."""
        self._s3, self._dynamo = stack.client("s3"), stack.client("dynamodb")
        if has_sinks:
            self.make_sinks()
        self._secrets = stack.client("secretsmanager")
        self._secrets.create_secret(Name=self.secret, SecretString=json.dumps({"streams": streams, **secret}))
        self.keys = stack.make_user(
            f"user-{name}",
            [
                ("s3:PutObject", f"arn:aws:s3:::{self.bucket}/*"),
                ("s3:GetObject", f"arn:aws:s3:::{self.bucket}/*"),
                ("s3:ListBucket", f"arn:aws:s3:::{self.bucket}"),
                ("dynamodb:UpdateItem", f"arn:aws:dynamodb:*:*:table/{self.table}"),
                ("dynamodb:BatchWriteItem", f"arn:aws:dynamodb:*:*:table/{self.table}"),
                ("dynamodb:DescribeTable", f"arn:aws:dynamodb:*:*:table/{self.table}"),
                ("kinesis:PutRecords", f"arn:aws:kinesis:*:*:stream/{self.kinesis_stream}"),
                ("kinesis:DescribeStreamSummary", f"arn:aws:kinesis:*:*:stream/{self.kinesis_stream}"),
                ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:*:secret:{self.secret}*"),
            ],
        )

    def make_sinks(self) -> None:
        self._s3.create_bucket(
            Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        # With versions an overwritten object would show.
        self._s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        keys = [("stream_type", "HASH"), ("iso_timestamp", "RANGE")]
        self._dynamo.create_table(
            TableName=self.table, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
        )
        self._dynamo.update_time_to_live(
            TableName=self.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl_days"}
        )

    def change_secret(self, **fields) -> None:
        self._secrets.put_secret_value(SecretId=self.secret, SecretString=json.dumps(fields))

    def environment(self, url: str) -> dict[str, str]:
        """What tickwal needs to use it, by way of this endpoint."""
        return {
            "S3_BUCKET": self.bucket, "DYNAMO_TABLE_NAME": self.table,
            "BINANCE_WEBSOCKET_SECRET": self.secret, "AWS_ENDPOINT_URL": url, **self.keys.environment,
        }

    def keys_under(self, prefix: str = "") -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def get(self, key: str) -> StoredObject:
        answer = self._s3.get_object(Bucket=self.bucket, Key=key)
        return StoredObject(key, answer["Body"].read(), answer)

    def objects(self, prefix: str = "") -> list[StoredObject]:
        """The batches, without marker and gaps."""
        return [self.get(key) for key in self.keys_under(prefix) if is_batch(key)]

    def gaps(self) -> dict[int, dict]:
        """What the objects beside the batches say of each gap."""
        return told_gaps(self.get(key) for key in self.keys_under() if "/_gaps/" in key)

    def versions(self) -> dict[str, int]:
        """How often each batch's key was written."""
        counts: dict[str, int] = {}
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            for version in page.get("Versions", []):
                if is_batch(version["Key"]):
                    counts[version["Key"]] = counts.get(version["Key"], 0) + 1
        return counts

    def put(self, key: str, body: bytes, **headers) -> None:
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=body, **headers)

    def objects_of(self, log_id: str) -> list[StoredObject]:
        return [self.get(key) for key in self.keys_under() if is_batch(key) and f"-{log_id}-" in key]

    def delete_object(self, key: str) -> None:
        self._s3.delete_object(Bucket=self.bucket, Key=key)

    def items(self) -> dict[tuple[str, str], dict]:
        found = {}
        for page in self._dynamo.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            for attributes in page["Items"]:
                plain = {}
                for name, value in attributes.items():
                    [(kind, text)] = value.items()
                    plain[name] = (kind, Decimal(text) if kind == "N" else text)
                found[plain["stream_type"][1], plain["iso_timestamp"][1]] = plain
        return found

    def has_items(self, keys: list[tuple[str, str]]) -> bool:
        """Whether there is something under each of these keys."""
        for start in range(0, len(keys), 100):
            wanted = [
                {"stream_type": {"S": stream}, "iso_timestamp": {"S": time}} for stream, time in keys[start : start + 100]
            ]
            answer = self._dynamo.batch_get_item(
                RequestItems={self.table: {"Keys": wanted, "ProjectionExpression": "stream_type", "ConsistentRead": True}}
            )
            assert not answer.get("UnprocessedKeys")
            if len(answer["Responses"][self.table]) != len(wanted):
                return False
        return True

    def delete_item(self, key: tuple[str, str]) -> None:
        self._dynamo.delete_item(
            TableName=self.table, Key={"stream_type": {"S": key[0]}, "iso_timestamp": {"S": key[1]}}
        )

    def change_item(self, key: tuple[str, str], name: str, value: dict) -> None:
        self._dynamo.update_item(
            TableName=self.table, Key={"stream_type": {"S": key[0]}, "iso_timestamp": {"S": key[1]}},
            UpdateExpression="SET #name = :value", ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )
