"""`doctor` says what `run` would find, writes nothing, and exits 0 only if `run` would work."""

import json
import re

import pytest

from support.gateway import CheckingGateway, Key
from support.program import Ended


DOCTORS = ["batch_jsonl/_logs/doctor.json", "batch_jsonl/_logs/doctor.jsonl.gz"]
"""What `--write` puts, in the order of their names."""


def checks(ended: Ended) -> dict[str, dict]:
    found = json.loads(ended.out)
    assert found["ok"] == (ended.code == 0)
    return {check["name"]: check for check in found["checks"]}


@pytest.fixture
def ready(tickwal, make_place, simulate, ministack):
    """Everything that `run` needs."""
    place = make_place("btcusdt@miniTicker", "ethusdt@trade", api_key="topsecretapikey")
    tickwal.environment |= place.environment(ministack.url) | {"BINANCE_WS_URL": simulate()}
    return tickwal, place


def test_all_is_well(ready):
    tickwal, place = ready
    found = checks(tickwal.succeed("doctor", "--json"))
    verdicts = {name: check["verdict"] for name, check in found.items() if check["verdict"] != "ok"}
    # The test's user may not see the TTL, and nothing is written without being asked to.
    assert verdicts == {"ttl": "warning", "bucket-write": "skipped", "kinesis": "skipped"} | (
        {"space": "warning"} if found["space"]["verdict"] == "warning" else {}
    )
    assert "from the environment" in found["credentials"]["summary"]
    assert ":user/user-" in found["identity"]["summary"]
    assert "2 streams: btcusdt@miniTicker, ethusdt@trade" in found["secret"]["summary"]
    assert place.keys_under() == [] and place.items() == {} and not tickwal.path.exists()


def test_it_speaks_in_lines_and_writes_when_asked_to(ready):
    tickwal, place = ready
    ended = tickwal.succeed("doctor", "--write")
    text = ended.out.decode()
    assert "ok       bucket-write" in text and "ok       table-write" in text
    assert "opens a WebSocket of btcusdt@miniTicker; the feed asks for /stream?streams=…" in text
    assert re.search(r"ok       clock +0 s from that of STS, 0 s from that of S3, 0 s from that of DynamoDB", text) or (
        "ok       clock" in text and all(f"from that of {name}" in text for name in ("STS", "S3", "DynamoDB"))
    )
    assert place.keys_under() == DOCTORS and place.items() == {}
    # What is there from the first time is in nobody's way.
    assert "ok       bucket-write" in tickwal.succeed("doctor", "--write").out.decode()
    [stored] = [place.get(key) for key in DOCTORS if key.endswith(".gz")]
    assert stored.headers["ContentEncoding"] == "gzip" and stored.text == b""


def test_ttl_is_seen_by_who_may_see_it(ready, ministack):
    tickwal, place = ready
    admin = {"AWS_ACCESS_KEY_ID": ministack.admin.id, "AWS_SECRET_ACCESS_KEY": ministack.admin.secret}
    assert checks(tickwal.succeed("doctor", "--json", **admin))["ttl"]["verdict"] == "ok"
    ministack.client("dynamodb").update_time_to_live(
        TableName=place.table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "ttl_days"}
    )
    ttl = checks(tickwal.run_to_end("doctor", "--json", **admin))["ttl"]
    assert ttl["verdict"] == "failed"
    assert f"--table-name {place.table} --time-to-live-specification Enabled=true" in ttl["remedy"]


@pytest.mark.parametrize("environment, name, words", [
    ({"AWS_ACCESS_KEY_ID": "AKIDNOBODY"}, "identity", "InvalidClientTokenId"),
    ({"AWS_ACCESS_KEY_ID": ""}, "credentials", "access key ID"),
    ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "credentials",
     "no credentials found"),
    ({"PIPELINE_IAM_USER": "nobody"}, "credentials", "PIPELINE_IAM_USER is 'nobody'"),
    ({"BINANCE_WEBSOCKET_SECRET": "absent"}, "secret", ""),
    ({"S3_BUCKET": "no-such-bucket-here"}, "bucket", ""),
    ({"DYNAMO_TABLE_NAME": "absent"}, "table", ""),
    ({"BINANCE_WS_URL": "ws://127.0.0.1:1"}, "exchange", "ECONNREFUSED"),
    ({"WAL_PATH": "/nowhere/ticks.db"}, "log", "WAL_PATH"),
])
def test_what_is_in_the_way_is_named(ready, environment, name, words):
    tickwal, _ = ready
    ended = tickwal.run_to_end("doctor", "--json", **environment)
    assert ended.code == 1, ended.err
    found = checks(ended)
    assert name in {check for check, content in found.items() if content["verdict"] == "failed"}, found
    assert words in found[name]["summary"], found[name]
    assert name in ended.err


