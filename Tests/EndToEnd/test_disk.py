"""A full disk is waited out; a disk that fails ends the program, and nothing that was confirmed is lost."""

import contextlib
import errno
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.faults import Disk
from support.program import PATIENCE
from support.ticks import combined, mini_tickers

FIRST, MORE, LAST = mini_tickers(100), mini_tickers(2_000, seed=2), mini_tickers(10, seed=3)

LOG_ALONE = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}
"""Then nothing is trimmed to make room."""


@pytest.fixture
def disk(faults, tickwal):
    return Disk(faults, tickwal.folder, tickwal.path)


def start(tickwal, disk, exchange, **environment):
    return tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker",
        **(disk.environment if disk else {}), **environment,
    )


def send(exchange, ticks, client=0):
    for tick in ticks:
        exchange.client(client).send(combined(*tick).encode())


def events(tickwal):
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    return [(tick.stream, tick.payload) for tick in ticks]


def assert_paused_for_the_disk(log):
    """The feed was paused, which is written down, and nothing else happened to it."""
    gaps = log.ask("select cause, started_at, ended_at, streams from gaps")
    assert gaps and {cause for cause, *_ in gaps} == {"disk_full"}
    for _, started_at, ended_at, streams in gaps:
        assert ended_at is not None and started_at <= ended_at
        assert "@" in streams
        # From the last tick before to the first one after.
        assert log.value("select count(*) from ticks where received_at = ?", ended_at)


def test_a_full_disk_is_waited_out_and_nothing_is_missed(tickwal, disk, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, disk, exchange, **LOG_ALONE)
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.head == len(FIRST), "the first ticks are in the log")
    disk.fill()
    send(exchange, MORE)
    run.wait_until_said("volume of the log is full")
    seen = events(tickwal)
    assert len(FIRST) <= len(seen) < len(FIRST + MORE)
    assert seen == (FIRST + MORE)[: len(seen)]
    # What comes now is refused, and waits in the connection.
    send(exchange, LAST[:5])
    disk.free()
    run.wait_until_said("has room again")
    send(exchange, LAST[5:])
    everything = FIRST + MORE + LAST
    run.wait_until(lambda: tickwal.log.head == len(everything), "all ticks are in the log")
    assert events(tickwal) == everything
    # The exchange may have dropped something meanwhile; this one did not.
    assert_paused_for_the_disk(tickwal.log)
    assert run.terminate().code == 0
    tickwal.drain("--local", tickwal.folder)
    assert_objects(tickwal.log, local_objects(tickwal.folder), tickwal.log.ticks(), most_rows=100)
    assert_items(local_items(tickwal.folder), tickwal.log.ticks())


def test_a_quota_is_waited_out_as_a_full_disk_is(tickwal, disk, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, disk, exchange, **LOG_ALONE)
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.head == len(FIRST), "the first ticks are in the log")
    disk.exhaust_quota()
    send(exchange, MORE)
    # The volume has room: df says nothing of it.
    run.wait_until_said("the quota on the volume of the log is used up")
    assert "Disk quota exceeded" in run.err and "dmesg" not in run.err
    disk.raise_quota()
    run.wait_until_said("has room again")
    send(exchange, LAST)
    everything = FIRST + MORE + LAST
    run.wait_until(lambda: tickwal.log.head == len(everything), "all ticks are in the log")
    assert events(tickwal) == everything
    assert_paused_for_the_disk(tickwal.log)
    assert run.terminate().code == 0


