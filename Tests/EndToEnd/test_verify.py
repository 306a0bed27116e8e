"""`verify` says what is wrong with a log, and `--salvage` makes a new one of what is left."""

import json
import shutil
import sqlite3

from support.ticks import combined, mini_tickers


def write_messages(file, count):
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(count)))


def import_ticks(tickwal, count):
    file = tickwal.folder / "ticks.jsonl"
    write_messages(file, count)
    tickwal.succeed("import", file)
    tickwal.succeed("ship", "--local", tickwal.folder)


def alter(tickwal, sql):
    with sqlite3.connect(tickwal.path) as connection:
        connection.executescript(sql)
    connection.close()


def test_a_log_that_is_whole_has_no_problems(tickwal):
    import_ticks(tickwal, 1_000)
    ended = tickwal.succeed("verify")
    assert b"1,000 ticks are good (offsets 1 to 1,000)\nno problems\n" in ended.out
    report = json.loads(tickwal.succeed("verify", "--json").out)
    assert report["ok"] and report["head"] == 1_000 and report["problems"] == []
    assert report["ticks"] == {"first": 1, "last": 1_000, "good": 1_000, "bad": 0, "lost": 0}


def test_a_log_is_verified_while_run_is_up(tickwal, simulate):
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=simulate("--rate", "500"), STREAMS="btcusdt@miniTicker"
    )
    run.wait_until(lambda: tickwal.log.is_shipped(200), "200 ticks are shipped")
    for _ in range(5):
        tickwal.succeed("verify")
        run.check()
    # What is trimmed or appended meanwhile would be taken for lost, or left behind.
    ended = tickwal.run_to_end("verify", "--salvage", tickwal.folder / "saved.db")
    assert ended.code == 75 and "is in use by process" in ended.err
    assert not (tickwal.folder / "saved.db").exists()
    assert run.terminate().code == 0
    tickwal.succeed("verify")


def test_what_is_wrong_is_said_and_the_rest_saved(tickwal):
    import_ticks(tickwal, 1_000)
    before = tickwal.log.ticks()
    alter(tickwal, "delete from ticks where offset between 300 and 304; update ticks set stream = 'x' where offset = 9")
    kept = tickwal.path.read_bytes()
    ended = tickwal.run_to_end("verify")
    assert ended.code == 1
    assert ended.out.decode().splitlines()[:2] == [
        "ticks: offset 9: the row's checksum is wrong", "ticks: offset 300 to 304: the row is missing",
    ]
    assert "has 2 problems" in ended.err

    saved = tickwal.folder / "saved.db"
    ended = tickwal.run_to_end("verify", "--json", "--salvage", saved)
    assert ended.code == 1
    salvage = json.loads(ended.out)["salvage"]
    assert salvage["ticks"] == 994 and salvage["lost_ranges"] == [[9, 9], [300, 304]]
    assert salvage["log_id"] == tickwal.log.log_id
    assert tickwal.path.read_bytes() == kept
    ended = tickwal.run_to_end("verify", "--salvage", saved)
    assert ended.code == 78 and "--salvage" in ended.err and "there already" in ended.err

    shutil.copy(saved, tickwal.path)
    assert b"994 ticks are good, 6 are known to be lost" in tickwal.succeed("verify").out
    lost = {9, *range(300, 305)}
    assert tickwal.log.ticks() == [tick for tick in before if tick.offset not in lost]
    # The consumers stand where they stood, and go on.
    assert set(tickwal.log.next_offsets().values()) == {1_001}
    write_messages(tickwal.folder / "more.jsonl", 10)
    tickwal.succeed("import", tickwal.folder / "more.jsonl")
    tickwal.succeed("ship", "--local", tickwal.folder)
    assert set(tickwal.log.next_offsets().values()) == {1_011}
    tickwal.succeed("verify")


def test_a_log_that_cannot_be_opened_is_said_and_salvaged(tickwal):
    import_ticks(tickwal, 1_000)
    damaged = bytearray(tickwal.path.read_bytes())
    damaged[:4096] = b"\xa5" * 4096
    tickwal.path.write_bytes(damaged)
    for command in (["verify"], ["status"], ["ship", "--local", tickwal.folder]):
        ended = tickwal.run_to_end(*command)
        assert ended.code == 78, ended.err
    saved = tickwal.folder / "saved.db"
    ended = tickwal.run_to_end("verify", "--salvage", saved)
    assert ended.code == 1 and b"1,000 ticks, head 1,000" in ended.out
    shutil.copy(saved, tickwal.path)
    tickwal.succeed("ship", "--local", tickwal.folder)
    tickwal.succeed("verify")


def test_damage_that_ends_a_command_says_what_to_do(tickwal):
    import_ticks(tickwal, 1_000)
    [root] = tickwal.log.ask("select rootpage from sqlite_schema where name = 'consumers'")[0]
    damaged = bytearray(tickwal.path.read_bytes())
    damaged[(root - 1) * 4096 : root * 4096] = b"\xa5" * 4096
    tickwal.path.write_bytes(damaged)
    for command in (["status"], ["ship", "--local", tickwal.folder]):
        ended = tickwal.run_to_end(*command)
        assert ended.code == 74 and "tickwal verify" in ended.err and "--salvage" in ended.err


def test_a_folder_that_is_not_there_is_not_made(tickwal):
    import_ticks(tickwal, 10)
    folder = tickwal.folder / "nowhere"
    ended = tickwal.run_to_end("verify", "--salvage", folder / "saved.db")
    assert ended.code == 78 and "its folder" in ended.err
    assert not folder.exists()


def test_ids_that_skip_outside_gaps_are_said_and_are_no_problem(tickwal):
    file = tickwal.folder / "ticks.jsonl"
    events = [combined("btcusdt@trade", f'{{"e":"trade","E":{id},"s":"BTCUSDT","t":{id}}}') for id in (1, 2, 5, 4, 9)]
    file.write_text("".join(event + "\n" for event in events))
    tickwal.succeed("import", file)
    out = tickwal.succeed("verify").out
    assert b"the exchange's ids of 1 stream skip 2 times outside gaps" in out and b"\nno problems\n" in out
    report = json.loads(tickwal.succeed("verify", "--json").out)
    assert report["ok"] and report["sequences"]["streams"] == 1 and report["sequences"]["skip_count"] == 2
    skips = [(skip["stream"], skip["after"], skip["before"]) for skip in report["sequences"]["skips"]]
    assert skips == [("btcusdt@trade", 2, 4), ("btcusdt@trade", 5, 9)]
