"""A bucket that demands encryption, and keys of KMS."""

import json

import pytest

from support.delivery import assert_objects
from support.ticks import combined, mini_tickers


@pytest.fixture
def imported(tickwal, make_place, ministack):
    """A program with a backlog of 250 ticks for its bucket, and the place."""
    place = make_place()
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(250)))
    tickwal.succeed("import", file)
    tickwal.environment |= place.environment(ministack.url) | {"DYNAMO_WRITE": "0"}
    return tickwal, place


def check(tickwal, place):
    assert_objects(tickwal.log, place.objects(), tickwal.log.ticks(), most_rows=100)
    assert set(place.versions().values()) == {1}


def test_a_bucket_that_demands_encryption_is_waited_for_and_then_served(imported, ministack):
    tickwal, place = imported
    ministack.client("s3").put_bucket_policy(Bucket=place.bucket, Policy=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{place.bucket}/*",
            "Condition": {"Null": {"s3:x-amz-server-side-encryption": "true"}},
        }],
    }))
    ship = tickwal.start("ship")
    ship.wait_until_said("AccessDenied")
    ship.check()
    ship.kill()
    assert place.keys_under() == [] and tickwal.log.next_offsets() == {"s3": 1}
    assert tickwal.log.value("select count(*) from dead_letters") == 0
    tickwal.drain(S3_SSE="AES256")
    check(tickwal, place)
    assert {stored.headers["ServerSideEncryption"] for stored in place.objects()} == {"AES256"}


@pytest.mark.parametrize("form", ["id", "arn", "alias"])
def test_objects_name_the_key_of_kms_that_was_configured(imported, ministack, form):
    tickwal, place = imported
    kms = ministack.client("kms")
    made = kms.create_key(Description=f"for {place.bucket}")["KeyMetadata"]
    alias = f"alias/{place.bucket}"
    kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    name = {"id": made["KeyId"], "arn": made["Arn"], "alias": alias}[form]
    tickwal.drain(S3_SSE="aws:kms", S3_SSE_KMS_KEY_ID=name)
    check(tickwal, place)
    s3 = ministack.client("s3")
    keys = place.keys_under()
    assert any("/_logs/" in key for key in keys)
    for key in keys:
        head = s3.head_object(Bucket=place.bucket, Key=key)
        # This stand-in keeps the name as it was sent; S3 would answer with the key's ARN.
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", name), key
