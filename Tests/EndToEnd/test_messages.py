"""What a person reads when something is wrong: true, to the point, and harmless to a terminal."""

import contextlib
import json
import resource
import signal
import sqlite3

import pytest

from support.ticks import combined, mini_tickers

SINKS_OFF = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}
MARKS = "\u202a\u202e\u2066\u2069\u200f\u061c\u009b2J"


def test_a_command_that_is_misspelt_is_guessed(tickwal):
    for arguments in (["stauts"], ["statsu", "--watch"]):
        ended = tickwal.run_to_end(*arguments)
        assert ended.code == 64
        assert f"tickwal: there is no command '{arguments[0]}'; did you mean 'status'?" in ended.err


def test_a_usage_error_names_the_help_of_its_command(tickwal):
    ended = tickwal.run_to_end("status", "--nonsense")
    assert ended.code == 64 and "(see tickwal status --help)" in ended.err


NO_LOGS = {
    "it is empty; remove it to start a new log": b"",
    "it is no SQLite file; name another WAL_PATH": b"dear diary\n" * 1_000,
    "it belongs to another program; name another WAL_PATH": None,
}


@pytest.mark.parametrize("words", NO_LOGS)
def test_all_commands_say_the_same_of_a_file_that_is_no_log(tickwal, words):
    if NO_LOGS[words] is None:
        with contextlib.closing(sqlite3.connect(tickwal.path)) as other:
            other.execute("create table diary(day)")
    else:
        tickwal.path.write_bytes(NO_LOGS[words])
    before = tickwal.path.read_bytes()
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(1)))
    local = ["--local", tickwal.folder]
    commands = [
        ["run"], ["ship", *local], ["import", file], ["adopt"], ["status"], ["verify"], ["dead-letters", "list"], ["tap"],
        ["replay", "--to", "stdout", "--from-offset", "1"], ["reconcile", *local], ["doctor"],
        ["seek", "--consumer", "s3", "--offset", "1"],
    ]
    for command in commands:
        ended = tickwal.run_to_end(*command, STREAMS="a@trade", BINANCE_WS_URL="ws://127.0.0.1:9", **SINKS_OFF)
        said = ended.err + ended.out.decode()
        assert f"{tickwal.path} is not a log: {words}" in said and "salvage" not in said, (command, said)
        assert ended.code == (1 if command == ["doctor"] else 78), command
        assert tickwal.path.read_bytes() == before
    assert not list(tickwal.folder.glob("ticks.db-*"))


def test_all_commands_say_the_same_of_a_log_whose_header_is_damaged(tickwal):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(10)))
    tickwal.succeed("import", file)
    with open(tickwal.path, "r+b") as log:
        log.write(b"dear diary")
    for command in (["run"], ["status"], ["adopt"], ["dead-letters", "list"]):
        ended = tickwal.run_to_end(*command, STREAMS="a@trade", BINANCE_WS_URL="ws://127.0.0.1:9", **SINKS_OFF)
        assert ended.code == 78 and "is damaged: its header is not a log's; `tickwal verify --salvage" in ended.err


def test_a_start_after_a_kill_names_it_and_its_gap(tickwal, make_exchange):
    exchange = make_exchange()
    environment = {"BINANCE_WS_URL": exchange.url, "STREAMS": "a@trade", **SINKS_OFF}
    first = tickwal.start("run", **environment)
    exchange.client(0).send(combined("a@trade", '{"n":1}').encode())
    first.wait_until(lambda: tickwal.path.exists() and tickwal.log.head == 1, "the tick is in the log")
    first.kill()
    assert "the last one did not end in order" in tickwal.run_to_end("status").out.decode()
    run = tickwal.start("run", **environment)
    run.wait_until_said("the last run did not end in order")
    [(number,)] = tickwal.log.ask("select id from gaps where cause = 'crash'")
    assert f" gap_ids=[{number}] " in next(line for line in run.err.splitlines() if "did not end in order" in line)
    assert run.terminate().code == 0
    stopped = tickwal.run_to_end("status").out.decode()
    assert "no `run` has the log open" in stopped and "did not end in order" not in stopped
    third = tickwal.start("run", **environment)
    third.wait_until_said("connected to the exchange")
    assert "did not end in order" not in third.err


