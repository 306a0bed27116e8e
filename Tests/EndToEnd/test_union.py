"""What docs/query.md says of several replicas: each tick once, and what no replica has."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import RECORDINGS
from support.kinds import kinds
from support.program import Tickwal
from support.queries import PAGE, Folder
from support.ticks import combined, events_of, mini_ticker, odd_events

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
"""Where the day changes while a test runs, what it asks for is yesterday's."""


@pytest.fixture
def union(binary, tmp_path):
    """The objects of two logs, of what each was given to import."""
    programs: list[Tickwal] = []

    def make(*of_logs: list[tuple[str, str]]) -> Folder:
        for number, events in enumerate(of_logs):
            folder = tmp_path / f"log-{number}"
            folder.mkdir()
            programs.append(Tickwal(binary, folder))
            (folder / "ticks.jsonl").write_text("".join(combined(*event) + "\n" for event in events))
            programs[-1].succeed("import", folder / "ticks.jsonl")
            programs[-1].drain("--local", tmp_path / "out", DYNAMO_WRITE="0")
        return Folder(tmp_path / "out/objects")

    yield make
    for program in programs:
        program.stop_all()


def counted(events: list[tuple[str, str]]) -> dict[str, int]:
    """By stream, white space between tokens left out."""
    return dict(Counter(stream for stream, _ in {(stream, json.dumps(json.loads(event))) for stream, event in events}))


def test_each_recorded_tick_is_there_once(union, recorded):
    events = events_of("".join(file.read_text().rstrip("\n") + "\n" for file in recorded))
    folder = union(events, events)
    assert folder.database.execute("select count(*) from ticks").fetchone() == (2 * len(events),)
    assert folder.once() == counted(events)


@pytest.mark.skipif(not RECORDINGS["real"], reason="no recordings lie beside the checkout")
def test_the_page_says_what_the_recordings_show():
    names = {"depth@100ms": "book, changes", "bookTicker": "best bid and ask", "aggTrade": "aggTrade", "kline_1m": "kline"}
    of_kind: dict[str, dict[str, list[dict]]] = {kind: {} for kind in names}
    for file in RECORDINGS["real"]:
        for stream, event in events_of(file.read_text()):
            if (kind := stream.partition("@")[2]) in names:
                of_kind[kind].setdefault(stream, []).append(json.loads(event))

    def again(streams: dict[str, list[dict]], key: str) -> int:
        values = [[event[key] for event in events if key in event] for events in streams.values()]
        return sum(len(of_one) - len(set(of_one)) for of_one in values)

    for kind, streams in of_kind.items():
        events = [event for of_one in streams.values() for event in of_one]
        timeless = sum("E" not in event for event in events)
        times = f"{again(streams, 'E')}" + (f" (and {timeless} of spot have none)" if timeless else "")
        ids = again(streams, "a" if kind == "aggTrade" else "u") if kind != "kline_1m" else "no ids"
        assert f"| {names[kind]} | {len(events)} | {len(streams)} | {times} | {ids} |" in PAGE


def test_each_kind_of_tick_is_there_once(union):
    """One of each stream: the examples of the exchange's documents use the same ids again and again."""
    examples = [(stream, json.dumps(event)) for kind in kinds() for stream, event in zip(kind.names, kind.events)]
    events = list(dict(examples + odd_events()).items())
    assert len(events) > 40
    assert union(events, events[::-1]).once() == counted(events)


def test_what_tells_two_ticks_from_two_copies(union):
    """By ids whatever else they say, and else by all that they say."""
    ids = [
        ("btcusdt@trade", '{{"e":"trade","E":{E},"s":"BTCUSDT","t":{id},"p":"1"}}'),
        ("btcusdt@aggTrade", '{{"e":"aggTrade","E":{E},"s":"BTCUSDT","a":{id},"p":"1"}}'),
        ("btcusdt@depth@100ms", '{{"e":"depthUpdate","E":{E},"s":"BTCUSDT","U":7,"u":{id},"b":[],"a":[]}}'),
        ("btcusdt@bookTicker", '{{"e":"bookTicker","E":{E},"s":"BTCUSDT","u":{id}}}'),
    ]
    others = [
        ("btcusdt@depth5", '{{"e":"depthUpdate","E":{E},"s":"BTCUSDT","U":7,"u":{id},"b":[],"a":[]}}'),
        ("btcusdt@kline_1m", '{{"e":"kline","E":{E},"s":"BTCUSDT","k":{{"t":1,"c":"{id}"}}}}'),
    ]

    def events(of: list[tuple[str, str]], times: tuple[int, ...]) -> list[tuple[str, str]]:
        return [(stream, event.format(E=time, id=number)) for stream, event in of for number in (8, 9) for time in times]

    ticker = [("btcusdt@miniTicker", mini_ticker("BTCUSDT", time, price)) for time in (1_000, 2_000) for price in (1, 2)]
    folder = union(events(ids + others, (1_000,)) + ticker, events(ids + others, (1_000, 2_000)) + ticker)
    assert folder.once() == {stream: 2 for stream, _ in ids} | {stream: 4 for stream, _ in others} | {ticker[0][0]: 4}