def test_a_volume_without_inodes_is_waited_out(tickwal, on_volume, make_exchange):
    volume = on_volume("64m", inodes=4)
    (volume.folder / "other").touch()
    (volume.folder / "another").touch()
    exchange = make_exchange()
    run = start(tickwal, None, exchange)
    run.wait_until_said("no inodes left")
    assert "df -i" in run.err and "No such file" not in run.err
    volume.remount("nr_inodes=100")
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the ticks are shipped")
    assert run.terminate().code == 0


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_well_on_a_full_disk(tickwal, disk, make_exchange, kind):
    exchange = make_exchange()
    run = start(tickwal, disk, exchange, SHUTDOWN_TIMEOUT="1", **LOG_ALONE)
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.head == len(FIRST), "the first ticks are in the log")
    disk.fill()
    send(exchange, MORE)
    run.wait_until_said("volume of the log is full")
    run.send(kind)
    ended = run.end()
    assert ended.code == 0, ended.err
    assert "stopped; no consumer is enabled" in ended.err
    seen = events(tickwal)
    assert seen == (FIRST + MORE)[: len(seen)] and len(seen) >= len(FIRST)
    disk.free()
    run = start(tickwal, disk, exchange)
    send(exchange, MORE[:10], client=1)
    run.wait_until(lambda: tickwal.log.head == len(seen) + 10, "the feed goes on")
    assert events(tickwal) == seen + MORE[:10]
    assert tickwal.log.ask("select cause from gaps where ended_at is not null") == [("crash",)]


def test_a_signal_ends_a_start_that_waits_for_room(tickwal, disk, make_exchange):
    exchange = make_exchange()
    first = start(tickwal, disk, exchange)
    send(exchange, FIRST)
    first.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the first ticks are shipped")
    first.kill()
    disk.fill()
    run = start(tickwal, disk, exchange)
    run.wait_until_said("volume of the log is full")
    assert run.terminate().code == 0
    assert events(tickwal) == FIRST
    disk.free()
    assert tickwal.succeed("status").code == 1, "nothing has it open"


def test_a_start_waits_for_room(tickwal, disk, make_exchange):
    exchange = make_exchange()
    disk.fill()
    run = start(tickwal, disk, exchange)
    run.wait_until_said("volume of the log is full")
    disk.free()
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the ticks are shipped")


def test_an_import_on_a_full_disk_can_be_interrupted(tickwal, disk):
    expected = mini_tickers(60_000)
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in expected))
    process = tickwal.start("import", file, **disk.environment)
    process.wait_until(lambda: tickwal.log.head >= 5_000, "5,000 ticks in the log")
    disk.fill()
    process.wait_until_said("volume of the log is full")
    process.send(signal.SIGINT)
    ended = process.end()
    assert ended.code == 130, ended.err
    disk.free()
    tickwal.succeed("import", file, seconds=180)
    assert events(tickwal) == expected


def test_a_failed_sync_ends_the_program_and_nothing_confirmed_is_lost(tickwal, disk, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, disk, exchange)
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the first ticks are shipped")
    disk.break_syncs()
    with contextlib.suppress(OSError):  # It may end at the first of them.
        send(exchange, MORE[:50])
    ended = run.end()
    assert ended.code == 74, ended.err
    assert "the log failed" in ended.err and str(tickwal.path) not in ended.out.decode()
    assert "Everything that was confirmed is safe" in ended.err
    disk.mend()
    run = start(tickwal, disk, exchange, DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT=str(PATIENCE))
    before = tickwal.log.head
    send(exchange, MORE[50:60], client=1)
    run.wait_until(lambda: tickwal.log.head >= before + 10, "the feed goes on")
    assert run.terminate(seconds=2 * PATIENCE).code == 0
    seen = events(tickwal)
    # What was on its way at the failure may be there or not, but nothing else and nothing twice.
    uncertain = seen[len(FIRST) : -10]
    assert seen[: len(FIRST)] == FIRST and seen[-10:] == MORE[50:60]
    assert uncertain == MORE[: len(uncertain)] and len(uncertain) <= 50
    assert_objects(tickwal.log, local_objects(tickwal.folder), tickwal.log.ticks(), most_rows=100)
    assert_items(local_items(tickwal.folder), tickwal.log.ticks())


def test_a_failed_sync_ends_an_import(tickwal, disk):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in FIRST))
    tickwal.succeed("import", file)
    more = tickwal.folder / "more.jsonl"
    more.write_text("".join(combined(*tick) + "\n" for tick in MORE))
    disk.break_syncs()
    ended = tickwal.run_to_end("import", more, **disk.environment)
    assert ended.code == 74, ended.err
    disk.mend()
    tickwal.succeed("import", more, **disk.environment)
    assert events(tickwal) == FIRST + MORE


