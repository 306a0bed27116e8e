"""Messages from a file go through the stand-in exchange and `run`, byte for byte, into all sinks."""

import json

from support.delivery import assert_dense, assert_items, assert_objects, local_items, local_objects
from support.program import PATIENCE
from support.ticks import combined, events_of, mini_ticker, mini_tickers, odd_events


def made_up() -> str:
    """Combined messages of all kinds, and an array."""
    lines = [combined(*tick) for tick in mini_tickers(600, symbols=25) + odd_events()]
    array = [mini_ticker(f"ARR{number}USDT", 1_665_778_599_000 + number, 0.25 + number) for number in range(60)]
    return "\n".join([*lines, f"[{','.join(array)}]"]) + "\n"


def streams_of(text: str) -> set[str]:
    """What to subscribe to."""
    return {"!miniTicker@arr" if line.startswith("[") else json.loads(line)["stream"] for line in text.splitlines()}


def test_made_up_messages_go_through_the_exchange(tickwal, make_place, ministack, simulate):
    check(made_up(), tickwal, make_place, ministack, simulate)


def test_recorded_messages_go_through_the_exchange(tickwal, make_place, ministack, simulate, recorded):
    text = "".join(file.read_text().rstrip("\n") + "\n" for file in recorded)
    check(text, tickwal, make_place, ministack, simulate)


def check(text, tickwal, make_place, ministack, simulate):
    file = tickwal.folder / "recorded.jsonl"
    file.write_text(text)
    expected = events_of(text)
    place = make_place()
    run = tickwal.start(
        "run", BINANCE_WS_URL=simulate("--file", file, "--rate", "1000"), STREAMS=",".join(sorted(streams_of(text))),
        DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT=str(PATIENCE), **place.environment(ministack.url),
    )
    run.wait_until(lambda: tickwal.log.head >= len(expected), f"{len(expected)} ticks in the log")
    assert run.terminate(seconds=PATIENCE + 30).code == 0
    ticks = tickwal.log.ticks()
    assert_dense(ticks)
    assert [(tick.stream, tick.payload) for tick in ticks] == expected
    assert_objects(tickwal.log, place.objects(), ticks, most_rows=100)
    assert_items(place.items(), ticks)
    tickwal.drain("--local", tickwal.folder)
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)
