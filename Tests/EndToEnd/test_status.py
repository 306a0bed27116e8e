"""`status` says how the feed stands: connected or not, and nothing that is not so."""

import json
import signal
import time

import pytest

STREAMS = [f"sym{number:03}usdt@miniTicker" for number in range(300)]


@pytest.fixture
def feed(tickwal):
    """What `status --json` says of the feed."""
    return lambda: json.loads(tickwal.succeed("status", "--json").out)["feed"]


def start(tickwal, url, streams=STREAMS):
    return tickwal.start(
        "run", S3_WRITE="0", DYNAMO_WRITE="0", BINANCE_WS_URL=url, STREAMS=",".join(streams)
    )


def said(tickwal) -> str:
    return tickwal.succeed("status").out.decode()


def test_status_says_that_the_feed_is_connected_and_afterwards_that_no_run_is_there(tickwal, simulate, feed):
    before = time.time_ns() // 1000
    run = start(tickwal, simulate("--rate", "100"))
    run.wait_until(lambda: tickwal.log.head > 50, "50 ticks are in the log")
    up = feed()
    assert (up["state"], up["connected"], up["granted"], up["streams"]) == ("running", True, 300, 300)
    assert before <= up["since"] <= up["last_tick_at"] + 1_000_000
    assert up["silent"]["count"] == up["refused"]["count"] == 0
    assert (up["attempts_last_5_minutes"], up["next_attempt_at"], up["why"]) == (1, None, None)
    shown = said(tickwal)
    assert "connected since 20" in shown and "not connected" not in shown
    assert "300 of 300 granted" in shown and "1 to connect in the last 5 minutes" in shown
    watch = tickwal.start("status", "--watch")
    watch.wait_until(lambda: watch.out.count(b"connected since") > 1, "it is shown again")
    watch.send(signal.SIGINT)
    watch.end()
    assert "gone before the answer" not in run.terminate().err
    down = feed()
    assert (down["state"], down["connected"], down["granted"], down["streams"]) == ("no_process", False, None, 300)
    assert "not connected: no run has the log open" in said(tickwal)


def test_an_exchange_that_refuses_connections_is_not_connected(tickwal, simulate, feed):
    run = start(tickwal, simulate("--refuse", "503", "--retry-after", "60"))
    run.wait_until(lambda: tickwal.path.exists() and feed()["next_attempt_at"], "it waits for the next attempt")
    waiting = feed()
    assert (waiting["connected"], waiting["granted"], waiting["connections"]) == (False, 0, 0)
    # Without words of its own the pause is back-off's.
    assert waiting["next_attempt_at"] > waiting["since"]
    assert waiting["attempts_last_5_minutes"] >= 1
    shown = said(tickwal)
    assert "not connected since 20" in shown and "0 of 300 granted" in shown


def test_streams_that_are_refused_are_not_connected(tickwal, simulate, feed):
    run = start(tickwal, simulate("--rate", "100", "--refuse-subscribe", "1"))
    run.wait_until(
        lambda: tickwal.path.exists() and (feed()["refused"] or {}).get("count") == 300, "all are refused"
    )
    now = feed()
    assert (now["connected"], now["connections"], now["granted"]) == (False, 1, 0)
    assert now["refused"]["names"] == STREAMS[:10]
    shown = said(tickwal)
    assert f"0 of 300 granted, 300 refused ({', '.join(STREAMS[:3])} and 297 more)" in shown
    assert "not connected since 20" in shown


def test_a_run_that_is_stopped_is_said_to_give_no_answer(tickwal, simulate, feed):
    run = start(tickwal, simulate("--rate", "100"))
    run.wait_until(lambda: tickwal.log.head > 50, "50 ticks are in the log")
    run.send(signal.SIGSTOP)
    try:
        # More than the queue of its socket takes.
        for _ in range(11):
            began = time.monotonic()
            stopped = feed()
            assert time.monotonic() - began < 3
            assert (stopped["state"], stopped["connected"]) == ("no_answer", None)
            assert "within 1 s" in stopped["why"] and stopped["last_tick_at"]
        assert "and does not tell: no answer within 1 s" in said(tickwal)
    finally:
        run.send(signal.SIGCONT)
    run.wait_until(lambda: feed()["connected"], "it answers again")
    assert "gone before the answer" not in run.terminate().err
