"""The checker that the tests of continuity stand on finds each kind of fault, and nothing where nothing is wrong."""

import json
import sqlite3

import pytest

from support.continuity import compare

START = 1_795_000_000_000_000
STREAMS = ["a@trade", "b@trade", "c@trade"]


class Case:
    """A journal of 3,000 messages, one a millisecond, and a log in which each arrived 300 µs later."""

    def __init__(self, folder):
        self.folder = folder
        self.made = [(START + 1000 * n, STREAMS[n % 3], '{"n":%d}' % n) for n in range(3000)]
        self.sent_to = ["1"] * len(self.made)
        self.rows = [(made + 300, stream, payload) for made, stream, payload in self.made]
        self.gaps, self.letters = [], []
        self.notes = [(START - 2, "open 1 3 1"), (START - 1, "open 2 3 2")]

    def lose(self, first, end):
        """Takes these away from the log; returns when the one before and the one after were received."""
        before, after = self.rows[first - 1][0], self.rows[end][0]
        del self.rows[first:end]
        return before, after

    def gap(self, started, ended, streams=STREAMS, cause="closed"):
        self.gaps.append((started, ended, cause, json.dumps(streams)))

    def compare(self, **options):
        lines = [f"{time} {text}" for time, text in self.notes]
        lines += [
            f"{time} sent {sent_to} {stream} {payload}"
            for sent_to, (time, stream, payload) in zip(self.sent_to, self.made, strict=True)
        ]
        (self.folder / "journal").write_text("\n".join(lines) + "\n")
        log = sqlite3.connect(self.folder / "ticks.db", isolation_level=None)
        log.executescript("""
            create table ticks(offset integer primary key, received_at, stream text, payload text);
            create table gaps(id integer primary key, started_at, ended_at, cause text, streams text);
            create table dead_letters(consumer text);
            create table meta(key text, value);
            begin""")
        log.executemany("insert into ticks(received_at, stream, payload) values (?, ?, ?)", self.rows)
        log.executemany("insert into gaps(started_at, ended_at, cause, streams) values (?, ?, ?, ?)", self.gaps)
        log.executemany("insert into dead_letters values (?)", self.letters)
        log.execute("insert into meta values ('head', ?)", (len(self.rows),))
        log.execute("commit")
        log.close()
        return compare(self.folder / "journal", self.folder / "ticks.db", **options)


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


def test_a_whole_log_is_right(case):
    result = case.compare(no_loss=True, most_connections=2)
    assert result.problems == []
    assert (result.figures.made, result.figures.in_log, result.figures.most_connections) == (3000, 3000, 2)
    assert result.figures.longest_under_way_seconds == 0.0003


def test_streams_need_not_be_in_order_among_each_other(case):
    for place in range(0, 2998, 2):
        case.rows[place], case.rows[place + 1] = case.rows[place + 1], case.rows[place]
    assert case.compare(no_loss=True).problems == []


def test_a_loss_that_a_gap_covers_is_right(case):
    case.gap(*case.lose(1000, 1600))
    result = case.compare()
    assert result.problems == []
    assert (result.figures.missing_covered, result.figures.gap_seconds) == (600, 0.601)


def test_no_loss_means_no_loss(case):
    case.gap(*case.lose(1000, 1600))
    problems = case.compare(no_loss=True).problems
    assert [problem.split(",")[0] for problem in problems] == ["600 missing", "1 gaps"]


def test_a_gap_without_loss_is_none_where_there_may_be_none(case):
    case.gap(START + 5000, START + 6000)
    assert case.compare(no_loss=True).problems == ["1 gaps, although there may be none: closed 1"]


