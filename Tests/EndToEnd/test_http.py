"""The HTTP server of `run`: what only observes holds up nothing."""

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.http import Scrape, address_of, get, ready, say, wait_for

SETTINGS = {"STREAMS": "btcusdt@miniTicker", "S3_WRITE": "0", "DYNAMO_WRITE": "0"}


@pytest.fixture
def served(tickwal, simulate):
    run = tickwal.start(
        "run", BINANCE_WS_URL=simulate("--rate", "100"), HTTP_LISTEN="127.0.0.1:0", HTTP_ALLOWED_HOSTS="ticks.example",
        **SETTINGS)
    address = address_of(run)
    run.wait_until(lambda: ready(address)[0] == 200, "it is ready")
    return run, address


def test_each_endpoint_answers_and_nothing_else(served):
    run, address = served
    status, body = get(address, "/livez")
    assert (status, json.loads(body)["alive"]) == (200, True)
    _, document = ready(address)
    assert document["ready"] and {part["part"] for part in document["parts"]} >= {"feed", "log", "process"}
    status, body = get(address, "/api/status")
    told = json.loads(body)
    assert status == 200 and told["healthy"] and told["problems"] == [] and told["feed"]["connected"]
    assert told["http"] == f"http://{address}/" and told["disk"] is not None
    status, page = get(address, "/")
    assert status == 200 and "healthy" in page and "connected since" in page
    status, body = get(address, "/api/history")
    assert status == 200 and set(json.loads(body)) >= {"now", "samples", "gaps", "volume", "objects", "credentials"}
    status, text = get(address, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert status == 200 and text.endswith("# EOF\n") and "# TYPE tickwal_feed_messages counter" in text
    assert get(address, "/favicon.ico")[0] == 404
    assert b" 405 " in say(address, b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
    assert b" 421 " in say(address, b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert b" 200 " in say(address, b"GET /livez HTTP/1.1\r\nHost: ticks.example\r\n\r\n")
    answer = say(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"Content-Security-Policy: default-src 'none'" in answer and b"X-Frame-Options: DENY" in answer
    run.terminate()


def test_no_client_holds_anything_up(served, tickwal):
    run, address = served
    host, port = address.split(":")
    head = tickwal.log.head
    with contextlib.ExitStack() as stack:
        # Some that say nothing, some that do not read, far more than there are places for.
        for number in range(500):
            client = stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
            with contextlib.suppress(OSError):
                if number % 2:
                    client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        run.wait_until(lambda: tickwal.log.head > head + 50, "ticks go on")
        assert "connected since" in tickwal.succeed("status").out.decode()
    scrape = wait_for(
        run, address, "clients are served again", lambda scrape: scrape['http_requests_total{result="too_many"}'] > 0)
    assert scrape["feed_connections"] == 1
    for rubbish in (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" * 9, b"\r\n" * 20_000):
        assert b" 200 " not in say(address, rubbish)
    assert get(address, "/livez")[0] == 200
    run.terminate()


def test_a_port_in_use_is_said_and_shown_and_ingest_starts(tickwal, simulate):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = tickwal.start("run", BINANCE_WS_URL=simulate("--rate", "100"), HTTP_LISTEN=address, **SETTINGS)
        run.wait_until(lambda: tickwal.log.head > 10, "ticks are appended")
        run.wait_until(lambda: "HTTP cannot be served" in run.err, "it is said")
        assert address in run.err and "Address already in use" in run.err
        shown = json.loads(tickwal.succeed("status", "--json").out)["http"]
        assert "Address already in use" in shown and "tried again every minute" in shown
        run.terminate()


def test_a_malformed_address_is_a_bad_value(tickwal):
    ended = tickwal.run_to_end("run", BINANCE_WS_URL="ws://127.0.0.1:1", HTTP_LISTEN="9464", **SETTINGS)
    assert ended.code == 78 and "HTTP_LISTEN" in ended.err


def test_the_default_is_a_port_of_this_machine_alone(tickwal):
    document = json.loads(tickwal.succeed("config", "--json", HTTP_LISTEN="").out)
    assert document["settings"]["HTTP_LISTEN"] == {"value": "127.0.0.1:9464", "unit": None, "from": "default"}


def test_a_cut_feed_is_not_ready_and_alive(tickwal, simulate):
    run = tickwal.start(
        "run", BINANCE_WS_URL=simulate("--refuse", "503", "--retry-after", "60"), HTTP_LISTEN="127.0.0.1:0", **SETTINGS)
    address = address_of(run)
    run.wait_until(lambda: "the next attempt" in get(address, "/readyz")[1], "it waits for the next attempt")
    status, document = ready(address)
    assert status == 503 and not document["ready"]
    assert [part["part"] for part in document["parts"] if not part["well"]] == ["feed"]
    assert get(address, "/livez")[0] == 200
    ended = tickwal.run_to_end("status")
    assert ended.code == 1 and ended.out.startswith(b"not healthy:\n  feed for ") and ended.err == ""
    told = json.loads(tickwal.run_to_end("status", "--json").out)
    assert not told["healthy"] and told["problems"][0]["part"] == "feed"
    # The connection has failed, which is counted, and no heartbeat is due.
    assert Scrape(address)['feed_connects_total{result="failed"}'] >= 1
    run.terminate()


def test_heartbeats_are_sent_while_it_is_ready(tickwal, simulate):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        run = tickwal.start(
            "run", BINANCE_WS_URL=simulate("--rate", "100"), HEARTBEAT_SECONDS="0.1",
            HEARTBEAT_URL=f"http://127.0.0.1:{server.server_port}/ping/5ecre7?run=1", **SETTINGS)
        run.wait_until(lambda: len(asked) > 2, "heartbeats arrive")
        assert set(asked) == {"/ping/5ecre7?run=1"}
        assert "5ecre7" not in run.terminate().err
        server.shutdown()
