"""Each metric of the operators' page is there, no other is, and each moves when its cause happens."""

import contextlib
import json
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

from support.faults import Disk
from support.gateway import CheckingGateway, Key
from support.http import Scrape, address_of, get, wait_for
from support.ticks import combined, mini_tickers

# As OPERATIONS and the settled names have them.
NAMES_TEXT = """
feed_connections feed_connects_total feed_disconnects_total feed_messages_total feed_received_bytes_total
feed_last_tick_timestamp_seconds feed_event_delay_seconds feed_streams feed_streams_granted feed_streams_silent
feed_paused feed_duplicates_dropped_total feed_late_ticks_total feed_sequence_breaks_total gaps_open gaps_total
gap_stream_seconds_total feed_stream_seconds_total
log_appended_ticks_total log_appended_bytes_total log_commit_duration_seconds log_commit_ticks
log_append_wait_seconds log_queue_bytes log_queue_capacity_bytes log_head_offset log_oldest_offset log_file_bytes
log_sqlite_wal_bytes log_checkpoint_duration_seconds log_checkpoints_blocked_total log_volume_available_bytes
log_volume_size_bytes log_disk_state log_trimmed_ticks_total
ship_next_offset ship_lag_ticks ship_oldest_unshipped_timestamp_seconds ship_last_success_timestamp_seconds
ship_ticks_total ship_objects_total ship_bytes_total ship_delivery_seconds ship_in_flight ship_concurrency_limit
ship_open_batches ship_held dead_letters dead_letters_created_total ship_expired_ticks_total
ship_skipped_ticks_total ship_retention_seconds ship_batch_wait_seconds
aws_requests_total aws_request_duration_seconds aws_retries_total aws_throttles_total
aws_credentials_expiry_timestamp_seconds aws_clock_offset_seconds
logging_messages_total logging_messages_dropped_total streams_last_reload_success heartbeat_failures_total
http_requests_total build_info
"""
NAMES = NAMES_TEXT.split()
PROCESS = {
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_open_fds",
    "process_max_fds", "process_threads", "process_start_time_seconds",
}
STREAMS = ["btcusdt@miniTicker", "ethusdt@aggTrade"]


def start(tickwal, url, *arguments, **environment):
    return tickwal.start("run", *arguments, BINANCE_WS_URL=url, HTTP_LISTEN="127.0.0.1:0", **environment)


