"""Services that are not quite AWS's, or answer what is not true: nothing is lost, held up or given up for it."""

import gzip
import json
import os
import signal
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from support.gateway import CheckingGateway, Key, Metadata
from support.ticks import combined, mini_ticker, mini_tickers
from support.waiting import wait_until

DAY = 86_400
HOUR = 3_600


@pytest.fixture
def gateway(ministack, secrets):
    between = CheckingGateway(ministack.port)
    yield between
    between.stop()
    secrets.extend(between.handed_out)


@pytest.fixture
def place(make_place, gateway, tickwal):
    """A bucket and a table behind the gateway, with a log of its own and no feed."""
    made = make_place("a@miniTicker")
    gateway.know(Key(made.keys.id, made.keys.secret))
    tickwal.environment |= made.environment(gateway.url) | {"STREAMS": "a@miniTicker"}
    return made


def keep(tickwal, ticks, **environment) -> None:
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in ticks))
    tickwal.succeed("import", file, **environment)


def expired(tickwal) -> int:
    return tickwal.log.value("select expired from consumers where name = 'dynamodb'")


def without(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in names}


def asked(gateway, operation: str) -> int:
    return sum(seen.operation == operation for seen in gateway.seen)


# Clocks


def test_one_wrong_date_of_the_table_gives_up_nothing(tickwal, place, gateway):
    keep(tickwal, mini_tickers(60))
    updates = []

    def after(seen, status, headers, content):
        if seen.operation == "UpdateItem":
            updates.append(seen)
            if len(updates) == 10:
                headers = without(headers, "date") | {"Date": formatdate(time.time() + 400 * DAY, usegmt=True)}
        return status, headers, content

    gateway.after = after
    tickwal.drain(DYNAMO_CONCURRENCY="1", S3_WRITE="0")
    assert len(place.items()) == 60 and expired(tickwal) == 0


def test_a_table_without_a_date_is_judged_by_this_machines_clock(tickwal, place, gateway, clock):
    clock.set(-3 * DAY)
    keep(tickwal, mini_tickers(200), **clock.environment)
    gateway.after = lambda seen, status, headers, content: (status, without(headers, "date"), content)
    ended = tickwal.drain(S3_WRITE="0")
    assert expired(tickwal) == 200 and place.items() == {}
    assert asked(gateway, "DescribeTable") <= 2
    assert ended.err.count("have no Date that can be read") == 1
    assert "their TTL had passed" in ended.err


def test_a_clock_hours_ahead_and_keys_of_the_instance(tickwal, place, gateway, clock, ministack, secrets):
    """The keys are good for six hours and this machine eight hours ahead."""
    key = Key(place.keys.id, place.keys.secret, None, time.time() + 6 * HOUR)
    metadata = Metadata(lambda: Key(key.id, key.secret, "", key.expires))
    keep(tickwal, mini_tickers(30))
    clock.set(8 * HOUR)
    try:
        ended = tickwal.drain(
            AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url,
            AWS_EC2_METADATA_DISABLED="false", AWS_ENDPOINT_URL=ministack.url, **clock.environment,
        )
    finally:
        metadata.stop()
    assert metadata.asked == 1, "they are good for hours"
    assert "signing by the server's from now on" in ended.err
    assert len(place.items()) == 30 and len(place.objects()) == 1


# Values


def test_numbers_that_the_table_cannot_hold_hold_nothing(tickwal, place):
    ticks = mini_tickers(20)
    odd = ["NaN", "Infinity", "", " 1", "0x10", "9" * 40, "1e200", "1e-200"] * 3
    for number, value in enumerate(odd):
        event = json.loads(mini_ticker("ODDUSDT", 1_665_778_700_000 + number, 1.5)) | {"c": value}
        ticks.append(("oddusdt@miniTicker", json.dumps(event)))
    keep(tickwal, ticks)
    ended = tickwal.drain()
    assert "shipping to it is held" not in ended.err
    assert tickwal.log.value("select count(*) from dead_letters") == 0
    items = place.items()
    assert len(items) == len(ticks)
    others = [item for (_, time), item in items.items() if "#" in time]
    assert len(others) == len(odd) and all("data" in item and "close_price" not in item for item in others)
    # Their rows have columns all the same.
    rows = [json.loads(row) for stored in place.objects() for row in stored.text.splitlines()]
    assert [row["close_price"] for row in rows if row["close_price"] in odd] == odd


# Stores


