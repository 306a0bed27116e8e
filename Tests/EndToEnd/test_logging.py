"""What stderr says while everything comes and goes: each change once, for programs as well as for people."""

import collections
import json
import os
import re

import pytest

from support.ticks import combined, mini_tickers

LOSSES = 4
TICKS = 200


@pytest.fixture
def journal(tmp_path):
    """A file that stands for the journal's stream: its descriptor, its path, and what JOURNAL_STREAM says of it."""
    path = tmp_path / "journal"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    info = os.fstat(descriptor)
    yield descriptor, path, f"{info.st_dev}:{info.st_ino}"
    os.close(descriptor)


def test_what_comes_and_goes_is_said_at_each_change_and_summed_up(tickwal, make_exchange, make_place, relay):
    exchange = make_exchange()
    run = tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker", S3_WRITE="0", LOG_FORMAT="json",
        **make_place("a@miniTicker").environment(relay.url),
    )
    for loss in range(LOSSES):
        client = exchange.client(loss)
        if loss == 1:
            relay.shut()
        if loss == 2:
            relay.open()
        client.send(b"\x1b[2J\xe2\x80\xae no tick " + str(loss).encode())
        for tick in mini_tickers(TICKS, seed=loss):
            client.send(combined(*tick).encode())
        run.wait_until(lambda: tickwal.log.head == (loss + 1) * TICKS, "the ticks are in the log")
        client.drop()
    client = exchange.client(LOSSES)
    ticks = iter(mini_tickers(1_000, seed=LOSSES))

    def is_over() -> bool:
        client.send(combined(*next(ticks)).encode())
        return "delivering again" in run.err

    run.wait_until(is_over, "what is delivered now shows that the trouble is over")
    assert run.terminate().code == 0
    lines = run.err.splitlines()
    said = [json.loads(line) for line in lines]
    assert all(re.fullmatch(r"[ -~]*", line) for line in lines), "a control character, or one that nobody sees"
    # Numbers are numbers, but for settings: they are as they were given.
    wrong = [(line["message"], key, value) for line in said for key, value in line.items()
             if not line["message"].startswith("settings") and isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value)]
    assert wrong == []
    counts = collections.Counter(line["message"] for line in said)
    assert counts["a message that is no tick was kept as a dead letter of the feed"] == 1
    assert counts["no connection to the exchange; trying again, ticks until then are missed"] <= 2
    assert sum(count for text, count in counts.items() if "connected to the exchange" in text) <= 4
    # Two kinds at most: connections that break, and such as are refused.
    assert 1 <= counts["could not deliver: trying again until it works"] <= 2
    assert counts["delivering again"] == 1
    # Nothing of each tick, each attempt or each loss.
    assert len(lines) < 25, "\n".join(lines)


def test_the_journal_gets_priorities_and_no_time(tickwal, make_exchange, journal):
    descriptor, path, stream = journal
    exchange = make_exchange()
    run = tickwal.start(
        "run", stderr=descriptor, JOURNAL_STREAM=stream, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker,A",
        S3_WRITE="0", DYNAMO_WRITE="0",
    )
    exchange.client(0).send(b"no tick")
    run.wait_until(lambda: "dead letter of the feed" in path.read_text(), "it is said")
    second = tickwal.start("run", stderr=descriptor, JOURNAL_STREAM=stream, STREAMS="a@trade", S3_WRITE="0", DYNAMO_WRITE="0")
    assert second.end().code == 75
    assert run.terminate().code == 0
    lines = path.read_text().splitlines()
    assert [line for line in lines if not re.match(r"<[34567]>(INFO  |NOTE  |WARN  |ERROR |tickwal: )", line)] == []
    assert any(re.match("<5>NOTE  the log is open .*head=0 ", line) for line in lines)
    assert any(line.startswith("<4>WARN  a message that is no tick") for line in lines)
    assert any(line.startswith("<3>tickwal: ") and str(run.pid) in line for line in lines)


@pytest.mark.parametrize("form, stream", [("json", None), ("text", "8:1"), ("text", "nonsense")])
def test_json_and_what_is_not_the_journal_get_no_priorities(tickwal, journal, form, stream):
    descriptor, path, own = journal
    (tickwal.folder / "ticks.jsonl").write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(3)))
    tickwal.succeed("import", tickwal.folder / "ticks.jsonl")
    ship = tickwal.start(
        "ship", "--local", tickwal.folder, stderr=descriptor, JOURNAL_STREAM=stream or own, LOG_FORMAT=form)
    assert ship.end().code == 0
    beginning = r'\{"time":"' if form == "json" else r"20\d\d-"
    assert [line for line in path.read_text().splitlines() if not re.match(beginning, line)] == []
