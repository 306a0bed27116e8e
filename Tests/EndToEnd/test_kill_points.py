"""`kill -9` before and after each step that leaves something behind, and at random moments: whatever the moment, each
tick that the exchange made is in the log or a gap covers it, each tick of the log is in one object and its item is
there, and no consumer was ever ahead of its sink."""

import json
import random
import re
import signal
import shutil
import sqlite3
from pathlib import Path

import pytest

from support import oracle
from support.delivery import (
    assert_gaps, assert_items, assert_objects, is_batch, local_gaps, local_items, local_objects,
)
from support.faults import Disk
from support.program import PATIENCE, Tickwal
from support.waiting import wait_until
from support.witness import Witness, covered

KINDS = ["miniTicker", "trade", "bookTicker", "depth@100ms"]
STREAMS = [f"s{number // len(KINDS)}usdt@{KINDS[number % len(KINDS)]}" for number in range(60)]
SEED = 20261122

WITH_AWS = {"append": 40, "record": 2, "plan": 4, "upload": 4, "item": 300, "offset": 20, "gap": 1, "note": 1}
"""Steps, and how often the program may have passed them at most when it is killed there."""
IN_BATCHES = {"item": 60}
"""With several items a request; the starts before and after it go on with one."""
AT_THE_END = {"note": 2, "close": 1}
"""Steps, and the passing at which the program is killed: the first note is written at the start."""
WITH_FOLDERS = {"open": 1, "file": 4}
WHILE_TRIMMING = {"trim": 3, "checkpoint": 3, "vacuum": 3}
ON_A_FULL_DISK = ["ballast"]
ON_AN_OLDER_LOG = ["migrate"]
OLDER_LOG = Path(__file__).resolve().parents[1] / "Recordings" / "logs" / "version-1.log"
RANDOM_KILLS = 4


@pytest.fixture(scope="module")
def points(binary, tmp_path_factory) -> set[str]:
    """What the program itself says, if it is a debug build."""
    ended = Tickwal(binary, tmp_path_factory.mktemp("points")).run_to_end("config", TICKWAL_KILL_AT="nowhere")
    if ended.code == 0:
        pytest.skip("a release build has no kill points")
    assert ended.code == 78
    return set(re.findall(r"\w+\.(?:before|after)", ended.err))


def both(steps) -> list[str]:
    return [f"{step}.{moment}" for step in steps for moment in ("before", "after")]


def test_each_point_is_passed_by_a_test(points):
    steps = [*{*WITH_AWS, *AT_THE_END}, *WITH_FOLDERS, *WHILE_TRIMMING, *ON_A_FULL_DISK, *ON_AN_OLDER_LOG]
    assert sorted(both(steps)) == sorted(points)


@pytest.mark.parametrize("order", ["append", "append.between", "upload.after:0", "upload.after:x", "upload.after:1:2"])
def test_an_order_that_means_nothing_is_refused(points, tickwal, order):
    ended = tickwal.run_to_end("status", TICKWAL_KILL_AT=order)
    assert ended.code == 78 and f"TICKWAL_KILL_AT is '{order}' but must be one of append.before" in ended.err


@pytest.mark.parametrize("order, version", list(zip(both(ON_AN_OLDER_LOG), (1, 2))))
def test_a_kill_while_an_older_log_is_brought_up_leaves_the_one_or_the_other(points, tickwal, order, version):
    shutil.copy(OLDER_LOG, tickwal.path)
    gaps = tickwal.log.ask("select id, started_at, ended_at, cause, streams from gaps")
    assert tickwal.run_to_end("adopt", TICKWAL_KILL_AT=order).code == -signal.SIGKILL
    assert tickwal.log.value("pragma user_version") == version
    assert tickwal.succeed("verify").out.endswith(b"no problems\n")
    tickwal.succeed("adopt")
    assert tickwal.log.value("pragma user_version") == 2
    assert tickwal.log.ask("select id, started_at, ended_at, cause, streams from gaps") == gaps
    assert tickwal.succeed("verify").out.endswith(b"no problems\n")


