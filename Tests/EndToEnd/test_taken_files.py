"""The log's files are removed, moved or replaced beneath `run`, or its lock is: nothing that was committed is lost, or
the message says what is, and what is missing is within a gap."""

import fcntl
import json
import os
import shutil
import signal

import pytest

from support.delivery import assert_dense, local_items
from support.log import Log
from support.program import Tickwal
from support.ticks import combined, mini_tickers

TICKS = mini_tickers(300)
LOG_ALONE = {"S3_WRITE": "0", "DYNAMO_WRITE": "0", "SHUTDOWN_TIMEOUT": "20"}


def send(exchange, ticks, number=0):
    for stream, event in ticks:
        exchange.client(number).send(combined(stream, event).encode())


def payloads(log: Log) -> list[str]:
    return [tick.payload for tick in log.ticks()]


@pytest.fixture
def environment(make_exchange):
    exchange = make_exchange()
    return exchange, {"BINANCE_WS_URL": exchange.url, "STREAMS": "a@miniTicker", **LOG_ALONE}


def started(tickwal, environment, count: int):
    exchange, variables = environment
    run = tickwal.start("run", **variables)
    send(exchange, TICKS[:count])
    run.wait_until(lambda: tickwal.log.head == count, "the ticks are in the log")
    return run


def saved(tickwal) -> list[Log]:
    return [Log(path) for path in tickwal.folder.glob("ticks.db.saved-*") if path.suffix[-1].isdigit()]


def all_of_it(tickwal):
    for path in tickwal.folder.glob("ticks.db*"):
        path.unlink()


def file_alone(tickwal):
    tickwal.path.unlink()


def file_moved(tickwal):
    tickwal.path.rename(tickwal.folder / "elsewhere.db")


def all_moved(tickwal):
    (tickwal.folder / "elsewhere").mkdir()
    for path in tickwal.folder.glob("ticks.db*"):
        path.rename(tickwal.folder / "elsewhere" / path.name)


@pytest.mark.parametrize("take_away", [all_of_it, file_alone, file_moved, all_moved])
def test_a_log_that_is_taken_away_is_saved_and_gets_its_name_again(tickwal, environment, take_away):
    exchange, variables = environment
    run = started(tickwal, environment, 100)
    log_id = tickwal.log.log_id
    take_away(tickwal)
    ended = run.end()
    assert ended.code == 74, ended.err
    assert "the log's files were taken away beneath this process" in ended.err
    assert f"{tickwal.path} is gone" in ended.err or f"{tickwal.path}, " in ended.err, ended.err
    assert f"everything up to offset 100 was saved and is at {tickwal.path} again, nothing is lost" in ended.err
    assert "confirmed is safe" not in ended.err and "dmesg" not in ended.err
    assert saved(tickwal) == [] and not tickwal.path.with_name("ticks.db-wal").exists()
    assert tickwal.log.log_id == log_id
    assert payloads(tickwal.log) == [event for _, event in TICKS[:100]]
    # It goes on there; what was missed is a gap from the last tick to the first.
    run = tickwal.start("run", **variables)
    send(exchange, TICKS[100:200], number=1)
    run.wait_until(lambda: tickwal.log.head == 200, "more ticks")
    assert run.terminate().code == 0
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    gaps = tickwal.log.ask("select started_at, ended_at from gaps")
    assert any(start <= ticks[99].received_at and ticks[100].received_at <= (end or 0) for start, end in gaps), gaps
    tickwal.succeed("verify")


def test_a_wal_that_is_removed_is_copied_into_the_file_before_the_end(tickwal, environment):
    run = started(tickwal, environment, 100)
    tickwal.path.with_name("ticks.db-wal").unlink()
    ended = run.end()
    assert ended.code == 74, ended.err
    assert f"{tickwal.path}-wal is gone" in ended.err
    assert f"everything up to offset 100 was copied into {tickwal.path}, nothing is lost: start again" in ended.err
    assert payloads(tickwal.log) == [event for _, event in TICKS[:100]]
    assert saved(tickwal) == []
    tickwal.succeed("verify")
    run = tickwal.start("run", **environment[1])
    run.wait_until(lambda: "connected to the exchange" in run.err, "it starts again")
    assert run.terminate().code == 0


