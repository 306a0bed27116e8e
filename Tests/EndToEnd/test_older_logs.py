"""A log that a version of tickwal with an older schema has left: whoever only reads takes it as it is, whoever writes
brings it up first."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from support.delivery import assert_gaps, local_gaps
from support.ticks import combined, mini_tickers

LOGS = Path(__file__).resolve().parents[1] / "Recordings" / "logs"
NOW = 2
"""The present version of the schema."""
BROUGHT_UP = "the log was of an older version of tickwal and has been brought up"


def put(tickwal, name) -> None:
    for suffix in ("", "-wal"):
        if (file := LOGS / f"{name}.log{suffix}").exists():
            shutil.copy(file, str(tickwal.path) + suffix)


def version(tickwal) -> int:
    return tickwal.log.value("pragma user_version")


def rows(tickwal) -> dict[str, list[tuple]]:
    columns = {"gaps": "id, started_at, ended_at, cause, streams"}
    tables = ("ticks", "consumers", "batches", "gaps", "dead_letters", "skipped", "sqlite_sequence")
    return {table: sorted(tickwal.log.ask(f"select {columns.get(table, '*')} from {table}"), key=str) for table in tables}


@pytest.mark.parametrize("name", ["version-1", "version-1-killed"])
def test_who_only_reads_changes_nothing(tickwal, name):
    put(tickwal, name)
    before = tickwal.path.read_bytes()
    head = tickwal.log.head
    status = json.loads(tickwal.succeed("status", "--json").out)
    assert status["head"] == head and all(gap["detail"] is None for gap in status["gaps"]["open"])
    assert tickwal.succeed("verify").out.endswith(b"no problems\n")
    replayed = tickwal.succeed("replay", "--from-offset", "1", "--to", "stdout").out
    assert replayed.count(b"\n") == head
    tickwal.succeed("dead-letters", "list", "--json")
    assert tickwal.path.read_bytes() == before and version(tickwal) == 1


@pytest.mark.parametrize("name", ["version-1", "version-1-killed"])
def test_who_writes_brings_it_up_first(tickwal, name):
    put(tickwal, name)
    before, head = rows(tickwal), tickwal.log.head
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(10)))
    assert BROUGHT_UP in tickwal.succeed("import", file).err
    assert version(tickwal) == NOW and tickwal.log.head == head + 10
    after = rows(tickwal)
    after["ticks"] = [tick for tick in after["ticks"] if tick[0] <= head]
    assert after == before
    assert tickwal.succeed("verify").out.endswith(b"no problems\n")
    assert BROUGHT_UP not in tickwal.succeed("import", "--again", file).err


def test_the_feed_goes_on_in_it_and_its_gaps_are_told(tickwal, simulate):
    put(tickwal, "version-1-killed")
    head = tickwal.log.head
    run = tickwal.start(
        "run", "--local", tickwal.folder, "--accept-destination", BINANCE_WS_URL=simulate("--rate", "200"),
        STREAMS="btcusdt@miniTicker,ethusdt@trade",
    )
    run.wait_until(lambda: tickwal.log.is_shipped(head + 100), "further ticks are shipped")
    assert run.terminate().code == 0
    assert version(tickwal) == NOW and BROUGHT_UP in run.err
    assert [cause for (cause,) in tickwal.log.ask("select cause from gaps order by id")] == ["crash", "shutdown"]
    assert_gaps(tickwal.log, local_gaps(tickwal.folder))
    assert tickwal.succeed("verify").out.endswith(b"no problems\n")


def test_a_salvage_of_it_is_a_log_of_today(tickwal):
    put(tickwal, "version-1")
    with sqlite3.connect(tickwal.path) as connection:
        connection.execute("drop view recent_gaps")
    connection.close()
    before = rows(tickwal)
    saved = tickwal.folder / "saved.db"
    ended = tickwal.run_to_end("verify", "--salvage", saved)
    assert ended.code == 1 and b"recent_gaps" in ended.out
    assert version(tickwal) == 1
    tickwal.path.unlink()
    saved.rename(tickwal.path)
    after = rows(tickwal)
    del before["sqlite_sequence"], after["sqlite_sequence"]
    assert version(tickwal) == NOW and after == before
    assert tickwal.succeed("verify").out.endswith(b"no problems\n")


def test_a_view_of_the_operators_own_goes_on_working(tickwal):
    put(tickwal, "version-1")
    with sqlite3.connect(tickwal.path) as connection:
        connection.execute("create view long_gaps as select id, cause from gaps where ended_at - started_at > 1e6")
    connection.close()
    before = tickwal.log.ask("select * from long_gaps")
    tickwal.succeed("adopt")
    assert version(tickwal) == NOW and tickwal.log.ask("select * from long_gaps") == before != []


@pytest.mark.parametrize("command", ["run", "ship", "status", "verify", "adopt", "import"])
def test_a_log_of_a_newer_version_is_refused_and_left_as_it_is(tickwal, command):
    put(tickwal, "version-1")
    tickwal.succeed("adopt")
    with sqlite3.connect(tickwal.path) as connection:
        connection.execute(f"pragma user_version = {NOW + 1}")
    connection.close()
    before = tickwal.path.read_bytes()
    file = tickwal.folder / "ticks.jsonl"
    file.write_text(combined(*next(iter(mini_tickers(1)))) + "\n")
    settings = {"STREAMS": "a@trade", "S3_WRITE": "0", "DYNAMO_WRITE": "0"} if command == "run" else {}
    ended = tickwal.run_to_end(command, *([file] if command == "import" else []), **settings)
    assert ended.code == 78
    words = f"{tickwal.path} was written by a newer tickwal (schema {NOW + 1}, this one knows {NOW}): use that version"
    assert f"tickwal: {words}\n" in ended.err
    assert tickwal.path.read_bytes() == before


def test_the_page_on_upgrades_has_each_schema():
    page = (Path(__file__).resolve().parents[2] / "docs/upgrade.md").read_text()
    rows = [line.split("|")[1].strip() for line in page.partition("| schema |")[2].splitlines() if line.startswith("|")]
    assert rows[1:] == [str(number) for number in range(1, NOW + 1)]