def test_ids_that_no_replica_has_are_named(union):
    def trades(*ids: int) -> list[tuple[str, str]]:
        return [("a@aggTrade", f'{{"e":"aggTrade","E":{1_000 + id},"s":"A","a":{id}}}') for id in ids]

    def books(*ids: tuple[int, int]) -> list[tuple[str, str]]:
        return [("a@depth", f'{{"e":"depthUpdate","E":{1_000 + u},"s":"A","U":{U},"u":{u},"b":[],"a":[]}}') for U, u in ids]

    folder = union(
        trades(1, 2, 3, 8, 12) + books((1, 4), (5, 5), (20, 30)), trades(3, 4, 9, 12) + books((6, 9), (15, 18)),
    )
    assert folder.ids_missing_in_all() == [("a@aggTrade", 5, 7), ("a@aggTrade", 10, 11), ("a@depth", 10, 14), ("a@depth", 19, 19)]


class Written:
    """Objects of a day, written by hand: the ticks at these minutes of it, and gaps from minute to minute."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._gaps = 0

    def log(self, name: str, *minutes: int) -> None:
        rows = [
            {"event_type": "24hrMiniTicker", "event_time": 0, "stream_type": "btcusdt@miniTicker",
             "iso_timestamp": f"{TODAY + timedelta(minutes=minute):%Y-%m-%dT%H-%M-%S.%fZ}"}
            for minute in minutes
        ]
        self._write(f"dt={TODAY:%Y-%m-%d}/hour=00/miniticker-{name * 16}-1-{len(rows)}.jsonl", rows)

    def gap(self, name: str, started: int, ended: int | None, cause: str = "closed", stream: str = "btcusdt@miniTicker") -> None:
        self._gaps += 1
        moments = [minute and f"{TODAY + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%S.%fZ}" for minute in (started, ended)]
        gap = dict(zip(("started_at", "ended_at"), moments), gap=self._gaps, log_id=name * 16, cause=cause, streams=[stream])
        self._write(f"_gaps/dt={TODAY:%Y-%m-%d}/miniticker-{self._gaps}.jsonl", [gap])

    def _write(self, name: str, lines: list[dict]) -> None:
        path = self._folder / "batch_jsonl" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_what_is_missing_in_every_replica_is_what_their_gaps_have_in_common(tmp_path):
    written = Written(tmp_path)
    written.log("a", 1, 900)
    written.log("b", 2, 1_000)
    # One begins in the other; one lies in two that overlap; two that touch; one of one log, of another stream, by ids.
    for gap in [("a", 10, 20), ("b", 15, 30), ("b", 100, 120), ("b", 110, 140), ("a", 105, 130), ("a", 200, 210),
                ("b", 210, 220), ("a", 300, 310), ("b", 950, None)]:
        written.gap(*gap)
    written.gap("b", 300, 310, stream="ethusdt@miniTicker")
    written.gap("b", 300, 310, cause="sequence")

    def minute(moment: datetime) -> int | None:
        return None if moment == datetime.max else round((moment - TODAY).total_seconds() / 60)

    found = [(minute(since), minute(until)) for since, until in Folder(tmp_path).missing_in_all()]
    assert found == [(15, 20), (105, 130), (210, 210), (950, None)]
    # A replica that came late and one that is gone are missing before and after.
    written.log("c", 500, 600)
    assert [(minute(since), minute(until)) for since, until in Folder(tmp_path).missing_in_all()] == found
    written.gap("a", 550, 700)
    written.gap("b", 590, 650)
    found = [(minute(since), minute(until)) for since, until in Folder(tmp_path).missing_in_all()]
    assert found == [(15, 20), (105, 130), (210, 210), (600, 650), (950, None)]