def copied(tickwal, _binary):
    shutil.copy(tickwal.path, tickwal.folder / "copy.db")
    (tickwal.folder / "copy.db").rename(tickwal.path)


def other_log(tickwal, binary):
    other = Tickwal(binary, tickwal.folder / "other")
    other.folder.mkdir()
    other.run_with_input((combined(*TICKS[299]) + "\n").encode(), "import", "-")
    assert other.log.head == 1
    other.path.rename(tickwal.path)


@pytest.mark.parametrize("replace", [copied, other_log])
def test_a_log_that_is_replaced_is_saved_beside_what_is_there_now(tickwal, binary, environment, replace):
    exchange, variables = environment
    run = started(tickwal, environment, 100)
    log_id = tickwal.log.log_id
    replace(tickwal, binary)
    ended = run.end()
    assert ended.code == 74, ended.err
    assert f"another file lies at {tickwal.path}" in ended.err
    [copy] = saved(tickwal)
    assert f"everything up to offset 100 is saved in {copy.path}" in ended.err
    # What lies there is as it was put there: nothing of the old log was written into it.
    if replace is other_log:
        for side in ("-wal", "-shm"):
            tickwal.path.with_name("ticks.db" + side).unlink(missing_ok=True)
        assert payloads(tickwal.log) == [TICKS[299][1]]
        run = tickwal.start("run", **variables)
        run.wait_until_said("another log was here and is gone")
        assert log_id in run.err and str(copy.path) in run.err
        send(exchange, TICKS[100:101], number=1)
        run.wait_until(lambda: tickwal.log.head == 2, "a tick")
        assert run.terminate().code == 0
        [(start, end, cause, streams)] = tickwal.log.ask(
            "select started_at, ended_at, cause, streams from gaps where ended_at is not null")
        assert cause == "crash" and json.loads(streams) == ["a@miniTicker"]
        assert start >= Log(copy.path).ticks()[-1].received_at and end == tickwal.log.ticks()[-1].received_at
    assert payloads(copy) == [event for _, event in TICKS[:100]]
    assert copy.log_id == log_id
    tickwal.succeed("verify", WAL_PATH=str(copy.path))


def test_what_is_not_shipped_is_shipped_before_the_end_and_nothing_twice(tickwal, environment):
    exchange, variables = environment
    variables = {**variables, "S3_WRITE": "1", "DYNAMO_WRITE": "1", "MAX_BATCH_TIMEOUT": "86400"}
    run = tickwal.start("run", "--local", tickwal.folder, **variables)
    send(exchange, TICKS[:50])
    run.wait_until(
        lambda: tickwal.log.next_offsets().get("local-dynamodb") == 51, "the items are there, the batch waits"
    )
    all_of_it(tickwal)
    assert run.end().code == 74
    # The last batch was shipped, and the saved log knows it.
    assert tickwal.log.is_shipped(50) and len(local_items(tickwal.folder)) == 50
    tickwal.succeed("verify")
    tickwal.succeed("reconcile", "--local", tickwal.folder)


def test_what_cannot_be_saved_is_said(tickwal, environment):
    folder = tickwal.folder / "volume"
    folder.mkdir()
    log = Log(folder / "ticks.db")
    exchange, variables = environment
    variables = {**variables, "DYNAMO_WRITE": "1", "WAL_PATH": str(log.path), "SHUTDOWN_TIMEOUT": "2"}
    run = tickwal.start("run", "--local", tickwal.folder, **variables)
    send(exchange, TICKS[:30])
    run.wait_until(lambda: log.is_shipped(30), "the first ticks are shipped")
    # From now on nothing can be shipped.
    (tickwal.folder / "table.db.lock").unlink()
    (tickwal.folder / "table.db.lock").mkdir()
    send(exchange, TICKS[30:50])
    run.wait_until(lambda: log.head == 50, "more ticks")
    shutil.rmtree(folder)
    ended = run.end()
    assert ended.code == 74, ended.err
    assert "what the log has could not be saved; it is tried again at the end" in ended.err
    assert "it could not be saved (" in ended.err
    assert "what was not shipped, offsets 31 to 50, is lost, unless the files are elsewhere" in ended.err
    assert "is safe" not in ended.err


