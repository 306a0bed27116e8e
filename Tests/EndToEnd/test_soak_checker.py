"""What checks a soak finds whatever is wrong."""

import gzip
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Benchmarks"))

from soaking.checker import Checker  # noqa: E402
from soaking.clock import JUMP_SECONDS, MARGIN, TrueTimes  # noqa: E402
from soaking.stalled import Output  # noqa: E402
from soaking.stops import Stops  # noqa: E402
from soaking.stores import Folder  # noqa: E402
from soaking.union import Union  # noqa: E402
from support import oracle  # noqa: E402
from support.continuity import NEVER, Gap  # noqa: E402
from support.log import Log  # noqa: E402
from support.waiting import wait_until  # noqa: E402

KINDS = ["miniTicker", "trade", "bookTicker", "depth@100ms"]
STREAMS = [f"s{number // len(KINDS)}usdt@{KINDS[number % len(KINDS)]}" for number in range(20)]


@pytest.fixture
def soaked(tickwal, make_market):
    """A run that was killed once, and then shipped everything."""
    market = make_market("--rate", "1000", "--strict")
    environment = {"BINANCE_WS_URL": market.url, "STREAMS": ",".join(STREAMS)}
    for _ in range(2):
        run = tickwal.start("run", "--local", tickwal.folder / "local", **environment)
        wanted = tickwal.log.head + 700
        run.wait_until(lambda: tickwal.log.head >= wanted, f"{wanted} ticks")
        if wanted < 1_000:
            run.kill()
    assert run.terminate().code == 0
    market.stop()
    tickwal.drain("--local", tickwal.folder / "local")
    return market.journal, tickwal.path, tickwal.folder / "local"


def found(soaked, most_gap_seconds=60) -> list[str]:
    journal, log, folder = soaked
    checker = Checker(journal, log, Folder(folder))
    problems = checker.finish(most_gap_seconds)
    assert checker.figures.made > 1_400
    return problems


def objects(folder) -> list[Path]:
    return sorted(
        (folder / "objects/batch_jsonl").glob("dt=*/**/*.gz"), key=lambda path: int(path.name.split("-")[-2])
    )


def change_text(path, change) -> None:
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def execute(path, *statements) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_nothing_is_wrong(soaked):
    assert found(soaked) == []


def test_objects_that_are_wrong_are_found(soaked):
    folder = soaked[2]
    gone, cut, swapped, double = objects(folder)[:4]
    shutil.copy(double, double.with_name(double.name.replace("miniticker-", "another-")))
    gone.unlink()
    change_text(cut, lambda text: text[: text.rindex(b"\n", 0, -1) + 1])
    change_text(swapped, lambda text: b"\n".join(reversed(text.splitlines())) + b"\n")
    problems = "\n".join(found(soaked))
    assert problems.count("is in no object") > 0
    assert problems.count("not what its ticks make") == 2
    assert problems.count("begins two objects") == 1


def test_items_that_are_wrong_are_found(soaked):
    execute(
        soaked[2] / "table.db", "delete from items where rowid = 3",
        "update items set ttl_days = ttl_days - 1 where rowid = 5",
        "insert into items(stream_type, iso_timestamp) values ('more', '1')",
        "insert into items(stream_type, iso_timestamp) values ('and more', '1')",
    )
    problems = "\n".join(found(soaked))
    assert problems.count("is not there") == 1 and problems.count("is another") == 1
    assert "items of" in problems


def test_ticks_that_are_wrong_are_found(soaked):
    execute(
        soaked[1], "update ticks set payload = replace(payload, 'usdt', 'USDT') || ' ' where offset = 10",
        "delete from ticks where offset = 20", "update ticks set event_time = event_time + 1 where event_time is not null"
        " and offset = (select min(offset) from ticks where offset > 30 and event_time is not null)",
    )
    problems = "\n".join(found(soaked))
    assert "the exchange has not sent offset 10 now" in problems
    assert problems.count("the checksum at offset") == 2
    assert "offsets missing: 1" in problems and "missing uncovered" in problems


def test_what_is_trimmed_is_read_in_the_objects(soaked):
    execute(
        soaked[1], "delete from ticks where offset <= 500", "delete from batches where last_offset <= 500",
        "insert into meta values ('trimmed', 500)",
    )
    assert found(soaked) == []
    objects(soaked[2])[2].unlink()
    assert any("is in no object" in problem for problem in found(soaked))


def test_gaps_that_are_not_written_down_are_found(soaked):
    execute(soaked[1], "delete from gaps where cause = 'crash'")
    problems = found(soaked)
    assert any(problem.startswith("missing uncovered") for problem in problems)
    assert any("objects of gaps" in problem for problem in problems)


def test_a_gap_that_is_too_long_is_found(soaked):
    execute(soaked[1], "update gaps set started_at = started_at - 100000000 where cause = 'crash'")
    assert any(problem.startswith("a gap of 10") for problem in found(soaked))


def test_a_tick_that_is_there_twice_is_found(soaked):
    execute(soaked[1], "update ticks set payload = (select payload from ticks where offset = 1), stream = "
                       "(select stream from ticks where offset = 1) where offset = 1000")
    assert any("has not sent offset 1000 now" in problem for problem in found(soaked))