class Volume:
    """A small file system of its own; a stricter judge than the library, where mounting is allowed."""

    def __init__(self, folder: Path, size: str, inodes: int | None = None):
        self.folder = folder
        folder.mkdir()
        options = f"size={size}" + (f",nr_inodes={inodes}" if inodes else "")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode != 0:
            pytest.skip(f"cannot mount a file system: {done.stderr.strip()}")

    def resize(self, size: str) -> None:
        self.remount(f"size={size}")

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def fill(self, leaving: int) -> None:
        """With a file beside the others, up to so many bytes."""
        count = self.available - leaving
        with open(self.folder / "filler", "wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, count)

    def fill_up(self) -> None:
        """With the same file, until not one byte more can be written."""
        with open(self.folder / "filler", "ab", buffering=0) as filler:
            size = 1 << 20
            while size:
                try:
                    filler.write(b"x" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    size //= 2

    def free(self) -> None:
        (self.folder / "filler").unlink()

    @property
    def available(self) -> int:
        info = os.statvfs(self.folder)
        return info.f_bavail * info.f_frsize

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


@pytest.fixture
def make_volume(tmp_path):
    volumes: list[Volume] = []

    def make(size: str, inodes: int | None = None) -> Volume:
        volumes.append(Volume(tmp_path / f"volume-{len(volumes)}", size, inodes))
        return volumes[-1]

    yield make
    for volume in volumes:
        volume.unmount()


GUARDED = {"DISK_LOW": "15%", "DISK_STOP": "5%", "BALLAST_SIZE": "64MiB"}


@pytest.fixture
def on_volume(tickwal, make_volume):
    """The program with its log on a small volume."""

    def make(size: str, inodes: int | None = None) -> Volume:
        volume = make_volume(size, inodes)
        tickwal.path = tickwal.log.path = volume.folder / "ticks.db"
        tickwal.environment["WAL_PATH"] = str(tickwal.path)
        return volume

    return make


def test_a_small_volume_fills_up_and_grows(tickwal, on_volume, simulate, make_manager):
    volume, manager = on_volume("8m"), make_manager()
    count = 80_000
    url = simulate("--rate", "20000", "--wait", "--count", str(count))
    run = tickwal.start(
        "run", BINANCE_WS_URL=url, STREAMS="a@miniTicker,b@trade", S3_WRITE="0", DYNAMO_WRITE="0",
        NOTIFY_SOCKET=manager.address, WATCHDOG_USEC="200000",
    )
    run.wait_until_said("volume of the log is full")
    # Which is no reason to start it again.
    place = len(manager.told)
    for _ in range(5):
        place = manager.wait_until_told(run, "WATCHDOG=1", place)
    assert 0 < tickwal.log.head < count
    volume.resize("256m")
    run.wait_until(lambda: tickwal.log.head == count, f"{count} ticks in the log")
    assert_dense(tickwal.log.ticks())
    assert_paused_for_the_disk(tickwal.log)
    assert run.terminate().code == 0


def test_a_volume_that_runs_full_pauses_the_feed_and_nothing_else(tickwal, on_volume, make_exchange):
    volume = on_volume("64m")
    exchange = make_exchange()
    ballast = volume.folder / "ticks.db.ballast"
    run = start(tickwal, None, exchange, **GUARDED)
    run.wait_until(lambda: ballast.exists() and ballast.stat().st_blocks * 512 >= 600_000, "the ballast is made")
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the first ticks are shipped")
    before = tickwal.log.ticks()
    volume.fill(leaving=1 << 20)
    run.wait_until_said("has too little room")
    send(exchange, MORE)
    # Refused, but what was shipped is trimmed to make room.
    run.wait_until(lambda: tickwal.log.ask("select * from ticks") == [], "what is shipped is trimmed early")
    run.wait_until(lambda: tickwal.log.ask("select cause from recent_gaps") == [("disk_full",)], "the gap is open")
    assert tickwal.log.head == len(FIRST)
    ballast.unlink()
    volume.free()
    run.wait_until_said("has room again")
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST + MORE)), "all ticks are shipped")
    run.wait_until(lambda: ballast.exists() and ballast.stat().st_blocks * 512 >= 600_000, "it is made again")
    send(exchange, LAST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST + MORE + LAST)), "the last ones, too")
    assert_paused_for_the_disk(tickwal.log)
    assert run.terminate().code == 0
    ticks = before + tickwal.log.ticks()
    assert_dense(ticks)
    assert [(tick.stream, tick.payload) for tick in ticks] == FIRST + MORE + LAST
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)


