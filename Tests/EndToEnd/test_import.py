"""`import` reads files byte for byte, and knows where it stopped."""

import contextlib
import gzip
import os
import signal
import sqlite3
import subprocess
import threading

import pytest

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.ticks import combined, events_of, mini_ticker, mini_tickers, odd_events


def assert_payloads(tickwal, expected):
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert [(tick.stream, tick.payload) for tick in ticks] == expected


def ship_and_check(tickwal, place, url):
    """Into both kinds of sinks, one after the other."""
    tickwal.drain(**place.environment(url))
    ticks = tickwal.log.ticks()
    assert_objects(tickwal.log, place.objects(), ticks, most_rows=100)
    assert_items(place.items(), ticks)
    tickwal.drain("--local", tickwal.folder)
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_arrives_in_the_log_and_in_all_sinks(tickwal, make_place, ministack, packed):
    expected = mini_tickers(700) + odd_events()
    text = "\n".join(combined(*tick) for tick in expected).encode() + b"\n"
    file = tickwal.folder / ("ticks.jsonl.gz" if packed else "ticks.jsonl")
    file.write_bytes(gzip.compress(text) if packed else text)
    tickwal.succeed("import", file)
    assert_payloads(tickwal, expected)
    ship_and_check(tickwal, make_place(), ministack.url)


def test_recorded_messages_arrive_in_the_log_and_in_all_sinks(tickwal, make_place, ministack, recorded):
    expected = []
    for file in recorded:
        tickwal.succeed("import", file)
        expected += events_of(file.read_text())
    assert_payloads(tickwal, expected)
    ship_and_check(tickwal, make_place(), ministack.url)


def test_stdin_arrives_and_says_that_it_cannot_resume(tickwal):
    expected = mini_tickers(20)
    done = tickwal.run_with_input("\n".join(combined(*tick) for tick in expected).encode(), "import", "-")
    assert done.code == 0, done.err
    assert "resume" in done.err
    assert_payloads(tickwal, expected)


def test_arrays_are_taken_apart_and_lines_that_are_no_ticks_are_kept_aside(tickwal):
    events = [mini_ticker(f"S{number}USDT", 1_665_778_598_000 + number, 2.5) for number in range(10)]
    file = tickwal.folder / "mixed.jsonl"
    file.write_text("[" + ",".join(events) + "]\nnot json\n\n" + combined("a@trade", '{"n":1}') + "\n")
    ended = tickwal.run_to_end("import", file)
    assert ended.code in (0, 1), ended.err
    expected = [(f"s{number}usdt@miniTicker", event) for number, event in enumerate(events)]
    assert_payloads(tickwal, expected + [("a@trade", '{"n":1}')])
    assert [bytes(payload) for (payload,) in tickwal.log.ask("select payload from dead_letters")] == [b"not json"]


def test_a_killed_import_goes_on_where_it_stopped(tickwal):
    expected = mini_tickers(120_000)
    file = tickwal.folder / "large.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in expected))
    for part in (10_000, 50_000):
        process = tickwal.start("import", file)
        process.wait_until(lambda: tickwal.log.head >= part, f"{part} ticks in the log")
        process.kill()
        assert tickwal.log.head < len(expected), "the import was over before it could be interrupted"
    tickwal.succeed("import", file, seconds=180)
    assert_payloads(tickwal, expected)


def test_an_interrupted_import_says_so_and_goes_on(tickwal):
    expected = mini_tickers(60_000)
    file = tickwal.folder / "large.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in expected))
    process = tickwal.start("import", file)
    process.wait_until(lambda: tickwal.log.head >= 5_000, "5,000 ticks in the log")
    process.send(signal.SIGINT)
    ended = process.end()
    assert ended.code == 130, ended.err
    assert tickwal.log.head < len(expected), "the import was over before it could be interrupted"
    tickwal.succeed("import", file, seconds=180)
    assert_payloads(tickwal, expected)


def test_a_finished_file_needs_again(tickwal):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(30)))
    tickwal.succeed("import", file)
    ended = tickwal.run_to_end("import", file)
    assert ended.code != 0 and "--again" in ended.err
    assert tickwal.log.head == 30
    tickwal.succeed("import", file, "--again")
    assert tickwal.log.head == 60


def test_a_file_that_is_missing_is_named(tickwal):
    ended = tickwal.run_to_end("import", "/nowhere/ticks.jsonl")
    assert ended.code != 0 and "/nowhere/ticks.jsonl" in ended.err


NOT_TICKS = b"".join(b"2026-11-22 line %d of some other file\n" % number for number in range(120))


def letters(tickwal) -> list[tuple]:
    return tickwal.log.ask("select consumer, count(*) from dead_letters group by consumer")