def test_status_says_that_the_log_is_gone(tickwal, environment):
    # It is stopped, so that there is time to look.
    run = started(tickwal, environment, 10)
    run.send(signal.SIGSTOP)
    try:
        tickwal.path.rename(tickwal.folder / "elsewhere.db")
        ended = tickwal.run_to_end("status")
        assert ended.code == 1 and f"process {run.pid} has a log open that is not at {tickwal.path} any more" in ended.err
    finally:
        run.send(signal.SIGCONT)
    assert run.end().code == 74


def test_a_log_that_is_gone_at_a_start_is_said_and_becomes_a_gap(tickwal, environment):
    exchange, variables = environment
    run = started(tickwal, environment, 20)
    last, log_id = tickwal.log.ticks()[-1].received_at, tickwal.log.log_id
    run.kill()
    for suffix in ("", "-wal", "-shm"):
        tickwal.path.with_name("ticks.db" + suffix).unlink()
    run = tickwal.start("run", **variables)
    run.wait_until_said("another log was here and is gone")
    assert log_id in run.err and "head_before=20" in run.err
    send(exchange, TICKS[20:30], number=1)
    run.wait_until(lambda: tickwal.log.head == 10, "the new log has ticks")
    assert run.terminate().code == 0
    first = tickwal.log.ticks()[0].received_at
    [(start, end, streams)] = tickwal.log.ask("select started_at, ended_at, streams from gaps where cause = 'crash'")
    assert last <= start < first == end and json.loads(streams) == ["a@miniTicker"]
    # Once.
    run = tickwal.start("run", **variables)
    send(exchange, TICKS[30:31], number=2)
    run.wait_until(lambda: tickwal.log.head == 11, "a tick")
    assert run.terminate().code == 0 and "another log was here" not in run.err
    assert tickwal.log.value("select count(*) from gaps where cause = 'crash'") == 1


@pytest.mark.parametrize("commits", [True, False])
def test_a_lock_that_is_removed_is_made_anew_and_lets_nobody_in(tickwal, environment, commits):
    exchange, variables = environment
    run = started(tickwal, environment, 10)
    lock = tickwal.path.with_name("ticks.db.lock")
    lock.unlink()
    second = tickwal.run_to_end("run", **variables)
    assert second.code == 75 and f"in use by process {run.pid}" in second.err, second.err
    if commits:
        send(exchange, TICKS[10:20])
        run.wait_until(lambda: tickwal.log.head == 20, "the first goes on")
    run.wait_until_said("the log's lock file was removed or replaced: it is there again")
    assert lock.read_text().startswith(f"{run.pid}\n")
    assert tickwal.run_to_end("adopt").code == 75
    assert run.terminate().code == 0
    assert tickwal.log.value("select count(*) from gaps where cause = 'crash'") == 0
    assert lock.read_text().split()[4] == "closed"


def test_with_lock_and_socket_gone_a_second_process_is_noticed_before_the_next_commit(tickwal, environment, binary):
    exchange, variables = environment
    run = started(tickwal, environment, 10)
    lock = tickwal.path.with_name("ticks.db.lock")
    run.send(signal.SIGSTOP)
    lock.unlink()
    tickwal.path.with_name("ticks.db.sock").unlink()
    # A process that holds the new lock, as a second `run` would.
    with open(lock, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        other.write(f"{os.getpid()}\n")
        other.flush()
        run.send(signal.SIGCONT)
        ended = run.end()
    assert ended.code == 75 and f"in use by process {os.getpid()}" in ended.err, ended.err
    assert tickwal.log.head == 10
