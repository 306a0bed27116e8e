"""Each wrong setting: the exit status, and a line that names it, its value and what is allowed."""

import sqlite3

import pytest

from support.ticks import combined, mini_tickers

GOOD = {
    "STREAMS": "btcusdt@miniTicker", "BINANCE_WS_URL": "ws://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}


def lines(ended) -> list[str]:
    return [line for line in ended.err.splitlines() if line.startswith("tickwal: ")]


@pytest.mark.parametrize("variable, value, allowed", [
    ("MAX_BATCH_SIZE", "abc", "1 to 100,000"), ("MAX_BATCH_SIZE", "-5", "1 to 100,000"),
    ("MAX_BATCH_SIZE", "0", "1 to 100,000"), ("MAX_BATCH_TIMEOUT", "0", "above 0"),
    ("MAX_BATCH_TIMEOUT", "nan", "above 0"), ("S3_GZIP_LEVEL", "11", "1 to 9"),
    ("S3_UPLOAD_CONCURRENCY", "1001", "1 to 1,000"), ("DYNAMO_CONCURRENCY", "0", "1 to 1,000"),
    ("RETENTION_TTL_DAYS", "1.5", "whole number"), ("S3_WRITE", "yes", "0 or 1"),
    ("DYNAMO_WRITE", "2", "0 or 1"), ("KINESIS_WRITE", "x", "0 or 1"), ("KINESIS_STREAM", "a/b", "Kinesis stream"), ("DRAIN_ON_STOP", "true", "0 or 1"), ("TESTNET", "perhaps", "true"),
    ("S3_BUCKET", "No_Bucket", "S3 bucket name"), ("S3_KEY_LAYOUT", "tree", "hive or flat"),
    ("S3_COMPRESSION", "zstd", "gzip or none"), ("DYNAMO_TABLE_NAME", "a b", "DynamoDB table name"),
    ("STREAMS", "", "stream names"), ("STREAMS", "a@x,,b@x", "stream names"),
    ("STREAM_SHARD", "6/5", "such as 2/5"), ("STREAM_SHARD", "0/5", "such as 2/5"),
    ("FEED_STALE_SECONDS", "0", "seconds above 0"), ("FEED_MAX_AGE", "25", "hours above 0, at most 24"),
    ("STREAMS_REFRESH_SECONDS", "5m", "seconds above 0"),
    ("BINANCE_WS_URL", "http://127.0.0.1", "ws:// or wss://"), ("BINANCE_WS_URL", "ws://", "host"),
    ("BINANCE_WS_URL", "ws://***@127.0.0.1", "user name"),
    ("AWS_ENDPOINT_URL", "localhost:4566", "http:// or https://"), ("FEED_CA_BUNDLE", "/nowhere.pem", "readable"),
    ("WAL_PATH", "/nowhere/at/all/ticks.db", "folder"), ("WAL_PATH", "/proc/ticks.db", "WAL_PATH"),
    ("WAL_PATH", "/tmp", "regular file"), ("LOG_LEVEL", "loud", "info"), ("LOG_FORMAT", "xml", "text or json"),
    ("SHUTDOWN_TIMEOUT", "-1", "above 0"), ("COMMIT_LINGER_MS", "x", "whole number"),
])
def test_a_bad_value_exits_78_and_is_explained(tickwal, variable, value, allowed):
    ended = tickwal.run_to_end("run", **(GOOD | {variable: value}))
    assert ended.code == 78, ended.err
    [line] = lines(ended)
    assert variable in line and value[:50] in line and allowed in line
    assert ended.out == b""


def test_all_mistakes_are_reported_at_once(tickwal):
    ended = tickwal.run_to_end(
        "run", "--max-batch-size", "-1", "--s3-gzip-level=x", **(GOOD | {"TESTNET": "maybe", "STREAMS": ""})
    )
    assert ended.code == 78
    assert len(lines(ended)) == 4
    assert any("--max-batch-size is '-1'" in line for line in lines(ended))


@pytest.mark.parametrize("arguments", [
    ["run", "--no-such-flag"], ["run", "--max-batch-size"], ["no-such-command"], ["import"], ["replay"], [],
    ["run", "--max-batch-sizes", "5"],
])
def test_usage_errors_exit_64(tickwal, arguments):
    ended = tickwal.run_to_end(*arguments)
    assert ended.code == 64
    assert ended.err != ""


def test_a_file_that_is_not_a_log_is_left_alone(tickwal):
    diary = b"hello, I am a diary\n" * 500
    tickwal.path.write_bytes(diary)
    ended = tickwal.run_to_end("run", **GOOD)
    assert ended.code == 78 and str(tickwal.path) in ended.err, ended.err
    assert tickwal.path.read_bytes() == diary


def test_another_database_is_left_alone(tickwal):
    connection = sqlite3.connect(tickwal.path)
    connection.execute("create table diary(day)")
    connection.commit()
    connection.close()
    before = tickwal.path.read_bytes()
    ended = tickwal.run_to_end("run", **GOOD)
    assert ended.code == 78 and str(tickwal.path) in ended.err
    assert tickwal.path.read_bytes() == before


def make_log(tickwal, count=5):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(count)))
    tickwal.succeed("import", file)