LOOKS = [
    ["status"], ["status", "--json"], ["verify"], ["dead-letters", "list"], ["replay", "--to", "stdout", "--from-offset", "1"],
    ["replay", "--to", "stdout", "--since", "2020-01-01T00:00Z"],
]
"""The commands that only read."""


def assert_looks(tickwal, volume: Volume, count: int, *where: str) -> None:
    """Each command that reads the log shows it, and leaves nothing on its volume."""
    names = sorted(os.listdir(volume.folder))
    for command in LOOKS + [["reconcile", *where]]:
        ended = tickwal.run_to_end(*command)
        # No `run` has the log: `status` is not well, and says so.
        assert ended.code == (command[0] == "status"), (command, ended.err)
        assert sorted(os.listdir(volume.folder)) == names, command
        if command[0] == "replay":
            assert ended.out.count(b"\n") == count
    assert json.loads(tickwal.run_to_end("status", "--json").out)["head"] == count
    ended = tickwal.run_to_end("doctor", *where, BINANCE_WS_URL="ws://127.0.0.1:9", STREAMS="a@miniTicker")
    assert f"offset {count}" in ended.out.decode() and "failed   space" in ended.out.decode()
    tap = tickwal.start("tap", "--from-offset", str(count))
    tap.wait_until_said("no process writes the log")
    tap.terminate()
    assert sorted(os.listdir(volume.folder)) == names


def test_a_log_on_a_volume_that_is_full_to_its_last_page_is_read(tickwal, on_volume):
    volume = on_volume("100m")
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in FIRST))
    tickwal.succeed("import", file)
    tickwal.drain("--local", tickwal.folder)
    (volume.folder / "ticks.db.ballast").unlink(missing_ok=True)
    volume.fill_up()
    # In order: the log alone, without SQLite's WAL.
    assert sorted(os.listdir(volume.folder)) == ["filler", "ticks.db", "ticks.db.lock"]
    assert_looks(tickwal, volume, len(FIRST), "--local", tickwal.folder)
    saved = tickwal.folder / "saved.db"
    assert f"{saved} was not made" in tickwal.succeed("verify", "--salvage", saved).out.decode()


def test_after_a_crash_a_log_on_a_full_volume_is_read_with_what_the_wal_has(tickwal, on_volume, make_exchange):
    volume = on_volume("64m")
    exchange = make_exchange()
    run = start(tickwal, None, exchange, MAX_BATCH_TIMEOUT="3600", MAX_BATCH_SIZE="1000", DYNAMO_WRITE="0")
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.head == len(FIRST), "the ticks are in the log")
    volume.fill_up()
    # Beside `run`, which has made SQLite's shared memory.
    for command in LOOKS:
        assert tickwal.run_to_end(*command).code in (0, 1), command
    run.kill()
    (volume.folder / "ticks.db.ballast").unlink(missing_ok=True)
    volume.fill_up()
    assert (volume.folder / "ticks.db-wal").stat().st_size > 0
    # A machine that was started anew has none.
    (volume.folder / "ticks.db-shm").unlink()
    volume.fill_up()
    assert_looks(tickwal, volume, len(FIRST), "--local", tickwal.folder)


