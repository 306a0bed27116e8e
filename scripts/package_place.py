#!/usr/bin/env python3
"""The bucket and the table of the packages' test, at a stand-in of AWS: `make` makes them, `wait` waits for a delivery."""

import sys
import time

import boto3
from botocore.exceptions import BotoCoreError

AWS = {
    "endpoint_url": "http://127.0.0.1:14566", "region_name": "ap-southeast-1", "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
}
NAME = "package-test"
PATIENCE = 60


def make(s3, dynamodb) -> bool:
    try:
        s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": AWS["region_name"]})
    except BotoCoreError:
        return False  # It is about to start.
    keys = [("stream_type", "HASH"), ("iso_timestamp", "RANGE")]
    dynamodb.create_table(
        TableName=NAME, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )
    return True


def has_both(s3, dynamodb) -> bool:
    objects = [each["Key"] for each in s3.list_objects_v2(Bucket=NAME).get("Contents", [])]
    batches = [key for key in objects if key.endswith(".jsonl.gz") and "/_" not in key]
    return bool(batches) and dynamodb.scan(TableName=NAME, Select="COUNT", Limit=10)["Count"] > 0


def main() -> None:
    step = {"make": make, "wait": has_both}[sys.argv[1]]
    s3, dynamodb = boto3.client("s3", **AWS), boto3.client("dynamodb", **AWS)
    deadline = time.monotonic() + PATIENCE
    while not step(s3, dynamodb):
        if time.monotonic() > deadline:
            sys.exit(f"package_place.py: '{sys.argv[1]}' did not succeed within {PATIENCE} s")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