def test_a_newer_log_is_left_alone(tickwal):
    make_log(tickwal)
    connection = sqlite3.connect(tickwal.path)
    [version] = connection.execute("pragma user_version").fetchone()
    connection.execute(f"pragma user_version = {version + 1}")
    connection.close()
    for command in ("run", "status"):
        ended = tickwal.run_to_end(command, **(GOOD if command == "run" else {}))
        assert ended.code == 78, ended.err
        assert str(version + 1) in ended.err and "newer" in ended.err


def test_an_unknown_profile_is_an_error_even_with_keys_in_the_environment(tickwal):
    ended = tickwal.run_to_end("run", PIPELINE_IAM_USER="nobody-knows-me", **GOOD)
    assert ended.code == 78
    assert "nobody-knows-me" in ended.err


def test_an_empty_list_in_the_secret_is_an_error(tickwal, make_place, ministack):
    place = make_place()
    ministack.client("secretsmanager").put_secret_value(SecretId=place.secret, SecretString='{"streams":[]}')
    ended = tickwal.run_to_end("run", BINANCE_WS_URL="ws://127.0.0.1:9", **place.environment(ministack.url))
    assert ended.code == 78
    assert place.secret in ended.err and "streams" in ended.err


def test_another_destination_needs_to_be_accepted(tickwal, make_place, ministack):
    one, other = make_place(), make_place()
    make_log(tickwal)
    tickwal.drain(**one.environment(ministack.url))
    ended = tickwal.run_to_end("ship", **other.environment(ministack.url))
    assert ended.code == 78
    assert one.bucket in ended.err and other.bucket in ended.err
    assert one.table in ended.err and other.table in ended.err
    tickwal.drain("--accept-destination", **other.environment(ministack.url))


def test_config_shows_what_is_in_force_and_from_where(tickwal):
    ended = tickwal.succeed(
        "config", "--max-batch-size=7", S3_BUCKET="my-bucket", AWS_SECRET_ACCESS_KEY="hunter2",
        BINANCE_WS_URL="wss://host/ws?listenKey=hunter3",
    )
    rows = {line.split()[0]: line.split() for line in ended.out.decode().partition("\n\n")[0].splitlines()}
    assert rows["MAX_BATCH_SIZE"][1:] == ["7", "rows", "flag", "*"]
    assert rows["S3_BUCKET"][1:] == ["my-bucket", "environment", "*"]
    assert rows["REGION"][1:] == ["ap-southeast-1", "default"]
    assert "hunter" not in ended.out.decode() + ended.err