def test_a_full_volume_is_opened_and_emptied(tickwal, on_volume, make_exchange):
    volume = on_volume("64m")
    exchange = make_exchange()
    run = start(tickwal, None, exchange, DYNAMO_WRITE="0", MAX_BATCH_TIMEOUT="3600", MAX_BATCH_SIZE="1000", **GUARDED)
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.head == len(FIRST), "the ticks are in the log")
    run.kill()
    assert (volume.folder / "ticks.db.ballast").exists()
    volume.fill(leaving=0)
    tickwal.drain("--local", tickwal.folder, DYNAMO_WRITE="0", **GUARDED)
    assert tickwal.log.is_shipped(len(FIRST))
    assert sum(stored.text.count(b"\n") for stored in local_objects(tickwal.folder)) == len(FIRST)


def test_ten_megabytes_are_enough(tickwal, on_volume, simulate):
    on_volume("10m")
    count = 60_000
    url = simulate("--rate", "5000", "--wait", "--count", str(count))
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=url, STREAMS="a@miniTicker,b@trade", DYNAMO_WRITE="0",
        MAX_BATCH_SIZE="1000", **GUARDED,
    )
    run.wait_until(lambda: tickwal.log.is_shipped(count), f"{count} ticks are shipped", 2 * PATIENCE)
    assert run.terminate().code == 0
    objects = local_objects(tickwal.folder)
    assert sum(stored.text.count(b"\n") for stored in objects) == count
    ranges = sorted((int(stored.name["first"]), int(stored.name["last"])) for stored in objects)
    assert [first for first, _ in ranges] == [1] + [last + 1 for _, last in ranges[:-1]]
    assert {cause for (cause,) in tickwal.log.ask("select cause from gaps")} <= {"disk_full", "shutdown"}


def test_a_full_volume_of_the_folder_is_waited_out(tickwal, make_volume, make_exchange):
    volume = make_volume("8m")
    exchange = make_exchange()
    run = tickwal.start("run", "--local", volume.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker")
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the first ticks are shipped")
    volume.fill(leaving=0)
    send(exchange, MORE)
    run.wait_until_said("could not deliver")
    # The feed goes on.
    run.wait_until(lambda: tickwal.log.head == len(FIRST + MORE), "all ticks are in the log")
    assert not tickwal.log.is_shipped(len(FIRST + MORE))
    volume.free()
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST + MORE)), "all ticks are shipped")
    assert run.terminate().code == 0
    ticks = tickwal.log.ticks()
    assert_objects(tickwal.log, local_objects(volume.folder), ticks, most_rows=100)
    assert_items(local_items(volume.folder), ticks)


@pytest.fixture
def failing_volume(tmp_path):
    """An ext4 file system that becomes read-only when it is told that it has an error."""
    image, folder = tmp_path / "image", tmp_path / "ext4"
    folder.mkdir()
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    commands = [["mkfs.ext4", "-q", image], ["mount", "-o", "loop,errors=remount-ro", image, folder]]
    for command in commands:
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip(f"{command[0]} is not there")
        if done.returncode != 0:
            pytest.skip(f"{command[0]}: {done.stderr.strip()}")
    device = Path(subprocess.check_output(["findmnt", "-n", "-o", "SOURCE", folder], text=True).strip()).name
    trigger = Path("/sys/fs/ext4", device, "trigger_fs_error")
    yield folder, trigger
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_volume_that_becomes_read_only_ends_the_program(tickwal, failing_volume, make_exchange):
    folder, trigger = failing_volume
    if not trigger.exists():
        pytest.skip(f"this kernel has no {trigger}")
    tickwal.path = tickwal.log.path = folder / "ticks.db"
    tickwal.environment["WAL_PATH"] = str(tickwal.path)
    exchange = make_exchange()
    run = start(tickwal, None, exchange, **GUARDED)
    send(exchange, FIRST)
    run.wait_until(lambda: tickwal.log.is_shipped(len(FIRST)), "the first ticks are shipped")
    trigger.write_text("1")
    with contextlib.suppress(OSError):  # It may have ended by then.
        send(exchange, MORE)
    ended = run.end()
    assert ended.code == 74, ended.err
    assert "the log failed" in ended.err and "volume of the log is full" not in ended.err