def test_what_ship_says_when_it_stops_speaks_of_no_feed(tickwal, make_place, relay):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(10)))
    tickwal.succeed("import", file)
    relay.shut()
    ship = tickwal.start("ship", **make_place().environment(relay.url))
    ship.wait_until_said("could not deliver")
    # The system's name for it, too.
    assert "ECONNREFUSED" in ship.err or "ECONNRESET" in ship.err or "connection was lost" in ship.err
    said = ship.terminate().err
    assert "stopping: what is on its way may finish" in said and "the feed" not in said


def test_descriptors_that_run_out_are_named_and_survived(tickwal, make_exchange, secrets):
    secrets.append("nofilesleftkey")
    exchange = make_exchange()
    run = tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS="a@trade", S3_WRITE="0", AWS_ACCESS_KEY_ID="AKIANOFILES",
        AWS_SECRET_ACCESS_KEY="nofilesleftkey", AWS_ENDPOINT_URL="http://127.0.0.1:9",
    )
    exchange.client(0)
    run.wait_until_said("connected to the exchange")
    before = resource.prlimit(run.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    exchange.client(0).send(combined("a@trade", '{"n":1}').encode())
    run.wait_until_said("could not deliver")
    run.wait_until(lambda: "EMFILE" in run.err, "the cause is named")
    exchange.client(0).drop()
    run.wait_until_said("this process has too many open files (EMFILE)")
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, before)
    exchange.client(1).send(combined("a@trade", '{"n":2}').encode())
    run.wait_until(lambda: tickwal.log.head == 2, "it goes on")
    assert run.terminate().code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--json"], ["reconcile", "--json"], ["verify", "--json"], ["dead-letters", "list", "--json"],
        ["dead-letters", "show", "1", "--json"], ["config", "--json"],
    ],
    ids=" ".join,
)
def test_a_document_is_printed_whatever_happens(tickwal, arguments):
    ended = tickwal.run_to_end(*arguments, LOG_LEVEL="loud" if arguments[0] == "config" else "info")
    error = json.loads(ended.out)["error"]
    assert ended.code == 78 == error["exit_code"]
    assert [f"tickwal: {line}" for line in error["messages"]] == ended.err.splitlines()


def test_a_comparison_that_is_refused_still_has_a_document(tickwal, make_place, ministack):
    place = make_place()
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(10)))
    tickwal.succeed("import", file)
    tickwal.drain(**place.environment(ministack.url))
    ended = tickwal.run_to_end(
        "reconcile", "--json", **{**place.environment(ministack.url), "AWS_SECRET_ACCESS_KEY": "no-such-key"}
    )
    document = json.loads(ended.out)
    assert ended.code == 1 and all(consumer["failure"] for consumer in document["consumers"]), ended.err


def test_marks_of_direction_do_not_reach_the_terminal(tickwal, make_exchange):
    exchange = make_exchange()
    stream = f"x{MARKS}@trade"
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, STREAMS="a@trade", **SINKS_OFF)
    exchange.client(0).send(combined(stream, '{"n":1}').encode())
    exchange.client(0).send(f"no tick {MARKS}".encode())
    exchange.client(0).send(combined("a@trade", '{"n":2}').encode())
    run.wait_until(lambda: tickwal.path.exists() and tickwal.log.head >= 1, "a tick is in the log")
    run.wait_until_said("was kept as a dead letter")
    shown = [tickwal.succeed(*command).out.decode() for command in (
        ["status"], ["status", "--json"], ["dead-letters", "list"], ["dead-letters", "list", "--json"],
        ["dead-letters", "show", "1"], ["dead-letters", "show", "1", "--json"], ["verify"],
        ["replay", "--from-offset", "1", "--to", "stdout"],
    )]
    unknown = tickwal.run_to_end("seek", "--consumer", f"x{MARKS}", "--offset", "1")
    misspelt = tickwal.run_to_end(f"stat{MARKS}us")
    run.send(signal.SIGTERM)
    for text in [*shown, run.end().err, unknown.err, misspelt.err]:
        assert not set(MARKS[:-2]) & set(text), text