@pytest.mark.parametrize("header, status, content", [
    ("x-amz-checksum-sha256", 400, b"<Error><Code>InvalidArgument</Code><Message>Unsupported header "
     b"'x-amz-checksum-sha256' received for this API call.</Message></Error>"),
    ("if-none-match", 501, b""),
])
def test_a_store_that_refuses_a_header(tickwal, place, gateway, header, status, content):
    gateway.before = lambda seen: (
        (status, {}, content) if seen.operation == "PutObject" and header in seen.headers else None
    )
    keep(tickwal, mini_tickers(250))
    ended = tickwal.drain(DYNAMO_WRITE="0")
    assert ended.err.count("the store refuses a header") == 1
    assert len(place.objects()) == 3 and set(place.versions().values()) == {1}
    assert any("/_logs/" in key for key in place.keys_under())
    refused = [seen for seen in gateway.seen if seen.operation == "PutObject" and header in seen.headers]
    # Three objects at a time, each tried without the other header first where none is named.
    assert 1 <= len(refused) <= 6, "it is remembered"
    ended = tickwal.run_to_end("doctor", "--write", "--json")
    [look] = [check for check in json.loads(ended.out)["checks"] if check["name"] == "bucket-write"]
    assert look["verdict"] == "warning" and header in look["summary"].lower()
    assert gateway.complaints == []


def test_endpoints_of_the_profile_are_used(tickwal, place, gateway):
    config = tickwal.folder / "config"
    config.write_text(
        f"[profile private]\nservices = here\nendpoint_url = {gateway.url}\n"
        f"[services here]\ns3 =\n  endpoint_url = {gateway.url}\n"
    )
    keep(tickwal, mini_tickers(10))
    environment = {"AWS_ENDPOINT_URL": "", "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "private"}
    tickwal.drain(**environment)
    assert len(place.items()) == 10 and len(place.objects()) == 1
    config.write_text("[profile private]\nendpoint_url = nowhere\n")
    ended = tickwal.run_to_end("ship", **environment)
    assert ended.code == 78 and "endpoint_url of profile private=nowhere" in ended.err


def test_a_fifo_in_the_place_of_a_file_is_refused(tickwal, place):
    keep(tickwal, mini_tickers(1))
    fifo = tickwal.folder / "config"
    os.mkfifo(fifo)
    ended = tickwal.run_to_end("ship", AWS_CONFIG_FILE=str(fifo))
    assert ended.code == 78 and f"{fifo}: not a regular file" in ended.err


@pytest.mark.parametrize("signals", [1, 2])
def test_a_program_for_keys_that_hangs_is_not_left_behind(tickwal, place, signals):
    pid_file, config = tickwal.folder / "pid", tickwal.folder / "config"
    program = tickwal.folder / "keys"
    program.write_text(f"#!/bin/sh\nsleep 1000 & echo $! > {pid_file}; wait\n")
    program.chmod(0o755)
    config.write_text(f"[profile slow]\ncredential_process = {program}\n")
    run = tickwal.start(
        "run", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_PROFILE="slow", AWS_CONFIG_FILE=str(config),
        BINANCE_WS_URL="ws://127.0.0.1:1", SHUTDOWN_TIMEOUT="1",
    )
    run.wait_until(lambda: pid_file.exists() and pid_file.read_text().strip(), "the program has started")
    for _ in range(signals):
        run.send(signal.SIGTERM)
    run.end()
    pid = int(pid_file.read_text())
    wait_until(lambda: not is_running(pid), "what the program has started is gone", 20)


def is_running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


# Comparing


def test_one_object_that_cannot_be_read_does_not_end_the_comparison(tickwal, place, gateway):
    keep(tickwal, mini_tickers(250))
    tickwal.drain(DYNAMO_WRITE="0")
    first, second, third = sorted(stored.key for stored in place.objects())
    answers = {
        first: (403, {}, b"<Error><Code>InvalidObjectState</Code><Message>archived</Message></Error>"),
        second: (400, {}, b"<Error><Code>KMS.DisabledException</Code><Message>disabled</Message></Error>"),
    }

    def before(seen):
        return next((answer for key, answer in answers.items() if seen.path.endswith(key.rpartition("/")[2])), None)

    gateway.before = before
    ended = tickwal.run_to_end("reconcile", "--full", "--json", DYNAMO_WRITE="0")
    assert ended.code == 1
    [found] = json.loads(ended.out)["consumers"]
    assert (found["checked"], found["agreeing"], found["different"], found["failure"]) == (3, 1, 2, None)
    texts = [problem["text"] for problem in found["problems"]]
    assert first in texts[0] and "archived" in texts[0] and second in texts[1] and "decrypted" in texts[1]

    # One that ends it is named, and so is what was found before.
    answers[third] = (403, {}, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
    ended = tickwal.run_to_end("reconcile", "--full", "--json", DYNAMO_WRITE="0")
    assert ended.code == 1
    [found] = json.loads(ended.out)["consumers"]
    assert third in found["failure"] and "AccessDenied" in found["failure"] and third in ended.err


def test_objects_that_are_handed_out_unpacked_agree(tickwal, place, gateway):
    def after(seen, status, headers, content):
        if seen.operation == "GetObject" and content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
            headers = without(headers, "content-encoding", "content-length")
        return status, headers, content

    keep(tickwal, mini_tickers(120))
    tickwal.drain(DYNAMO_WRITE="0")
    gateway.after = after
    ended = tickwal.succeed("reconcile", "--full", DYNAMO_WRITE="0")
    assert "2 objects compared, 2 agree" in ended.out.decode()
