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

    def stretch(self, factor):
        """Makes everything take so many times as long, apart from the way."""
        self.made = [(START + (made - START) * factor, *tick) for made, *tick in self.made]
        self.rows = [(made + 300, stream, payload) for made, stream, payload in self.made]

    def send_late(self, first, end, microseconds):
        """From a connection that has so much in its queue; ticks go to the log as they come."""
        for place in range(first, end):
            made, stream, payload = self.made[place]
            self.sent_to[place] = "~1"
            self.notes.append((made + microseconds, "late 1 1"))
            self.rows[place] = (made + microseconds + 300, stream, payload)

    def gap(self, started, ended, streams=STREAMS, cause="closed"):
        self.gaps.append((started, ended, cause, json.dumps(streams)))

    def compare(self, **options):
        lines = [f"{time} {text}" for time, text in self.notes]
        lines += [
            f"{time} sent {sent_to} {stream} {payload}"
            for sent_to, (time, stream, payload) in zip(self.sent_to, self.made, strict=True)
        ]
        lines.sort(key=lambda line: int(line.split()[0]))
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
    assert result.figures.missing_uncovered == 0


def test_what_lay_unread_for_long_may_come_after_what_another_connection_brought(case):
    case.stretch(3)
    [row] = case.rows[1500:1501]
    del case.rows[1500]
    _, stream, payload = row
    later = case.rows[2500][0]
    case.rows.insert(2501, (later, stream, payload))
    result = case.compare()
    assert later - case.made[1500][0] > 2_000_000
    assert result.problems == []
    assert (result.figures.out_of_order_read_late, result.figures.missing_uncovered) == (1, 0)


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


def test_ticks_that_the_exchange_sent_late_are_right_whatever_came_before_them(case):
    case.send_late(1000, 2000, 200_000)
    case.rows.sort(key=lambda row: row[0])
    result = case.compare(no_loss=True)
    assert result.problems == []
    assert 190 <= result.figures.delivered_late <= 210
    assert result.figures.longest_under_way_seconds == 0.0003


def test_a_tick_that_was_owed_and_never_sent_may_not_be_there(case):
    case.sent_to[42] = "~1"
    assert case.compare().problems == ["never sent: 1"]


@pytest.mark.parametrize("begins", [1299, 1499])
def test_what_a_connection_owed_at_its_end_is_in_a_gap_from_when_that_was_made(case, begins):
    """The last tick that came had waited for 200 ms: from when it came is too late."""
    case.send_late(1000, 1300, 200_000)
    case.sent_to[1300:1500] = ["~1"] * 200
    case.notes.append((START + 1_499_900, "ended 1 0"))
    after = case.rows[1500][0]
    del case.rows[1300:1500]
    case.gap(START + 1000 * begins, after)
    figures = case.compare().figures
    assert figures.missing_uncovered + figures.missing_covered == 200
    # 20 ms are always allowed for the way.
    assert figures.missing_uncovered == (0 if begins == 1299 else 179)


def freeze(case):
    """The process reads nothing from tick 900 to 1,600; from tick 1,000 on nobody is connected."""
    case.stretch(10)
    _, after = case.lose(1000, 1600)
    for place in range(900, 1000):
        _, stream, payload = case.rows[place]
        case.rows[place] = (after - 5_000 + place, stream, payload)
    return START + 9_000_000, after


def test_what_is_lost_while_the_process_does_not_run_is_not_under_way(case):
    began, after = freeze(case)
    case.gap(after - 4_000, after)
    figures = case.compare().figures
    assert figures.longest_under_way_seconds > 6.9
    # Two seconds at most are allowed for the way.
    assert figures.missing_uncovered == 400 and figures.missing_covered == 200


def test_a_gap_of_a_frozen_process_covers_what_it_missed(case):
    began, after = freeze(case)
    case.gap(began, after, cause="frozen")
    result = case.compare()
    assert result.problems == []
    assert (result.figures.missing_covered, result.figures.gaps) == (600, {"frozen": 1})
    assert result.figures.gap_tightness == pytest.approx(7 / 6.03, rel=0.01)
    assert result.figures.gap_tightness_without_frozen is None


