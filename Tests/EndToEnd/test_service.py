"""What a service manager (systemd) is told, and that nothing waits for it."""

import re
import signal
import time

import pytest

from support.ports import free_port
from support.program import PATIENCE
from support.ticks import combined, mini_tickers

SINKS_OFF = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}
NOBODY = "the service manager cannot be told how it goes"


def test_ready_comes_without_the_exchange_and_the_watchdog_is_fed_until_the_end(tickwal, make_manager):
    manager = make_manager(f"@tickwal-test-{free_port()}")
    run = tickwal.start(
        "run", NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000", STREAMS="a@trade",
        BINANCE_WS_URL=f"ws://127.0.0.1:{free_port()}", **SINKS_OFF,
    )
    place = manager.wait_until_told(run, "READY=1")
    assert not [text for text in manager.told[: place - 1] if not text.startswith("EXTEND_TIMEOUT_USEC=")]
    for _ in range(5):
        place = manager.wait_until_told(run, "WATCHDOG=1", place)
    manager.wait_until_told(run, "STATUS=not healthy: ")
    assert run.terminate().code == 0
    ending = manager.told.index("STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000")
    assert "READY=1" not in manager.told[ending:]
    assert NOBODY not in run.err


def test_a_reload_is_told_from_its_signal_to_its_end_and_the_status_has_rate_lag_and_gaps(
    tickwal, make_exchange, make_manager
):
    exchange, manager = make_exchange(), make_manager()
    before = time.monotonic_ns() // 1000
    run = tickwal.start(
        "run", "--local", tickwal.folder, NOTIFY_SOCKET=manager.address, BINANCE_WS_URL=exchange.url,
        STREAMS="a@miniTicker", DYNAMO_WRITE="0", MAX_BATCH_TIMEOUT="3600",
    )
    place = manager.wait_until_told(run, "READY=1")
    for tick in mini_tickers(10):
        exchange.client(0).send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 10, "the ticks are in the log")
    run.send(signal.SIGHUP)
    place = manager.wait_until_told(run, "RELOADING=1\nMONOTONIC_USEC=", place)
    at = int(manager.told[place - 1].rsplit("=", 1)[1])
    assert before <= at <= time.monotonic_ns() // 1000
    manager.wait_until_told(run, "READY=1", place)
    exchange.client(1)
    place = manager.wait_until_told(run, "STATUS=healthy: ", place)
    assert re.fullmatch(r"STATUS=healthy: [\d,]+/s in, local-s3 10 behind, no open gap", manager.told[place - 1])
    assert run.terminate().code == 0


def test_draining_asks_for_time_again_and_again(tickwal, make_exchange, make_manager, make_place, relay):
    exchange, manager = make_exchange(), make_manager()
    run = tickwal.start(
        "run", NOTIFY_SOCKET=manager.address, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker", S3_WRITE="0",
        DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT="3600", **make_place("a@miniTicker").environment(relay.url),
    )
    manager.wait_until_told(run, "READY=1")
    exchange.client(0)
    relay.stall()
    for tick in mini_tickers(10):
        exchange.client(0).send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 10, "the ticks are in the log")
    run.send(signal.SIGTERM)
    place = manager.wait_until_told(run, "STOPPING=1\nEXTEND_TIMEOUT_USEC=")
    manager.wait_until_told(run, "EXTEND_TIMEOUT_USEC=", place)
    manager.wait_until_told(run, "STATUS=stopping: ", place)
    run.check()
    run.send(signal.SIGTERM)
    assert run.end().code == 0


def test_a_manager_that_reads_nothing_holds_up_nothing(tickwal, make_exchange, make_manager):
    exchange, manager = make_exchange(), make_manager()
    run = tickwal.start(
        "run", NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="10000", BINANCE_WS_URL=exchange.url,
        STREAMS="a@miniTicker", **SINKS_OFF,
    )
    # Its queue is full.
    run.wait_until_said(NOBODY)
    for tick in mini_tickers(10):
        exchange.client(0).send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 10, "the ticks are in the log")
    assert run.terminate(PATIENCE).code == 0
    assert run.err.count(NOBODY) == 1


def test_ship_is_ready_and_stops_too(tickwal, make_manager):
    tickwal.run_with_input("".join(combined(*t) + "\n" for t in mini_tickers(10)).encode(), "import", "-")
    manager = make_manager()
    tickwal.succeed("ship", "--local", tickwal.folder, NOTIFY_SOCKET=manager.address)
    told = [text.split("\n")[0] for text in manager.told]
    assert [text for text in told if text in ("READY=1", "STOPPING=1")] == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize("address", ["vsock:2:1234", "/" + "x" * 107, "/nowhere/notify"])
def test_a_socket_that_cannot_be_used_is_said_once(tickwal, address):
    tickwal.run_with_input("".join(combined(*t) + "\n" for t in mini_tickers(10)).encode(), "import", "-")
    ended = tickwal.succeed("ship", "--local", tickwal.folder, NOTIFY_SOCKET=address)
    assert ended.err.count(NOBODY) == 1
