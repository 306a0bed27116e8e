"""What lies beside the log, or within it, was put there by somebody else: it is refused in one line, nothing waits for
it or is written through it, and nothing that it says ends the program by a trap."""

import json
import os
import sqlite3
import struct
import subprocess
import zlib

import pytest

from support.ticks import combined, mini_tickers

TICKS = mini_tickers(60)
BESIDE = [".lock", ".sock", ".ballast", ".new", "-wal", "-shm", "-journal"]


def import_ticks(tickwal, ticks=TICKS):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in ticks))
    tickwal.succeed("import", file)


def put(kind: str, path, target) -> None:
    path.unlink(missing_ok=True)
    if kind == "link":
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("suffix", BESIDE)
def test_what_is_no_file_of_its_own_beside_the_log_is_refused(tickwal, suffix):
    import_ticks(tickwal)
    precious = tickwal.folder / "precious"
    path = tickwal.path.with_name("ticks.db" + suffix)
    for kind in ("link", "pipe", "folder") if suffix == ".lock" else ("link", "pipe"):
        precious.write_bytes(b"precious " * 1_000)
        put(kind, path, precious)
        ended = tickwal.run_to_end("ship", "--local", tickwal.folder, seconds=30)
        [line] = [line for line in ended.err.splitlines() if line.startswith("tickwal: ")]
        assert ended.code == 78 and line.startswith(f"tickwal: {path} cannot be used: it is "), ended.err
        assert "WAL_PATH must name" not in line
        # Whoever reads waits for nothing, either.
        ended = tickwal.run_to_end("status", seconds=30)
        assert ended.code == (78 if suffix in ("-wal", "-shm", "-journal") else 1), ended.err
        assert precious.read_bytes() == b"precious " * 1_000
        path.rmdir() if kind == "folder" else path.unlink()
    tickwal.succeed("verify")


def test_the_files_of_a_local_folder_are_its_own(tickwal):
    import_ticks(tickwal)
    precious = tickwal.folder / "precious"
    precious.write_bytes(b"precious")
    for name in ("table.db.lock", "table.db", "table.db-wal"):
        path = tickwal.folder / name
        path.symlink_to(precious)
        run = tickwal.start("ship", "--local", tickwal.folder)
        run.wait_until_said(f"{path} cannot be used: it is a symbolic link")
        run.kill()
        assert precious.read_bytes() == b"precious"
        path.unlink()
    tickwal.drain("--local", tickwal.folder)
    # A pipe in the place of an object is not read for ever.
    [first, *_] = sorted((tickwal.folder / "objects").rglob("*.gz"))
    first.unlink()
    os.mkfifo(first)
    ended = tickwal.run_to_end("reconcile", "--local", tickwal.folder, "--full", seconds=60)
    assert ended.code > 0, ended.err


def checksum(offset: int, received_at: int, event_time: int | None, stream: bytes, payload: bytes) -> int:
    head = struct.pack("<qq", offset, received_at)
    head += b"\x00" if event_time is None else b"\x01" + struct.pack("<q", event_time)
    return zlib.crc32(head + struct.pack("<I", len(stream)) + stream + struct.pack("<I", len(payload)) + payload)


@pytest.mark.parametrize("time", [-(2**63), 2**63 - 1, -62_135_596_800_000_001])
def test_a_time_that_no_calendar_has_is_shipped_like_others(tickwal, time):
    import_ticks(tickwal)
    with sqlite3.connect(tickwal.path) as connection:
        [row] = connection.execute("select offset, received_at, event_time, stream, payload, checksum from ticks where offset = 31")
        assert checksum(*row[:3], row[3].encode(), row[4].encode()) == row[5]
        stream, payload = b"a@other", b'{"x":1}'
        connection.execute(
            "replace into ticks values (31, ?, null, ?, ?, ?)",
            (time, stream.decode(), payload.decode(), checksum(31, time, None, stream, payload)),
        )
    connection.close()
    tickwal.drain("--local", tickwal.folder)
    tickwal.succeed("status")
    tickwal.succeed("verify")
    assert tickwal.succeed("replay", "--to", "stdout", "--from-offset", "1").out.count(b"\n") == 60
    tickwal.succeed("seek", "--consumer", "local-s3", "--offset", "1")
    assert tickwal.run_to_end("reconcile", "--local", tickwal.folder).code in (0, 1)