def test_every_name_is_there_and_no_other_and_each_moves(tickwal, make_place, ministack, simulate):
    place = make_place(*STREAMS)
    began = time.time()
    run = start(
        tickwal, simulate("--rate", "200"), HEARTBEAT_URL="http://127.0.0.1:1/5ecret", HEARTBEAT_SECONDS="0.1",
        **place.environment(ministack.url))
    address = address_of(run)
    moved = wait_for(
        run, address, "both destinations are fed, and heartbeats fail",
        lambda scrape: scrape["ship_objects_total"] > 1 and scrape["heartbeat_failures_total"] > 0
        and scrape['ship_ticks_total{consumer="dynamodb"}'] > 50
        # What is delivered counts before it is committed.
        and all(scrape[f'ship_next_offset{{consumer="{name}"}}'] > 1 for name in ("s3", "dynamodb")))
    assert moved.names == {f"tickwal_{name}" for name in NAMES} | PROCESS
    moving = """
        feed_messages_total feed_received_bytes_total feed_event_delay_seconds_count log_appended_ticks_total
        log_appended_bytes_total log_commit_duration_seconds_count log_commit_ticks_sum log_append_wait_seconds_count
        log_head_offset log_oldest_offset log_file_bytes log_sqlite_wal_bytes log_queue_capacity_bytes
        log_volume_available_bytes log_volume_size_bytes ship_objects_total feed_stream_seconds_total
    """.split()
    for name in moving:
        assert moved[name] > 0, name
    assert moved["feed_connections"] == moved['feed_connects_total{result="opened"}'] == 1
    assert moved["feed_streams"] == moved["feed_streams_granted"] == 2
    assert began <= moved["feed_last_tick_timestamp_seconds"] <= time.time()
    for consumer in ("s3", "dynamodb"):
        label = f'{{consumer="{consumer}"}}'
        assert moved[f"ship_next_offset{label}"] > 1 and moved[f"ship_bytes_total{label}"] > 0
        assert moved[f"ship_delivery_seconds_count{label}"] > 0 and moved[f"ship_concurrency_limit{label}"] > 0
        assert began <= moved[f"ship_last_success_timestamp_seconds{label}"] <= time.time()
        assert began <= moved[f"ship_oldest_unshipped_timestamp_seconds{label}"] <= time.time() + 1
        assert moved[f"ship_held{label}"] == 0
    assert moved['ship_batch_wait_seconds{consumer="s3"}'] == 0.5
    assert moved['ship_retention_seconds{consumer="dynamodb"}'] == 86400
    assert moved['aws_requests_total{service="dynamodb",operation="UpdateItem",result="ok"}'] > 50
    assert moved['aws_request_duration_seconds_count{service="s3",operation="PutObject"}'] > 0
    assert moved["aws_credentials_expiry_timestamp_seconds"] == float("inf")
    assert moved['log_disk_state{state="normal"}'] == 1 and moved.total("log_disk_state") == 1
    assert moved.total("logging_messages_total") > 0 and moved["streams_last_reload_success"] == 1
    assert moved['http_requests_total{result="ok"}'] > 0
    assert moved.samples['process_open_fds'] > 10
    assert re.search(r'tickwal_build_info\{version="[0-9.]+"\} 1\n', moved.text)
    # From 0 with each value of a label.
    for cause in ("closed", "stale", "disk_full", "sequence", "frozen"):
        assert f'gaps_total{{cause="{cause}"}}' in moved.text and f'gaps_open{{cause="{cause}"}}' in moved.text
    assert moved['aws_throttles_total{service="sts"}'] == 0
    assert "5ecret" not in run.err
    check = subprocess.run(["promtool", "check", "metrics"], input=moved.text, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    run.terminate()


def test_a_lost_connection_and_its_gap_are_counted_and_go_on_after_a_restart(tickwal, make_exchange):
    exchange = make_exchange()
    settings = {"STREAMS": "a@miniTicker,b@miniTicker", "S3_WRITE": "0", "DYNAMO_WRITE": "0"}
    message = b'{"stream":"a@miniTicker","data":{"e":"24hrMiniTicker","E":1,"s":"A"}}'
    run = start(tickwal, exchange.url, **settings)
    address = address_of(run)
    exchange.client(0).send(message)
    wait_for(run, address, "a tick is there", lambda scrape: scrape["log_appended_ticks_total"] == 1)
    exchange.client(0).drop()
    exchange.client(1)
    lost = wait_for(
        run, address, "the gap is open", lambda scrape: scrape['gaps_open{cause="closed"}'] == 1)
    assert lost['gaps_total{cause="closed"}'] == 1 and lost.total("feed_disconnects_total") == 1
    grown = wait_for(
        run, address, "it grows",
        lambda scrape: scrape["gap_stream_seconds_total"] > lost["gap_stream_seconds_total"])
    exchange.client(1).send(message)
    ended = wait_for(run, address, "it has ended", lambda scrape: scrape.total("gaps_open") == 0)
    assert ended["gap_stream_seconds_total"] >= grown["gap_stream_seconds_total"]
    assert ended["feed_late_ticks_total"] == 0
    run.terminate()
    run = start(tickwal, exchange.url, **settings)
    again = Scrape(address_of(run))
    assert again["gap_stream_seconds_total"] >= ended["gap_stream_seconds_total"]
    assert again["feed_stream_seconds_total"] > ended["feed_stream_seconds_total"]
    assert again["log_appended_ticks_total"] == 0 and again["log_head_offset"] == 2


def test_lags_are_right_after_a_restart_and_with_a_destination_off(tickwal, make_exchange):
    exchange = make_exchange()
    message = b'{"stream":"a@miniTicker","data":{"e":"24hrMiniTicker","E":1,"s":"A"}}'
    settings = {"STREAMS": "a@miniTicker", "MAX_BATCH_TIMEOUT": "86400"}
    run = start(tickwal, exchange.url, "--local", tickwal.folder, **settings)
    address = address_of(run)
    for _ in range(30):
        exchange.client(0).send(message)
    before = wait_for(
        run, address, "the table has them, the batch waits",
        lambda scrape: scrape['ship_lag_ticks{consumer="local-s3"}'] == 30
        and scrape['ship_lag_ticks{consumer="local-dynamodb"}'] == 0)
    waiting = before['ship_oldest_unshipped_timestamp_seconds{consumer="local-s3"}']
    run.terminate()
    run = start(tickwal, exchange.url, "--local", tickwal.folder, S3_WRITE="0", **settings)
    after = Scrape(address_of(run))
    assert after['ship_lag_ticks{consumer="local-s3"}'] == 30
    assert after['ship_lag_ticks{consumer="local-dynamodb"}'] == 0
    assert after['ship_next_offset{consumer="local-dynamodb"}'] == 31
    # Nothing waits for one that is off.
    assert after['ship_oldest_unshipped_timestamp_seconds{consumer="local-s3"}'] > waiting
    run.terminate()
    run = start(tickwal, exchange.url, "--local", tickwal.folder, **settings)
    again = Scrape(address_of(run))
    assert abs(again['ship_oldest_unshipped_timestamp_seconds{consumer="local-s3"}'] - waiting) < 0.1
    assert again['ship_skipped_ticks_total{consumer="local-s3"}'] == 0
    run.terminate()
    tickwal.succeed("seek", "--consumer", "local-s3", "--offset", "31", "--skip")
    run = start(tickwal, exchange.url, "--local", tickwal.folder, **settings)
    assert Scrape(address_of(run))['ship_skipped_ticks_total{consumer="local-s3"}'] == 30


DAY = 86_400


def event(stream: str, kind: str, time: int, **more) -> bytes:
    return combined(stream, json.dumps({"e": kind, "E": time, "s": "A", **more})).encode()


def test_what_goes_wrong_at_the_feed_and_in_the_log_is_counted(tickwal, make_exchange, faults):
    exchange, disk = make_exchange(), Disk(faults, tickwal.folder, tickwal.path)
    # Ticks that are shipped go after 1.8 s.
    run = start(
        tickwal, exchange.url, "--local", tickwal.folder, STREAMS="a@miniTicker,b@aggTrade", MAX_BATCH_TIMEOUT="1",
        WAL_RETENTION_HOURS="0.0005", **disk.environment)
    address = address_of(run)
    counters = """
        feed_late_ticks_total feed_sequence_breaks_total feed_duplicates_dropped_total log_trimmed_ticks_total
        log_checkpoints_blocked_total
    """.split()
    at_first = Scrape(address)
    assert [at_first[name] for name in counters] == [0] * len(counters)
    for consumer in ("local-s3", "local-dynamodb", "feed", "import"):
        assert at_first[f'dead_letters_created_total{{consumer="{consumer}"}}'] == 0

    exchange.client(0).send(event("a@miniTicker", "24hrMiniTicker", 2_000))
    exchange.client(0).send(event("a@miniTicker", "24hrMiniTicker", 1_000))
    for number in (1, 2, 5):
        exchange.client(0).send(event("b@aggTrade", "aggTrade", 3_000 + number, a=number))
    exchange.client(0).send(b'{"rubbish":')
    wait_for(
        run, address, "a late tick, a skip of ids and a dead letter are counted",
        lambda scrape: scrape["feed_late_ticks_total"] == 1 and scrape["feed_sequence_breaks_total"] == 1
        and scrape['dead_letters_created_total{consumer="feed"}'] == scrape['dead_letters{consumer="feed"}'] == 1)
    run.send(signal.SIGHUP)
    both = [exchange.client(0), exchange.client(1)]
    for client in both:
        client.send(event("a@miniTicker", "24hrMiniTicker", 4_000))
    wait_for(
        run, address, "what came twice, and what is trimmed",
        lambda scrape: scrape["feed_duplicates_dropped_total"] == 1 and scrape["log_trimmed_ticks_total"] > 4)

    with contextlib.closing(sqlite3.connect(f"file:{tickwal.path}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("begin")
        reader.execute("select count(*) from ticks").fetchone()
        for number in range(45):
            both[1].send(event("a@miniTicker", "24hrMiniTicker", 5_000 + number, pad="x" * (400 << 10)))
        wait_for(run, address, "a reader blocks a checkpoint", lambda scrape: scrape["log_checkpoints_blocked_total"] > 0)
    wait_for(run, address, "one ends", lambda scrape: scrape["log_checkpoint_duration_seconds_count"] > 0)

    disk.fill()
    for tick in mini_tickers(2_000):
        both[1].send(combined(*tick).encode())
    paused = wait_for(
        run, address, "it is scraped on a full disk, on which the feed is paused",
        lambda scrape: scrape['feed_paused{cause="disk_full"}'] == 1)
    assert paused.total("feed_paused") == paused.total("log_disk_state") == 1
    assert get(address, "/livez")[0] == 200 and get(address, "/readyz")[0] == 503
    status, page = get(address, "/")
    assert status == 200 and 'data-state="trouble"' in page and "the feed is paused" in page
    assert get(address, "/api/history")[0] == get(address, "/api/status")[0] == 200
    disk.free()
    wait_for(run, address, "it goes on", lambda scrape: scrape.total("feed_paused") == 0)

    with contextlib.closing(sqlite3.connect(tickwal.path, isolation_level=None)) as writer:
        writer.execute("begin immediate")
        for number in range(45):
            both[1].send(event("a@miniTicker", "24hrMiniTicker", 6_000 + number, pad="x" * (400 << 10)))
        full = wait_for(
            run, address, "somebody writes to the log, and the queue before it is full",
            lambda scrape: scrape['feed_paused{cause="queue_full"}'] == 1)
        assert 0 < full["log_queue_bytes"] <= full["log_queue_capacity_bytes"] and full.total("feed_paused") == 1
        writer.execute("rollback")
    wait_for(
        run, address, "it goes on", lambda scrape: scrape.total("feed_paused") == scrape["log_queue_bytes"] == 0)
    run.terminate()


def test_what_goes_wrong_with_the_services_is_counted(tickwal, make_place, ministack, make_exchange, clock):
    place, exchange = make_place("a@miniTicker"), make_exchange()
    gateway = CheckingGateway(ministack.port)
    gateway.know(Key(place.keys.id, place.keys.secret))
    left = {"UpdateItem": 3, "PutObject": 1}

    def before(seen):
        if left.get(seen.operation, 0) == 0:
            return None
        left[seen.operation] -= 1
        if seen.operation == "PutObject":
            return 500, {}, b"<Error><Code>InternalError</Code></Error>"
        return 400, {}, json.dumps({"__type": "ThrottlingException", "message": "slow"}).encode()

    gateway.before = before
    # What is received is three days old to the table, whose clock is right.
    clock.set(-3 * DAY)
    with contextlib.ExitStack() as stack:
        stack.callback(gateway.stop)
        run = start(
            tickwal, exchange.url, STREAMS_REFRESH_SECONDS="0.2", **place.environment(gateway.url), **clock.environment)
        address = address_of(run)
        exchange.client(0)
        assert Scrape(address)["streams_last_reload_success"] == 1
        trade = {"e": "trade", "E": 1, "s": "A", "t": 1, "pad": "1" * (401 << 10)}
        exchange.client(0).send(combined("a@trade", json.dumps(trade)).encode())
        for tick in mini_tickers(100):
            exchange.client(0).send(combined(*tick).encode())
        counted = wait_for(
            run, address, "all is settled",
            lambda scrape: scrape['ship_lag_ticks{consumer="dynamodb"}'] == scrape['ship_lag_ticks{consumer="s3"}'] == 0
            and scrape["log_head_offset"] == 101 and scrape["aws_clock_offset_seconds"] != 0)
        assert counted["ship_expired_ticks_total"] > 0
        assert abs(counted["aws_clock_offset_seconds"] - 3 * DAY) < 600
        assert counted['aws_throttles_total{service="dynamodb"}'] == 3
        # Three answers of DynamoDB and one of S3 made somebody try again.
        assert counted['aws_retries_total{service="dynamodb",reason="throttled"}'] == 3, counted.text
        assert counted['aws_retries_total{service="s3",reason="transient"}'] == 1, counted.text
        place.change_secret(streams=[])
        wait_for(run, address, "the list cannot be read", lambda scrape: scrape["streams_last_reload_success"] == 0)
        run.terminate()


def test_what_waits_for_somebody_is_shown(tickwal, make_place, ministack, make_exchange):
    """An upload without an answer, a table that is not the right one, and HTTP requests that are not answered well."""
    place, exchange = make_place("a@miniTicker"), make_exchange()
    tables = ministack.root("dynamodb")
    tables.delete_table(TableName=place.table)
    tables.create_table(
        TableName=place.table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
    gateway, answer = CheckingGateway(ministack.port), threading.Event()
    gateway.know(Key(place.keys.id, place.keys.secret))

    def before(seen):
        if seen.operation == "PutObject" and seen.path.partition("?")[0].endswith(".jsonl.gz"):
            answer.wait(60)

    gateway.before = before
    with contextlib.ExitStack() as stack:
        stack.callback(gateway.stop)
        stack.callback(answer.set)
        run = start(tickwal, exchange.url, **place.environment(gateway.url))
        address = address_of(run)
        at_first = Scrape(address)
        assert at_first["ship_open_batches"] == at_first.total("ship_in_flight") == at_first.total("ship_held") == 0
        for result in ("unwell", "refused", "too_many", "timed_out", "failed"):
            assert at_first[f'http_requests_total{{result="{result}"}}'] == 0
        host, port = address.rsplit(":", 1)
        stack.enter_context(socket.create_connection((host, int(port)))).sendall(b"GET /metrics HTTP/1.1\r\n")
        for tick in mini_tickers(30):
            exchange.client(0).send(combined(*tick).encode())
        wait_for(
            run, address, "the upload is on its way, and the table is held",
            lambda scrape: scrape['ship_in_flight{consumer="s3"}'] == scrape["ship_open_batches"] == 1
            and scrape['ship_held{consumer="dynamodb"}'] == 1 and scrape['ship_held{consumer="s3"}'] == 0)
        assert get(address, "/readyz")[0] == 503 and get(address, "/nowhere")[0] == 404
        seen = Scrape(address)
        assert seen['http_requests_total{result="unwell"}'] == seen['http_requests_total{result="refused"}'] == 1
        answer.set()
        wait_for(
            run, address, "the upload is done",
            lambda scrape: scrape['ship_lag_ticks{consumer="s3"}'] == scrape["ship_open_batches"] == 0
            and scrape['ship_in_flight{consumer="s3"}'] == 0)
        wait_for(
            run, address, "a request that does not come whole is given up",
            lambda scrape: scrape['http_requests_total{result="timed_out"}'] == 1)
        run.terminate()


def test_each_name_is_moved_by_a_test():
    """The names' list apart, each stands in a test, here or where it cannot be had in the time that a test takes."""
    here = Path(__file__)
    tests = here.read_text().replace(NAMES_TEXT, "")
    for other in ("Tests/AppTests/Observing/MetricSamplesTests.swift", "Tests/AppTests/LoggingTests.swift"):
        tests += (here.parents[2] / other).read_text()
    tests = tests.replace("tickwal_build_info", "build_info")
    assert [name for name in NAMES if not re.search(rf"\b{name}(_count|_sum)?\b", tests)] == []