def test_a_program_is_suspended_at_random_the_same_for_the_same_seed_and_runs_at_the_end():
    walks = []
    for seed in (1, 1, 2):
        sent = []
        stops = Stops(lambda signal: sent.append((now, signal)), 60, seed)
        stops.begin(0)
        for now in range(3600):
            stops.step(now)
        stops.finish(now)
        walks.append(sent)
        assert [number for _, number in sent] == [signal.SIGSTOP, signal.SIGCONT] * stops.count
        lengths = [sent[place + 1][0] - sent[place][0] for place in range(0, len(sent), 2)]
        assert stops.count > 20 and sum(lengths) == stops.seconds
        assert min(lengths) >= 2 and 30 < max(lengths) <= 41
    assert walks[0] == walks[1] != walks[2]


def test_a_program_is_never_suspended_if_nobody_wants_it():
    stops = Stops(pytest.fail, 0, 1)
    stops.begin(0)
    stops.step(10_000)
    stops.finish(10_000)
    assert stops.count == 0


BEGAN = 1_700_000_000_000_000
JUMP = JUMP_SECONDS * 1_000_000


def test_times_of_a_clock_that_had_jumped_are_told_from_others():
    times = TrueTimes(BEGAN)
    for true in (BEGAN - MARGIN, BEGAN, BEGAN + 7 * 3_600_000_000):
        assert [times.of(true + jump) for jump in (-JUMP, 0, JUMP)] == [true] * 3
    assert TrueTimes().of(BEGAN + JUMP) == BEGAN + JUMP


@pytest.mark.parametrize("before,after,ends_with_the_tick", [(JUMP, 0, True), (0, -JUMP, True), (0, 0, False)])
def test_a_gap_in_which_the_clock_was_set_back_lasts_until_the_next_tick(before, after, ends_with_the_tick):
    times, last, first = TrueTimes(BEGAN), BEGAN + 10_000_000, BEGAN + 14_000_000
    times.follow(last + before)
    times.follow(first + after)
    gap = Gap(last + before, max(last + before, first + after), "crash", frozenset([b"a@trade"]))
    empty = Gap(last + before, last + before, "crash", gap.streams)
    assert times.of_gap(gap) == Gap(last, first, "crash", gap.streams)
    assert times.of_gap(empty).ended == (first if ends_with_the_tick else last)
    # One at another time is as short as it says.
    assert times.of_gap(Gap(first + 5_000_000, first + 5_000_000, "crash", gap.streams)).ended == first + 5_000_000
    assert times.of_gap(Gap(last + before, NEVER, "crash", gap.streams)) == Gap(last, NEVER, "crash", gap.streams)


def test_what_a_program_says_while_nobody_reads_comes_when_it_flows_again(tmp_path):
    output = Output(tmp_path / "run.log")
    os.write(output.writing, b"first\n")
    wait_until(lambda: output.since(0) == "first\n", "it is read", 60)
    with output.stalled():
        # More than the pipe holds: it is full while nobody reads.
        os.set_blocking(output.writing, False)
        count = 0
        with pytest.raises(BlockingIOError):
            while True:
                count += os.write(output.writing, b"x" * 512)
        assert 4096 <= count <= 2 * 4096
    wait_until(lambda: output.since(0) == "first\n" + "x" * count, "it flows again", 60)
    output.close()


def test_what_is_wrong_with_a_fleet_is_found(soaked):
    journal, path, folder = soaked
    log = Log(path)
    since, until = (log.value(f"select {what}(received_at) from ticks") for what in ("min", "max"))

    def found_of_fleet(missing: list = ()) -> tuple[str, dict]:
        union = Union(journal, Folder(folder), [log])
        union.read()
        union.judge(since + 100_000, until - 100_000)
        union.compare_with_fleet({"missing": list(missing)}, since, until)
        return "\n".join(union.problems), union.figures

    # It was killed once: what is missing is in a gap, and fleet would say so.
    times = {name: oracle.rfc3339(moment) for name, moment in (("from", since), ("to", until))}
    whole = [{**times, "streams": STREAMS}]
    problems, figures = found_of_fleet(whole)
    assert problems == "" and figures["in no log, and in gaps of all"] > 0
    assert "not called so by fleet" in found_of_fleet()[0]
    assert "not called so by fleet" in found_of_fleet([{**times, "streams": STREAMS[:3]}])[0]

    execute(folder / "table.db", "delete from items where rowid = 3",
            "update items set symbol = 'X' where rowid = (select max(rowid) from items)")
    first, second, third, *_ = objects(folder)
    first.unlink()
    change_text(second, lambda text: b"".join(text.splitlines(keepends=True)[1:]))
    change_text(third, lambda text: text.replace(b"usdt", b"USDT", 1))
    execute(path, "delete from gaps")
    problems, _ = found_of_fleet(whole)
    for what in ("ticks without an item", "items of no tick", "offsets in two objects or in none", "other rows than",
                 "rows that are not their ticks", "in no gap of one that had it in its list"):
        assert what in problems, problems
