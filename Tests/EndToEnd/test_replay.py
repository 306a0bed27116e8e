"""`replay` delivers again, while `run` is up, and moves nothing."""

import pytest

from support import oracle
from support.program import PATIENCE
from support.ticks import combined, mini_tickers
from support.waiting import wait_until

COUNT = 250


@pytest.fixture
def running(tickwal, make_place, make_exchange, ministack):
    """`run` with everything delivered: the program, its process and the place."""
    place = make_place("a@miniTicker")
    exchange = make_exchange()
    tickwal.environment |= place.environment(ministack.url)
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url)
    for tick in mini_tickers(COUNT):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.is_shipped(COUNT), f"{COUNT} ticks are shipped")
    yield tickwal, run, place
    run.check()


@pytest.mark.parametrize("bounds, offsets", [
    (["--from-offset", "1"], range(1, COUNT + 1)),
    (["--from-offset", "17", "--to-offset", "120"], range(17, 121)),
    (["--from-offset", "250", "--to-offset", "250"], range(250, 251)),
])
def test_to_stdout_goes_nothing_but_rows(running, bounds, offsets):
    tickwal, _, _ = running
    before = tickwal.log.next_offsets()
    ended = tickwal.succeed("replay", *bounds, "--to", "stdout")
    ticks = {tick.offset: tick for tick in tickwal.log.ticks()}
    assert ended.out == b"".join(oracle.row(ticks[offset]) for offset in offsets)
    assert tickwal.log.next_offsets() == before


def test_to_dynamodb_writes_the_same_items_again(running):
    tickwal, _, place = running
    before = place.items()
    gone = sorted(before)[:40]
    for key in gone:
        place.delete_item(key)
    tickwal.succeed("replay", "--from-offset", "1", "--to", "dynamodb")
    assert place.items() == before
    assert tickwal.log.next_offsets() == {"s3": COUNT + 1, "dynamodb": COUNT + 1}


def test_to_s3_puts_the_frozen_objects_back(running):
    tickwal, _, place = running
    before = {stored.key: stored.text for stored in place.objects()}
    key = sorted(before)[0]
    place.delete_object(key)
    tickwal.succeed("replay", "--from-offset", "1", "--to", "s3")
    assert {stored.key: stored.text for stored in place.objects()} == before


def test_to_s3_makes_copies_under_a_prefix(running):
    tickwal, _, place = running
    before = {stored.key for stored in place.objects()}
    tickwal.succeed("replay", "--from-offset", "11", "--to-offset", "60", "--to", "s3", "--prefix", "copies/of")
    copies = place.objects("copies/of/")
    ticks = {tick.offset: tick for tick in tickwal.log.ticks()}
    rows = b"".join(oracle.row(ticks[offset]) for offset in range(11, 61))
    assert b"".join(stored.text for stored in sorted(copies, key=lambda stored: int(stored.name["first"]))) == rows
    assert {stored.key for stored in place.objects("batch_jsonl/")} == before


def test_copies_beside_the_objects_are_refused_before_anything_is_opened(tickwal):
    """There is no log, no key and no server."""
    ended = tickwal.run_to_end("replay", "--from-offset", "1", "--to", "s3", "--prefix", "/batch_jsonl/")
    assert ended.code == 78 and "--prefix" in ended.err and "another folder than S3_JSONL_DIR_PATH" in ended.err


def test_an_offset_out_of_range_is_refused_with_both_named(running):
    tickwal, _, _ = running
    ended = tickwal.run_to_end("replay", "--from-offset", str(COUNT + 5), "--to", "stdout")
    assert ended.code == 1 and ended.out == b""
    assert str(COUNT + 5) in ended.err and str(COUNT) in ended.err.replace(str(COUNT + 5), "")
    ended = tickwal.run_to_end("replay", "--from-offset", "5", "--to-offset", "9999", "--to", "stdout")
    assert ended.code == 1 and ended.out == b"" and "9,999" in ended.err