def test_a_file_that_is_none_is_refused_and_nothing_of_it_is_kept(tickwal):
    file = tickwal.folder / "app.log"
    file.write_bytes(NOT_TICKS)
    ended = tickwal.run_to_end("import", file)
    assert ended.code == 1 and letters(tickwal) == [] and tickwal.log.head == 0
    assert "none of the first 100 lines of" in ended.err and "invalid JSON" in ended.err and "--force" in ended.err
    # A short one, which ends before the hundredth line.
    file.write_bytes(b'{"result":null,"id":1}\n\nnonsense\n')
    ended = tickwal.run_to_end("import", file)
    assert ended.code == 1 and letters(tickwal) == [] and "no line of" in ended.err


def test_what_an_import_keeps_aside_is_its_own_and_verify_knows_it(tickwal):
    file = tickwal.folder / "mixed.jsonl"
    # More than are kept, after a tick that makes it a file of ticks.
    file.write_bytes(combined("a@trade", '{"n":1}').encode() + b"\n" + b"nonsense\n" * 10_050)
    ended = tickwal.succeed("import", file)
    assert b"dead letters of import" in ended.out
    assert letters(tickwal) == [("import", 10_000)]
    assert tickwal.log.ask("select streams from gaps") == []
    assert b"10,000 of import" in tickwal.succeed("status").out
    tickwal.succeed("verify")
    copy = tickwal.folder / "salvaged.db"
    # Salvage has something to do where a record is damaged.
    with sqlite3.connect(tickwal.path) as log:
        log.execute("update ticks set checksum = checksum + 1")
    assert tickwal.run_to_end("verify", "--salvage", copy).code == 1
    with contextlib.closing(sqlite3.connect(copy)) as saved:
        assert saved.execute("select count(*) from dead_letters where consumer = 'import'").fetchone() == (10_000,)
    with sqlite3.connect(tickwal.path) as log:
        log.execute("update ticks set checksum = checksum - 1")
    [id] = tickwal.log.ask("select max(id) from dead_letters")[0]
    assert b"nonsense" in tickwal.succeed("dead-letters", "show", str(id)).out
    # It is input as the feed's is: tried again it is decoded again.
    ended = tickwal.run_to_end("dead-letters", "retry", str(id))
    assert ended.code == 1 and b"refused again" in ended.out


def test_with_force_any_file_is_kept_aside(tickwal):
    file = tickwal.folder / "app.log"
    file.write_bytes(NOT_TICKS)
    ended = tickwal.run_to_end("import", "--force", file)
    assert ended.code == 1 and "nothing in" in ended.err
    assert letters(tickwal) == [("import", 120)]


@pytest.mark.parametrize("kind", ["named pipe", "process substitution"])
def test_a_pipe_is_read_like_stdin(tickwal, kind):
    expected = mini_tickers(2_000)
    text = "".join(combined(*tick) + "\n" for tick in expected)
    if kind == "named pipe":
        pipe = tickwal.folder / "pipe"
        os.mkfifo(pipe)
        # Nobody writes yet: the import waits, and can be interrupted.
        process = tickwal.start("import", pipe)
        process.wait_until_said("is a pipe or device, which cannot be resumed")
        process.send(signal.SIGINT)
        assert process.end().code == 130
        writer = threading.Thread(target=lambda: pipe.write_text(text))
        process = tickwal.start("import", pipe)
        writer.start()
        ended = process.end()
        writer.join()
        code, err = ended.code, ended.err
    else:
        (tickwal.folder / "ticks.jsonl").write_text(text)
        done = subprocess.run(
            ["bash", "-c", '"$0" import <(cat ticks.jsonl)', tickwal.binary], cwd=tickwal.folder,
            env={**tickwal.environment, "PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=90,
        )
        code, err = done.returncode, done.stderr
    assert code == 0, err
    assert "cannot be resumed" in err
    assert_payloads(tickwal, expected)


def test_a_line_that_unpacks_beyond_a_message_is_kept_aside_with_its_beginning(tickwal):
    file = tickwal.folder / "bomb.jsonl.gz"
    good = combined("a@trade", '{"n":1}').encode() + b"\n"
    file.write_bytes(gzip.compress(good + b"0" * (40 << 20) + b"\n" + good))
    assert file.stat().st_size < 64 << 10
    tickwal.succeed("import", file)
    assert tickwal.log.head == 2
    [(length, cause)] = tickwal.log.ask("select length(payload), cause from dead_letters")
    assert length == 64 << 10 and "line 2 has more than 16 MiB" in cause


def test_rows_of_an_object_are_told_from_what_an_exchange_sends(tickwal):
    file = tickwal.folder / "old.jsonl"
    file.write_text(
        '{"event_type":"24hrMiniTicker","event_time":1,"iso_timestamp":"2022-10-14T20-16-38.188000Z",'
        '"stream_type":"btcusdt@miniTicker","symbol":"BTCUSDT","close_price":"1"}\n'
    )
    ended = tickwal.run_to_end("import", file)
    assert ended.code == 1 and "and a row as in S3 objects, which was delivered already" in ended.err, ended.err
