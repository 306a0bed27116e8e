"""The log can be read with plain sqlite3 while `run` is up, and with `status`."""

import json
import sqlite3
import subprocess

import pytest

from support.program import PATIENCE

STREAMS = [f"sym{number:03}usdt@miniTicker" for number in range(10)]


@pytest.fixture
def running(tickwal, simulate):
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=simulate("--rate", "300"), STREAMS=",".join(STREAMS)
    )
    run.wait_until(lambda: tickwal.log.is_shipped(300), "300 ticks are shipped")
    yield tickwal, run
    run.check()


def ask(tickwal, sql):
    done = subprocess.run(
        ["sqlite3", "-readonly", "-json", "-cmd", ".timeout 5000", str(tickwal.path), sql],
        capture_output=True, text=True, timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout or "[]")


def test_views_answer_while_run_is_busy(running):
    tickwal, _ = running
    backlog = {row["consumer"]: row for row in ask(tickwal, "select * from backlog")}
    assert set(backlog) == {"local-s3", "local-dynamodb"}
    for row in backlog.values():
        assert row["lag"] == row["head"] - row["next_offset"] + 1
        assert row["oldest_unshipped_seconds"] >= 0
    [tick] = ask(tickwal, "select * from tick where offset = 7")
    [raw] = ask(tickwal, "select * from ticks where offset = 7")
    event = json.loads(raw["payload"])
    assert tick["symbol"] == event["s"] and tick["close_price"] == event["c"]
    assert ask(tickwal, "select * from recent_gaps") == []
    batches = ask(tickwal, "select * from recent_batches")
    assert batches and all(row["state"] in ("planned", "shipped") for row in batches)
    assert ask(tickwal, "pragma integrity_check") == [{"integrity_check": "ok"}]


def test_a_shell_left_open_in_a_transaction_does_not_stop_the_run(running):
    tickwal, run = running
    shell = sqlite3.connect(f"{tickwal.path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        shell.execute("begin")
        [(seen,)] = shell.execute("select max(offset) from ticks").fetchall()
        run.wait_until(lambda: tickwal.log.is_shipped(seen + 1_000), "1,000 more ticks are shipped")
        assert shell.execute("select max(offset) from ticks").fetchall() == [(seen,)]
    finally:
        shell.close()


def test_the_files_are_private(running):
    tickwal, _ = running
    for name in ("ticks.db", "ticks.db-wal", "ticks.db.lock"):
        assert (tickwal.folder / name).stat().st_mode & 0o077 == 0, name


def test_status_reads_the_log_alone_with_run_up_and_down(tickwal, simulate):
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=simulate("--rate", "100"), STREAMS=",".join(STREAMS)
    )
    run.wait_until(lambda: tickwal.log.is_shipped(50), "50 ticks are shipped")
    assert isinstance(json.loads(tickwal.succeed("status", "--json").out), dict)
    shown = tickwal.succeed("status").out.decode()
    assert "local-s3" in shown and "local-dynamodb" in shown
    assert run.terminate().code == 0
    down = json.loads(tickwal.succeed("status", "--json").out)
    assert tickwal.log.head in numbers(down)


def numbers(document) -> set:
    """Every number in a JSON document."""
    if isinstance(document, dict):
        return set().union(*map(numbers, document.values()))
    if isinstance(document, list):
        return set().union(*map(numbers, document))
    return {document} if isinstance(document, (int, float)) else set()


def test_status_without_a_log_names_the_path(tickwal):
    ended = tickwal.run_to_end("status")
    assert ended.code == 78 and str(tickwal.path) in ended.err
    assert not tickwal.path.exists(), "looking made a log"