def test_a_range_that_was_never_planned_is_refused(tickwal):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(10)))
    tickwal.succeed("import", file)
    ended = tickwal.run_to_end(
        "replay", "--from-offset", "1", "--to", "s3", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b",
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
    )
    assert ended.code == 1 and "plan" in ended.err


def test_the_end_that_is_in_no_object_yet_is_left_out(tickwal):
    for number, count in enumerate((COUNT, 30)):
        file = tickwal.folder / f"{number}.jsonl"
        file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(count, seed=number)))
        tickwal.succeed("import", file)
        if number == 0:
            tickwal.drain("--local", "out", DYNAMO_WRITE="0")
    to_s3 = ["--to", "s3", "--local", "out"]
    ended = tickwal.succeed("replay", "--from-offset", "1", *to_s3)
    assert f"ended at offset {COUNT}, the last that is in an object: 30 ticks after it are in none yet" in ended.err
    ended = tickwal.run_to_end("replay", "--from-offset", "1", "--to-offset", str(COUNT + 1), *to_s3)
    assert ended.code == 1 and "was never planned" in ended.err


def test_times_name_ranges_as_well_as_offsets(tickwal):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(20)))
    tickwal.succeed("import", file)
    rows = tickwal.succeed("replay", "--from-offset", "1", "--to", "stdout").out
    assert tickwal.succeed("replay", "--since", "-30m", "--to", "stdout").out == rows
    [first] = tickwal.log.ask("select min(received_at) from ticks")[0]
    moment = tickwal.log.ask(f"select strftime('%Y-%m-%dT%H:%M:%S', {first} / 1000000, 'unixepoch')")[0][0]
    until = f"{moment}.{first % 1_000_000:06}Z"
    count = tickwal.log.ask(f"select count(*) from ticks where received_at <= {first}")[0][0]
    assert tickwal.succeed("replay", "--since", until, "--until", until, "--to", "stdout").out.count(b"\n") == count
    for arguments, code, said in [
        (["--since", "soon"], 78, "a time (UTC) such as 02:10"),
        (["--since", "-30m", "--from-offset", "1"], 78, "given without --from-offset"),
        (["--since", "-30m", "--until", "-10m"], 1, "the log has no ticks that were received"),
    ]:
        ended = tickwal.run_to_end("replay", *arguments, "--to", "stdout")
        assert ended.code == code and said in ended.err, ended.err
    tickwal.drain("--local", "out", S3_WRITE="0")
    ended = tickwal.succeed("seek", "--consumer", "local-dynamodb", "--at", "-30m", "--dry-run")
    assert b"20 ticks" in ended.out
    assert tickwal.run_to_end("seek", "--consumer", "local-dynamodb", "--at", "-30m", "--offset", "1").code == 64
    assert b"20 items compared" in tickwal.succeed("reconcile", "--local", "out", "--since", "-30m").out


def test_missing_arguments_are_usage_errors(tickwal):
    for arguments in (["replay"], ["replay", "--from-offset", "1"], ["replay", "--to", "stdout"]):
        assert tickwal.run_to_end(*arguments).code == 64, arguments
    assert tickwal.run_to_end("replay", "--from-offset", "x", "--to", "stdout").code in (64, 78)


def test_a_reader_that_goes_away_ends_replay(running):
    """`tickwal replay … | head -1` neither hangs nor dumps core."""
    import os
    import subprocess

    tickwal, _, _ = running
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [tickwal.binary, "replay", "--from-offset", "1", "--to", "stdout"], stdout=writing,
        stderr=subprocess.PIPE, env=tickwal.environment, cwd=tickwal.folder,
    )
    os.close(writing)
    os.close(reading)
    _, said = process.communicate(timeout=PATIENCE)
    (tickwal.folder / "replay-to-nobody.err").write_bytes(said)
    assert process.returncode >= 0, f"ended by signal {-process.returncode}"
    assert b"Fatal error" not in said