@pytest.mark.parametrize(
    "change",
    [
        lambda before, after: [],
        lambda before, after: [(before + 100_000, after, STREAMS)],
        lambda before, after: [(before, after - 100_000, STREAMS)],
        lambda before, after: [(before, after, STREAMS[:2])],
        lambda before, after: [(before, before, STREAMS), (after, None, STREAMS)],
    ],
    ids=["no gap", "too late", "too short", "another stream", "two around it"],
)
def test_a_loss_that_no_gap_covers_is_found(case, change):
    for gap in change(*case.lose(1000, 1600)):
        case.gap(*gap)
    result = case.compare()
    assert result.problems[0].startswith("missing uncovered: ")
    assert 80 <= result.figures.missing_uncovered <= 600
    assert result.figures.missing_uncovered + result.figures.missing_covered == 600


def test_a_gap_covers_what_was_under_way_when_it_began_and_no_more(case):
    # Everything takes 50 ms, so the gap begins 50 ms after the first lost message was made.
    case.rows = [(received + 50_000, stream, payload) for received, stream, payload in case.rows]
    case.gap(*case.lose(1000, 1600))
    assert case.compare().problems == []


def test_a_single_loss_is_found_among_many_covered(case):
    case.gap(*case.lose(1000, 1600))
    lost = case.rows.pop(500)
    result = case.compare()
    assert result.figures.missing_uncovered == 1
    assert result.problems[1] == f"missing and not covered: {lost[1]} made at {lost[0] - 300}"


def test_what_is_lost_after_the_program_was_stopped_is_covered(case):
    case.gap(case.rows[2499][0], None, cause="shutdown")
    del case.rows[2500:]
    result = case.compare(no_loss=True)
    assert result.problems == []
    assert (result.figures.missing_after_end, result.figures.missing_covered) == (500, 0)
    assert case.folder and result.figures.seconds_after_end == pytest.approx(0.5, abs=0.002)


def test_a_gap_can_be_too_long(case):
    case.gap(case.rows[2499][0], None, cause="shutdown")
    del case.rows[2500:]
    assert case.compare(most_gap_seconds=0.1).problems == ["a gap of 0.5 s, allowed are 0.1"]


def test_a_tick_twice_is_found(case):
    case.rows.insert(1500, case.rows[1400])
    result = case.compare()
    assert (result.figures.double, result.figures.missing_uncovered) == (1, 0)


def test_two_ticks_of_a_stream_in_the_wrong_order_are_found(case):
    case.rows[1500], case.rows[1503] = case.rows[1503], case.rows[1500]
    result = case.compare()
    assert result.figures.out_of_order == 1 and result.figures.double == 0


def test_a_byte_that_differs_is_found(case):
    received, stream, payload = case.rows[700]
    case.rows[700] = (received, stream, payload.replace("700", "701"))
    result = case.compare()
    assert result.figures.never_sent == 1 and result.figures.missing_uncovered == 1


def test_a_tick_under_another_stream_is_found(case):
    received, _, payload = case.rows[700]
    case.rows[700] = (received, "c@trade", payload)
    result = case.compare()
    assert result.figures.never_sent == 1 and result.figures.missing_uncovered == 1


def test_a_tick_that_was_handed_to_nobody_may_not_be_there(case):
    case.sent_to[42] = "-"
    assert case.compare().problems == ["never sent: 1"]


def test_too_many_connections_are_found(case):
    assert case.compare(most_connections=1).problems == ["2 connections at once, allowed are 1"]


def test_dead_letters_of_the_feed_are_wrong_and_others_are_not(case):
    case.letters = [("feed",), ("s3",)]
    assert case.compare().problems == ["dead letters: 1"]


def test_an_array_message_becomes_a_tick_for_each_element(case):
    array = '[{"s":"XUSDT","n":1},{"s":"YUSDT","n":2}]'
    case.made.insert(10, (START + 9500, "!miniTicker@arr", array))
    case.sent_to.append("1")
    case.rows.insert(10, (START + 9600, "yusdt@miniTicker", '{"s":"YUSDT","n":2}'))
    case.rows.insert(10, (START + 9600, "xusdt@miniTicker", '{"s":"XUSDT","n":1}'))
    assert case.compare(no_loss=True).problems == []