def test_an_exchange_that_refuses_the_upgrade_is_named(ready, make_exchange):
    tickwal, _ = ready
    refusal = b"HTTP/1.1 451 Unavailable For Legal Reasons\r\nContent-Length: 0\r\n\r\n"
    exchange = make_exchange(first=[lambda connection, _: connection.sendall(refusal)])
    ended = tickwal.run_to_end("doctor", "--json", BINANCE_WS_URL=exchange.url)
    assert ended.code == 1 and "451" in checks(ended)["exchange"]["summary"]
    assert "does not serve this country" in checks(ended)["exchange"]["remedy"]


def test_what_hangs_is_named_and_holds_up_nothing_else(ready, relay):
    tickwal, _ = ready
    relay.stall()
    process = tickwal.start("doctor", AWS_ENDPOINT_URL=relay.url)
    process.wait_until(lambda: b"ok       exchange" in process.out, "the exchange is told")
    assert process.is_running, "AWS is waited for"
    ended = process.end()
    text = ended.out.decode()
    # run does without STS.
    for verdict, name in [("warning", "identity"), ("failed ", "secret"), ("failed ", "bucket"), ("failed ", "table")]:
        assert re.search(rf"{verdict}  {name} +no answer within 8 s", text), text
    assert ended.code == 1 and "not everything is well: secret, bucket, table" in ended.err


def test_a_log_in_use_is_told_with_its_process_and_backlog(ready):
    tickwal, _ = ready
    run = tickwal.start("run", S3_BUCKET="not-there-at-all")
    run.wait_until(lambda: tickwal.path.exists() and tickwal.log.head > 5, "ticks are in the log")
    found = checks(tickwal.succeed("doctor", "--json"))
    assert found["process"]["summary"] == f"process {run.pid} has the log open"
    assert found["backlog"]["summary"].startswith("dynamodb ") and "; s3 " in found["backlog"]["summary"]
    run.kill()


def test_a_folder_is_looked_at_without_keys(tickwal, simulate):
    tickwal.environment |= {"BINANCE_WS_URL": simulate(), "STREAMS": "btcusdt@miniTicker"}
    folder = tickwal.folder / "out"
    found = checks(tickwal.succeed("doctor", "--json", "--local", folder))
    assert found["credentials"]["verdict"] == "skipped" and "is not there yet" in found["local"]["summary"]
    assert not folder.exists()

    folder.mkdir()
    found = checks(tickwal.succeed("doctor", "--json", "--local", folder))
    assert {name: found[name]["verdict"] for name in ("local", "objects", "objects-write", "items")} == {
        "local": "ok", "objects": "ok", "objects-write": "skipped", "items": "ok",
    }
    assert list(folder.iterdir()) == []
    found = checks(tickwal.succeed("doctor", "--json", "--write", "--local", folder))
    assert found["objects-write"]["verdict"] == "ok"
    written = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert written == [f"objects/{key}" for key in DOCTORS]

    (folder / "table.db").mkdir()
    ended = tickwal.run_to_end("doctor", "--json", "--local", folder)
    assert ended.code == 1 and "not a regular file" in checks(ended)["items"]["summary"]


def test_a_table_with_other_keys_is_named(ready, ministack):
    tickwal, place = ready
    table = f"{place.table}-other"
    ministack.client("dynamodb").create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
    )
    ended = tickwal.run_to_end(
        "doctor", "--json", DYNAMO_TABLE_NAME=table, AWS_ACCESS_KEY_ID=ministack.admin.id,
        AWS_SECRET_ACCESS_KEY=ministack.admin.secret,
    )
    assert ended.code == 1 and "has the keys id (N)" in checks(ended)["table"]["summary"]


def test_each_of_its_requests_is_signed_as_botocore_would(ready, ministack):
    tickwal, place = ready
    gateway = CheckingGateway(ministack.port)
    try:
        gateway.know(Key(place.keys.id, place.keys.secret))
        tickwal.succeed("doctor", "--write", AWS_ENDPOINT_URL=gateway.url)
        assert gateway.complaints == []
        assert {seen.operation for seen in gateway.seen} == {
            "GetCallerIdentity", "GetSecretValue", "HeadObject", "GetObject", "PutObject", "DescribeTable", "UpdateItem",
            "DescribeTimeToLive",
        }
    finally:
        gateway.stop()
