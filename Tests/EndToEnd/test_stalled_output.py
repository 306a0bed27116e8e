"""Nobody reads stderr or stdout: everything else goes on, and a signal ends it."""

import contextlib
import signal
import sqlite3
from pathlib import Path

import pytest

from support.ports import free_port
from support.program import PATIENCE
from support.stalled import FullPipe, StoppedTerminal
from support.ticks import combined, mini_tickers

STREAMS = "a@miniTicker"
SINKS_OFF = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}


@pytest.fixture
def full_pipe():
    pipe = FullPipe()
    yield pipe
    pipe.close()


@pytest.fixture(params=[FullPipe, StoppedTerminal])
def stalled(request):
    reader = request.param()
    yield reader
    reader.close()


def send(exchange, count, seed=1):
    for tick in mini_tickers(count, seed=seed):
        exchange.clients[-1].send(combined(*tick).encode())


def test_a_stalled_stderr_holds_up_neither_ticks_nor_the_end(tickwal, make_exchange, stalled):
    exchange = make_exchange()
    run = tickwal.start(
        "run", stderr=stalled.writing, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, TERM="xterm", **SINKS_OFF
    )
    exchange.client(0)
    send(exchange, 10)
    run.wait_until(lambda: tickwal.log.head == 10, "the ticks are in the log")
    # Which is worth a message.
    exchange.client(0).drop()
    exchange.client(1)
    send(exchange, 10, seed=2)
    run.wait_until(lambda: tickwal.log.head == 20, "the ticks of the next connection are in the log")
    assert run.terminate().code == 0


def test_a_second_signal_ends_at_once_while_stderr_is_stalled(
    tickwal, make_exchange, make_place, relay, stalled
):
    exchange = make_exchange()
    run = tickwal.start(
        "run", stderr=stalled.writing, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, TERM="xterm",
        DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT="3600", **make_place().environment(relay.url),
    )
    exchange.client(0)
    relay.stall()
    send(exchange, 10)
    run.wait_until(lambda: tickwal.log.head == 10, "the ticks are in the log")
    run.send(signal.SIGTERM)
    run.wait_until(lambda: exchange.client(0).is_closed, "the feed has been stopped")
    run.check()
    assert run.terminate().code == 0


def test_the_last_words_get_out_where_stderr_is_read(tickwal, make_exchange, full_pipe):
    exchange = make_exchange()
    run = tickwal.start(
        "run", stderr=full_pipe.writing, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, **SINKS_OFF
    )
    exchange.client(0)
    run.send(signal.SIGTERM)
    said = full_pipe.read_all(PATIENCE).decode()
    assert run.end().code == 0
    assert "settings" in said and "stopping: the feed first" in said
    assert said.endswith("\n") and "stopped; no consumer is enabled" in said.splitlines()[-1]


@pytest.mark.parametrize("settings,code", [({"MAX_BATCH_SIZE": "none"}, 78), ({"WAL_PATH": "/no/such/ticks.db"}, 78)])
def test_what_ends_a_command_is_said_through_a_slow_pipe(tickwal, full_pipe, settings, code):
    run = tickwal.start("run", stderr=full_pipe.writing, STREAMS=STREAMS, **SINKS_OFF, **settings)
    said = full_pipe.read_all(PATIENCE).decode()
    assert run.end().code == code
    assert said.splitlines()[-1].startswith(f"tickwal: {next(iter(settings))} is "), said


def fill(tickwal, count):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(count)))
    tickwal.succeed("import", file)


@pytest.mark.parametrize(
    "arguments", [["replay", "--from-offset", "1", "--to", "stdout"], ["tap", "--from-offset", "1", "--count", "500"]],
    ids=" ".join,
)
def test_what_writes_rows_waits_for_its_reader_and_loses_nothing(tickwal, full_pipe, arguments):
    fill(tickwal, 500)
    rows = tickwal.succeed(*arguments).out
    assert rows.count(b"\n") == 500
    replay = tickwal.start(*arguments, stdout=full_pipe.writing)
    # It holds no snapshot of the log meanwhile: the log's file can be brought up to date.
    connection = sqlite3.connect(tickwal.path)
    replay.wait_until(lambda: is_waiting(replay.pid), "it waits for its reader")
    assert connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
    connection.close()
    assert full_pipe.read_all(PATIENCE) == rows
    assert replay.end().code == 0


def is_waiting(pid: int) -> bool:
    """A thread of it waits within a write to stdout. Reference: proc(5), syscall."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # It may end at any moment.
            words = (task / "syscall").read_text().split()
            if words[0] == "1" and int(words[1], 16) == 1:
                return True
    return False


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "--from-offset", "1", "--to", "stdout"], ["tap", "--from-offset", "1"], ["status"], ["status", "--json"], ["status", "--watch"],
        ["status", "--watch", "--json"], ["verify", "--json"], ["dead-letters", "list"], ["config"],
            ["reconcile", "--json"],
        ["seek", "--consumer", "local-dynamodb", "--offset", "1", "--dry-run"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_what_waits_for_a_reader(tickwal, full_pipe, arguments, number):
    fill(tickwal, 500)
    tickwal.succeed("ship", "--local", tickwal.folder / "out")
    if arguments[0] == "reconcile":
        arguments = [*arguments, "--local", tickwal.folder / "out"]
    command = tickwal.start(*arguments, stdout=full_pipe.writing)
    command.wait_until(lambda: is_waiting(command.pid), "it waits for its reader")
    command.send(number)
    assert command.end().code in (130, -number)


def test_simulate_serves_while_nobody_reads_its_address(tickwal, full_pipe):
    port = free_port()
    exchange = tickwal.start("simulate", "--listen", f"127.0.0.1:{port}", stdout=full_pipe.writing)
    run = tickwal.start(
        "run", BINANCE_WS_URL=f"ws://127.0.0.1:{port}", STREAMS="btcusdt@miniTicker", **SINKS_OFF
    )
    run.wait_until(lambda: tickwal.path.exists() and tickwal.log.head > 5, "ticks are in the log")
    assert exchange.terminate().code == 0