@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1])
def test_numbers_at_the_ends_of_64_bits_trap_no_command(tickwal, number):
    import_ticks(tickwal)
    tickwal.drain("--local", tickwal.folder)
    whole = tickwal.path.read_bytes()
    # All columns of all tables, one after the other: HostileLogTests.
    for sql in (
        "update consumers set next_offset = :n, expired = :n",
        "insert into gaps values (7, :n, null, 'closed', '[\"a\"]', null)", "replace into meta values ('trimmed', :n)",
        "insert into skipped values ('local-s3', 1, :n, 'x', :n)",
    ):
        tickwal.path.write_bytes(whole)
        with sqlite3.connect(tickwal.path) as connection:
            connection.execute("pragma ignore_check_constraints = on")
            try:
                connection.execute(sql.replace(":n", str(number) if number != -(2**63) else "(-9223372036854775807 - 1)"))
            except sqlite3.IntegrityError:
                continue
        connection.close()
        for command in (
            ["status"], ["verify"], ["reconcile", "--local", tickwal.folder, "--to-offset", "60"],
            ["seek", "--consumer", "local-s3", "--offset", "1"],
        ):
            ended = tickwal.run_to_end(*command)
            assert ended.code in (0, 1, 74, 78), f"{sql} {command}: {ended.code}\n{ended.err[-2000:]}"


def test_input_that_looks_like_a_row_does_not_end_a_salvage(tickwal):
    import_ticks(tickwal)
    # As it lies on a page: 100 bytes, row 1, and types of columns that claim 4 EiB each.
    claim = b"\xbf" + b"\xff" * 8
    row = bytes([100, 1, 1 + 6 * 9]) + claim * 6
    assert len(row) == 57
    file = tickwal.folder / "rubbish.jsonl"
    file.write_bytes(row + b"\n")
    tickwal.run_to_end("import", "--force", file)
    assert tickwal.log.value("select payload from dead_letters") == row
    log = bytearray(tickwal.path.read_bytes())
    place = bytes(log).index(row)
    page = place // 4_096 * 4_096
    log[page:page + 8] = b"\x00" * 8
    tickwal.path.write_bytes(log)
    saved = tickwal.folder / "saved.db"
    ended = tickwal.run_to_end("verify", "--salvage", saved)
    assert ended.code == 1, ended.err
    assert b"60 ticks" in ended.out and saved.exists()


@pytest.fixture
def read_only(tickwal):
    """Mounts the log's folder once more, so that nothing can be written there."""
    folder = tickwal.folder / "read-only"
    folder.mkdir()
    mounted = []

    def mount():
        for command in (["mount", "--bind", tickwal.folder, folder], ["mount", "-o", "remount,ro,bind", folder]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"cannot mount a folder: {done.stderr.strip()}")
            mounted.append(folder)
        return folder / "ticks.db"

    yield mount
    for folder in mounted[:1]:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_log_on_a_read_only_file_system_is_read(tickwal, read_only):
    import_ticks(tickwal)
    tickwal.drain("--local", tickwal.folder)
    path = read_only()
    names = {name for name in os.listdir(path.parent) if name.startswith("ticks.db")}
    where = {"WAL_PATH": str(path)}
    assert json.loads(tickwal.succeed("status", "--json", **where).out)["head"] == 60
    tickwal.succeed("verify", **where)
    assert tickwal.succeed("replay", "--to", "stdout", "--from-offset", "1", **where).out.count(b"\n") == 60
    tickwal.succeed("reconcile", "--local", tickwal.folder, **where)
    saved = tickwal.folder / "saved.db"
    ended = tickwal.succeed("verify", "--salvage", saved, **where)
    assert f"nothing is to be salvaged: {saved} was not made".encode() in ended.out
    for command in (["run"], ["ship", "--local", tickwal.folder], ["adopt"]):
        ended = tickwal.run_to_end(*command, STREAMS="a@miniTicker", **where)
        assert ended.code == 78 and "read-only file system" in ended.err.lower(), ended.err
        assert "can be made" not in ended.err and "mount it for writing" in ended.err
    assert {name for name in os.listdir(path.parent) if name.startswith("ticks.db")} == names


def test_a_log_that_was_killed_on_a_read_only_file_system_says_what_to_do(tickwal, read_only, simulate):
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=simulate("--rate", "500"), STREAMS="btcusdt@miniTicker"
    )
    run.wait_until(lambda: tickwal.log.head > 10, "ticks")
    run.kill()
    # The shared memory of a machine that is gone is not there.
    tickwal.path.with_name("ticks.db-shm").unlink()
    path = read_only()
    ended = tickwal.run_to_end("status", WAL_PATH=str(path))
    assert ended.code == 78 and "the file system is read-only; copy both to a folder that can be written" in ended.err


def test_nothing_is_made_where_nothing_is_to_be_salvaged(tickwal):
    import_ticks(tickwal)
    saved = tickwal.folder / "saved.db"
    for _ in range(2):
        ended = tickwal.succeed("verify", "--salvage", saved)
        assert f"nothing is to be salvaged: {saved} was not made".encode() in ended.out
    assert list(tickwal.folder.glob("saved*")) == []
    # One that is needed leaves the new log alone.
    with sqlite3.connect(tickwal.path) as connection:
        connection.execute("delete from ticks where offset = 9")
    connection.close()
    assert tickwal.run_to_end("verify", "--salvage", saved).code == 1
    assert list(tickwal.folder.glob("saved*")) == [saved]