def test_the_time_of_gaps_is_compared_with_what_is_missing(case):
    before, after = case.lose(1000, 1600)
    case.gap(before, after + 600_000)
    result = case.compare(most_tightness=1.5)
    # Each stream shows nothing for 201 of its steps of 3 ms.
    assert result.figures.missing_stream_seconds == pytest.approx(3 * 0.603)
    assert result.figures.gap_stream_seconds == pytest.approx(3 * 1.201)
    assert result.figures.gap_tightness == result.figures.gap_tightness_without_frozen == pytest.approx(1.9917, abs=1e-3)
    assert result.problems == ["gaps are 1.99 times as long as what is missing, allowed are 1.5"]


def test_gaps_of_a_frozen_process_are_left_out_of_the_second_figure(case):
    case.gap(*case.lose(2000, 2300))
    before, after = case.lose(1000, 1300)
    case.gap(before - 600_000, after, cause="frozen")
    result = case.compare(most_tightness=1.5)
    assert result.figures.gap_tightness == pytest.approx((0.301 + 0.901) / (2 * 0.303))
    assert result.figures.gap_tightness_without_frozen == pytest.approx(0.301 / 0.303)
    # 2.0 with the process that did not run, of which nobody can ask that.
    assert result.problems == []


def test_a_stream_that_lost_nothing_in_a_gap_makes_it_less_tight(case):
    before, after = case.lose(1000, 1600)
    case.gap(before, after, streams=[*STREAMS, "d@trade", "e@trade", "f@trade"])
    assert case.compare().figures.gap_tightness == pytest.approx(2 * 0.601 / 0.603)


def test_the_time_of_gaps_that_overlap_counts_once_for_each_stream(case):
    before, after = case.lose(1000, 1600)
    case.gap(before, after)
    middle = (before + after) // 2
    case.gap(middle, after, streams=STREAMS[:1], cause="unsubscribed")
    # This one goes on alone for as long as it overlapped.
    case.gap(middle, after + (after - middle), streams=STREAMS[1:2], cause="unsubscribed")
    figures = case.compare().figures
    assert figures.gap_stream_seconds == pytest.approx(3.5 * 0.601)
    assert figures.gap_tightness == pytest.approx(3.5 * 0.601 / (3 * 0.603))


def test_where_nothing_is_missing_there_is_no_tightness(case):
    figures = case.compare(most_tightness=1.5).figures
    assert figures.gap_tightness is figures.gap_tightness_by_tick is None and figures.missing_stream_seconds == 0


def test_ids_that_skip_are_covered_by_a_gap_of_their_stream(case):
    del case.rows[1003], case.rows[1000]
    case.gap(case.made[997][0], case.made[1006][0], streams=["b@trade"], cause="sequence")
    result = case.compare()
    assert result.problems == []
    assert (result.figures.missing_covered, result.figures.gap_tightness) == (2, pytest.approx(1))
    # Two lost ticks of 3 ms in a gap of 9 ms.
    assert result.figures.gap_tightness_by_tick == pytest.approx(1.5)


def test_ids_that_skip_are_not_covered_by_a_gap_of_another_stream(case):
    del case.rows[1001], case.rows[1000]
    case.gap(case.made[997][0], case.made[1003][0], streams=["b@trade"], cause="sequence")
    figures = case.compare().figures
    assert (figures.missing_covered, figures.missing_uncovered) == (1, 1)


def test_streams_that_are_not_granted_are_covered_from_then_on(case):
    case.rows = [row for place, row in enumerate(case.rows) if place < 1500 or row[1] != "c@trade"]
    case.gap(START + 1_490_000, None, streams=["c@trade"], cause="unsubscribed")
    result = case.compare()
    assert result.problems == []
    assert (result.figures.missing_covered, result.figures.open_gaps) == (500, 1)
    assert result.figures.gap_tightness == pytest.approx(1, abs=0.01)


def test_each_message_that_is_no_tick_may_be_a_dead_letter(case):
    case.notes.append((START + 500, "babble 1 broken"))
    case.letters = [("feed",)]
    assert case.compare().problems == []


def test_more_dead_letters_than_messages_that_are_no_tick_are_wrong(case):
    case.notes.append((START + 500, "babble 1 broken"))
    case.letters = [("feed",), ("feed",)]
    assert case.compare().problems == ["dead letters: 2, although only 1 messages were no tick"]
