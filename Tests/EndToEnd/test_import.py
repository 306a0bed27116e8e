"""`import` reads files byte for byte, and knows where it stopped."""

import gzip
import signal

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
