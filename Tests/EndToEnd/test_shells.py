"""Operators' shells that hold transactions for long: ingest goes on, and what they cost is said."""

import json
import sqlite3
import subprocess

import pytest

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.ticks import combined, mini_tickers

LOCKED = "another process holds a lock on the log"
GROWS = "SQLite's WAL grows because a reader holds an old snapshot"
SHRINKS = "SQLite's WAL starts over again"
TICKS = mini_tickers(300)


def send(client, ticks):
    for stream, event in ticks:
        client.send(combined(stream, event).encode())


def local(tickwal, exchange, **environment):
    return tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker", **environment
    )


def assert_all_there(tickwal, events):
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert [tick.payload for tick in ticks] == events
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)


@pytest.fixture
def writing_shell(tickwal):
    """A shell against the rules: with the log open for writing, in a transaction."""
    shells = []

    def start():
        shell = sqlite3.connect(tickwal.path, isolation_level=None)
        shells.append(shell)
        # What it would do at its end by itself is not what this is about.
        shell.execute("pragma wal_autocheckpoint = 0")
        shell.execute("begin immediate")
        return shell

    yield start
    for shell in shells:
        shell.close()


def test_a_shell_that_holds_the_write_lock_is_waited_for(tickwal, make_exchange, writing_shell):
    exchange = make_exchange()
    run = local(tickwal, exchange)
    send(exchange.client(), TICKS[:100])
    run.wait_until(lambda: tickwal.log.is_shipped(100), "the first ticks are shipped")
    shell = writing_shell()
    send(exchange.client(), TICKS[100:200])
    run.wait_until_said(LOCKED)
    assert tickwal.log.head == 100
    send(exchange.client(), TICKS[200:])
    shell.execute("rollback")
    run.wait_until_said("the log can be written again")
    run.wait_until(lambda: tickwal.log.is_shipped(300), "all ticks are shipped")
    assert len(exchange.clients) == 1, "the connection was given up"
    assert run.terminate().code == 0
    assert_all_there(tickwal, [event for _, event in TICKS])
    assert tickwal.log.ask("select cause from gaps") == [("shutdown",)]


def test_a_signal_ends_a_wait_for_a_shell_and_says_what_is_lost(tickwal, make_exchange, writing_shell):
    exchange = make_exchange()
    run = local(tickwal, exchange, SHUTDOWN_TIMEOUT="1")
    send(exchange.client(), TICKS[:100])
    run.wait_until(lambda: tickwal.log.is_shipped(100), "the first ticks are shipped")
    shell = writing_shell()
    send(exchange.client(), TICKS[100:200])
    run.wait_until_said(LOCKED)
    ended = run.terminate()
    assert ended.code == 0
    shell.execute("rollback")
    run = local(tickwal, exchange)
    send(exchange.client(1), TICKS[200:])
    run.wait_until(lambda: tickwal.log.is_shipped(200), "the feed goes on")
    assert run.terminate().code == 0
    assert_all_there(tickwal, [event for _, event in TICKS[:100] + TICKS[200:]])
    assert tickwal.log.ask("select cause from gaps") == [("crash",), ("shutdown",)]


def padded(number: int) -> bytes:
    return combined("a@trade", json.dumps({"e": "trade", "E": number, "t": number, "p": "x" * 16_000})).encode()


def test_a_long_read_lets_the_wal_grow_which_is_said_and_ends_with_it(tickwal, make_exchange):
    exchange = make_exchange()
    # Nobody ships: it is about the log.
    run = local(tickwal, exchange, S3_WRITE="0", DYNAMO_WRITE="0")
    exchange.client().send(padded(0))
    run.wait_until(lambda: tickwal.log.head == 1, "the first tick is there")
    shell = subprocess.Popen(
        ["sqlite3", "-readonly", str(tickwal.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        shell.stdin.write("begin;\nselect max(offset) from ticks;\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == "1\n"
        sent = 1

        def grow(megabytes: int) -> None:
            nonlocal sent
            for _ in range(megabytes * 64):
                exchange.client().send(padded(sent))
                sent += 1
            run.wait_until(lambda: tickwal.log.head == sent, "all ticks are in the log")

        def status() -> dict:
            return json.loads(tickwal.succeed("status", "--json").out)

        while GROWS not in run.err:
            grow(10)
            assert sent < 200 * 64, "nothing was said"
        [line] = [line for line in run.err.splitlines() if GROWS in line]
        amount = float(line.split('size="')[1].split(" MiB")[0])
        assert 64 <= amount <= status()["wal_bytes"] / (1 << 20) + 0.1 and f"path={tickwal.path}-wal" in line
        grow(20)
        assert status()["wal_bytes"] > 80 << 20
        assert b"a reader keeps it from starting over" in tickwal.succeed("status").out
        # Once, however long it lasts: again when it is twice as long.
        assert run.err.count(GROWS) == 1
        shell.stdin.write("select max(offset) from ticks;\ncommit;\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == "1\n", "the shell does not see its own moment"
        while SHRINKS not in run.err:
            grow(2)
            assert sent < 400 * 64, "it does not start over"
        assert status()["wal_bytes"] <= 64 << 20
    finally:
        shell.stdin.close()
        shell.wait(20)
    assert run.terminate().code == 0
    assert not tickwal.path.with_name("ticks.db-wal").exists()
    assert_dense(tickwal.log.ticks())
