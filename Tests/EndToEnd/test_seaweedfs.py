"""A second S3 that shares no code with the first: what is sent is right, not merely accepted by one server."""

import base64
import hashlib
import itertools

import pytest
from botocore.exceptions import ClientError

from support.delivery import assert_objects
from support.relay import Relay
from support.ticks import combined, mini_tickers, odd_events

# One server is enough for all of them.
pytestmark = pytest.mark.xdist_group("seaweedfs")

FOLDER = "a=b/é+ ü/x y"
TICKS = mini_tickers(240) + odd_events()
_numbers = itertools.count(1)


@pytest.fixture
def between(seaweedfs):
    relay = Relay(seaweedfs.port)
    yield relay
    relay.stop()


@pytest.fixture
def bucket(seaweedfs):
    name = f"bucket-{next(_numbers):03}"
    seaweedfs.make_bucket(name)
    return name


@pytest.fixture
def imported(tickwal, seaweedfs, between, bucket, secrets):
    """A program with a backlog for this bucket, and only for it."""
    secrets.append(seaweedfs.keys.secret)
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in TICKS))
    tickwal.succeed("import", file)
    tickwal.environment |= {
        "S3_BUCKET": bucket, "S3_JSONL_DIR_PATH": FOLDER, "S3_FILENAME": "né+m=e x", "DYNAMO_WRITE": "0",
        "AWS_ENDPOINT_URL": between.url, **seaweedfs.keys.environment,
    }
    return tickwal


def planned(tickwal) -> int:
    """How many objects it should be; three, or four if an hour ended meanwhile."""
    return tickwal.log.value("select count(*) from batches")


def check(tickwal, objects):
    assert len(objects) == planned(tickwal) >= 3
    assert all(stored.key.startswith(FOLDER + "/dt=") for stored in objects)
    assert_objects(tickwal.log, objects, tickwal.log.ticks(), most_rows=100)
    for stored in objects:
        sha256 = base64.b64encode(hashlib.sha256(stored.body).digest()).decode()
        assert stored.headers["ChecksumSHA256"] == sha256, stored.key


@pytest.mark.parametrize("encryption", [None, "AES256"])
def test_objects_with_odd_keys_arrive_to_the_byte(imported, seaweedfs, bucket, encryption):
    imported.drain(**({"S3_SSE": encryption} if encryption else {}))
    objects = seaweedfs.objects(bucket)
    check(imported, objects)
    if encryption:
        for stored in objects:
            head = seaweedfs.s3.head_object(Bucket=bucket, Key=stored.key)
            assert head["ServerSideEncryption"] == encryption


def test_what_is_there_already_is_looked_at_and_kept(imported, seaweedfs, between, bucket):
    imported.drain()
    before = seaweedfs.objects(bucket)
    count = planned(imported)
    assert (between.count("PUT"), between.count("HEAD")) == (count, 0)
    ended = imported.succeed("replay", "--from-offset", "1", "--to", "s3")
    assert (between.count("PUT"), between.count("HEAD")) == (2 * count, count), ended.err
    after = seaweedfs.objects(bucket)
    check(imported, after)
    assert [(one.key, one.headers["LastModified"]) for one in after] == [
        (one.key, one.headers["LastModified"]) for one in before
    ]


def test_a_wrong_secret_is_named_and_tried_again(imported, seaweedfs, between, bucket, secrets):
    wrong = "notthesecretoftheseaweedfskey"
    secrets.append(wrong)
    file = imported.folder / "credentials"

    def write(secret):
        file.write_text(f"[ship]\naws_access_key_id = {seaweedfs.keys.id}\naws_secret_access_key = {secret}\n")

    write(wrong)
    ship = imported.start("ship", PIPELINE_IAM_USER="ship", AWS_SHARED_CREDENTIALS_FILE=str(file), LOG_LEVEL="trace")
    ship.wait_until_said("SignatureDoesNotMatch")
    # The first request is for the marker; it comes again and again.
    ship.wait_until(lambda: len(between.requests) > 2, "tries")
    assert seaweedfs.objects(bucket) == []
    assert imported.log.next_offsets() == {"s3": 1}
    write(seaweedfs.keys.secret)
    ended = ship.end()
    assert ended.code == 0, ended.err
    check(imported, seaweedfs.objects(bucket))


def test_this_server_checks_what_it_is_sent(seaweedfs, bucket):
    """The tests above are worth nothing if it took anything."""
    put = {"Bucket": bucket, "Key": "é=+ k"}
    with pytest.raises(ClientError, match="BadDigest|checksum"):
        seaweedfs.s3.put_object(**put, Body=b"x", ChecksumSHA256=base64.b64encode(bytes(32)).decode())
    seaweedfs.s3.put_object(**put, Body=b"x", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        seaweedfs.s3.put_object(**put, Body=b"y", IfNoneMatch="*")
    assert seaweedfs.s3.get_object(**put)["Body"].read() == b"x"