class Killer:
    """Starts the program again and again, and sees what each kill has left."""

    def __init__(self, tickwal, environment, arguments, is_shipped):
        self.tickwal, self.witness = tickwal, Witness(tickwal.log)
        self.dice = random.Random(SEED)
        self.kills = 0
        self._environment, self._arguments, self._is_shipped = environment, arguments, is_shipped

    def start(self, **environment):
        return self.tickwal.start("run", *self._arguments, **self._environment, **environment)

    def at(self, step_and_moment, most=1, least=1, stop_after=None, disk=None, **environment):
        """Kills it there. `stop_after`: the step is one of stopping, which is asked for after so many ticks."""
        order = f"{step_and_moment}:{self.dice.randint(least, most)}"
        run = self.start(TICKWAL_KILL_AT=order, **(disk.environment if disk else {}), **environment)
        if stop_after:
            self.until_further(run, stop_after)
            run.send(signal.SIGTERM)
        if disk:
            self.until_further(run, 100)
            run.wait_until(lambda: disk.has_ballast, "the ballast is there")
            disk.fill()
        # Looked at all the time: what is trimmed must have been seen.
        wait_until(lambda: self.witness.look() >= 0 and not run.is_running, f"the kill at {order} ({run.err[-2000:]})")
        if disk:
            disk.free()
        self.judge(run, order)

    def at_random(self, most):
        run = self.start()
        self.until_further(run, self.dice.randint(1, most))
        run.kill()
        self.judge(run, "a random moment")

    def until_further(self, run, ticks):
        wanted = self.witness.look() + ticks
        run.wait_until(lambda: self.witness.look() >= wanted, f"{wanted} ticks (seed {SEED})")

    def judge(self, run, what):
        code = run.end().code
        assert code == -signal.SIGKILL, f"{what}: ended with {code}\n{run.err[-4000:]}"
        self.kills += 1
        self.witness.after_kill(self._is_shipped)

    def finish(self):
        run = self.start(DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT=str(2 * PATIENCE))
        self.until_further(run, 200)
        assert run.terminate(3 * PATIENCE).code == 0
        self.witness.look()

    def check(self, market, objects, items, gaps, **environment):
        log, ticks = self.tickwal.log, self.witness.ticks
        assert log.backlog() and not any(log.backlog().values())
        figures = market.compare(log, ticks=self.witness.rows, most_connections=1)
        assert figures.in_log == len(ticks) == log.head
        assert_objects(log, objects, ticks, most_rows=100)
        assert_items(items, ticks)
        assert_gaps(log, gaps)
        assert "crash" in figures.gaps
        assert log.ask("select * from dead_letters") == log.ask("select * from skipped") == []
        assert self.tickwal.succeed("verify").out.endswith(b"no problems\n")
        said = self.tickwal.succeed("reconcile", "--full", "--json", *self._arguments, **{
            **self._environment, **environment
        })
        assert json.loads(said.out)["agrees"]
        with sqlite3.connect(log.path) as connection:
            assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
        connection.close()


def keys_of(ticks):
    items = [oracle.item(tick) for tick in ticks]
    return [(item["stream_type"][1], item["iso_timestamp"][1]) for item in items]


def test_a_kill_anywhere_loses_nothing_with_aws(points, tickwal, make_market, make_place, ministack):
    place = make_place(*STREAMS)

    def is_shipped(consumer, ticks):
        if consumer == "s3":
            there = covered([key for key in place.keys_under() if is_batch(key)])
            return all(tick.offset in there for tick in ticks)
        return place.has_items(keys_of(ticks))

    market = make_market("--rate", "400", "--seed", "5", "--strict")
    killer = Killer(
        tickwal, {**place.environment(ministack.url), "BINANCE_WS_URL": market.url}, [], is_shipped
    )
    killer.at_random(200)
    for step, most in WITH_AWS.items():
        for moment in both([step]):
            killer.at(moment, most)
    for moment in both(IN_BATCHES):
        killer.at(moment, IN_BATCHES["item"], DYNAMO_WRITE_MODE="batch")
    for step, passing in AT_THE_END.items():
        for moment in both([step]):
            killer.at(moment, passing, passing, stop_after=150)
    for _ in range(RANDOM_KILLS):
        killer.at_random(400)
    killer.finish()
    market.stop()
    assert killer.kills == 1 + 2 * len(WITH_AWS) + 2 * len(IN_BATCHES) + 2 * len(AT_THE_END) + RANDOM_KILLS
    assert set(place.versions().values()) == {1}, "a key was written more than once"
    killer.check(market, place.objects(), place.items(), place.gaps(), **ministack.admin.environment)


class FullDisk(Disk):
    def __init__(self, library, tickwal):
        super().__init__(library, tickwal.folder, tickwal.path)
        self._ballast = tickwal.path.with_name(tickwal.path.name + ".ballast")

    @property
    def has_ballast(self) -> bool:
        return self._ballast.exists()


def test_a_kill_anywhere_loses_nothing_with_folders(points, tickwal, make_market, faults):
    folder = tickwal.folder

    def is_shipped(consumer, ticks):
        if consumer == "local-s3":
            there = covered([stored.key for stored in local_objects(folder)])
            return all(tick.offset in there for tick in ticks)
        return not ticks or set(keys_of(ticks)) <= set(local_items(folder))

    market = make_market("--rate", "1000", "--seed", "6", "--strict")
    killer = Killer(
        tickwal, {"STREAMS": ",".join(STREAMS), "BINANCE_WS_URL": market.url}, ["--local", folder], is_shipped
    )
    killer.at_random(300)
    for step, most in WITH_FOLDERS.items():
        for moment in both([step]):
            killer.at(moment, most)
    disk = FullDisk(faults, tickwal)
    for moment in both(ON_A_FULL_DISK):
        killer.at(moment, disk=disk, BALLAST_SIZE="1MiB")
    for _ in range(RANDOM_KILLS):
        killer.at_random(2_500)
    # So that there is something to trim, and pages to give back.
    run = killer.start()
    killer.until_further(run, 10_000)
    run.kill()
    killer.judge(run, "with much to trim")
    for step, most in WHILE_TRIMMING.items():
        for moment in both([step]):
            killer.at(moment, most, WAL_RETENTION_HOURS="0.002")
    killer.finish()
    market.stop()
    assert killer.kills == 2 + 2 * (len(WITH_FOLDERS) + len(ON_A_FULL_DISK) + len(WHILE_TRIMMING)) + RANDOM_KILLS
    assert int(tickwal.log.value("select value from meta where key = 'trimmed'")) > 5_000
    killer.check(market, local_objects(folder), local_items(folder), local_gaps(folder))
    assert list((folder / "objects" / ".tmp").iterdir()) == [], "killed processes left files behind"
