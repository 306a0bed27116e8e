"""The log trims what is shipped and old, keeps what is not, and its offsets go on."""

import sqlite3

from support.delivery import assert_items, assert_objects, local_items, local_objects
from support.program import PATIENCE
from support.ticks import combined, mini_tickers

SHORTLY = {"WAL_RETENTION_HOURS": "0.0005"}
"""1.8 seconds."""


def start(tickwal, exchange, **environment):
    return tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@miniTicker",
        **{**SHORTLY, **environment},
    )


def send(exchange, ticks, client=0):
    for tick in ticks:
        exchange.client(client).send(combined(*tick).encode())


def test_what_is_shipped_and_old_goes_and_offsets_go_on(tickwal, make_exchange):
    exchange = make_exchange()
    first, more = mini_tickers(1_000), mini_tickers(50, seed=2)
    run = start(tickwal, exchange, WAL_RETENTION_HOURS="24")
    send(exchange, first)
    run.wait_until(lambda: tickwal.log.is_shipped(len(first)), "all ticks are shipped")
    assert run.terminate().code == 0
    before = tickwal.log.ticks()
    tickwal.drain("--local", tickwal.folder)
    assert tickwal.log.ticks() == before

    run = start(tickwal, exchange)
    run.wait_until(lambda: tickwal.log.value("select count(*) from ticks") == 0, "all ticks are trimmed")
    exchange.client(1)
    run.kill()
    assert tickwal.log.value("select count(*) from batches") == 0
    ended = tickwal.run_to_end("replay", "--from-offset", "1", "--to", "stdout")
    assert ended.code == 1 and "the log has no ticks to replay: its head is 1,000" in ended.err
    assert "none kept, head 1,000" in tickwal.succeed("status").out.decode()

    run = start(tickwal, exchange, WAL_RETENTION_HOURS="24")
    send(exchange, more, client=2)
    run.wait_until(lambda: tickwal.log.is_shipped(1_050), "the next ticks are shipped")
    assert run.terminate().code == 0
    ticks = before + tickwal.log.ticks()
    assert [tick.offset for tick in ticks] == list(range(1, 1_051))
    assert [(tick.stream, tick.payload) for tick in ticks] == first + more
    assert_objects(tickwal.log, local_objects(tickwal.folder), ticks, most_rows=100)
    assert_items(local_items(tickwal.folder), ticks)


def test_what_is_not_shipped_stays_however_old(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange, DYNAMO_WRITE="0", MAX_BATCH_TIMEOUT="3600")
    send(exchange, mini_tickers(250))
    # Two batches of a hundred are full, the third waits.
    run.wait_until(
        lambda: tickwal.log.ask("select min(offset), max(offset) from ticks") == [(201, 250)],
        "what is shipped is trimmed", PATIENCE,
    )
    run.kill()
    assert tickwal.log.ask("select offset from ticks") == [(offset,) for offset in range(201, 251)]


def test_a_log_of_its_own_trims_by_age(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange, S3_WRITE="0", DYNAMO_WRITE="0")
    send(exchange, mini_tickers(250))
    run.wait_until(
        lambda: tickwal.log.head == 250 and tickwal.log.value("select count(*) from ticks") == 0, "all are trimmed"
    )
    run.kill()
    # Killed: the gap begins with the last tick, although it is gone.
    last = int(tickwal.log.value("select value from meta where key = 'last_received_at'"))
    run = start(tickwal, exchange, S3_WRITE="0", DYNAMO_WRITE="0")
    send(exchange, mini_tickers(1, seed=3), client=1)
    run.wait_until(lambda: tickwal.log.head == 251, "the feed goes on")
    [(cause, started_at)] = tickwal.log.ask("select cause, started_at from gaps where cause = 'crash'")
    assert (cause, started_at) == ("crash", last)


def test_the_log_is_dense_at_any_moment_while_it_is_trimmed(tickwal, simulate):
    """An operator's queries see dense offsets at any moment."""
    url = simulate("--rate", "2000", "--wait", "--count", "12000")
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=url, STREAMS="a@miniTicker", DYNAMO_WRITE="0",
        MAX_BATCH_SIZE="500", **SHORTLY,
    )

    def is_done() -> bool:
        rows = tickwal.log.ask(
            "select min(offset), max(offset), count(*) from ticks where offset > "
            "coalesce((select value from meta where key = 'trimmed'), 0)"
        )
        if rows and rows[0][2]:
            oldest, newest, count = rows[0]
            assert newest - oldest + 1 == count
        return tickwal.log.head == 12_000 and tickwal.log.value("select count(*) from ticks") == 0

    run.wait_until(is_done, "all ticks went through")
    assert run.terminate().code == 0
    with sqlite3.connect(tickwal.path) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    rows = sum(stored.text.count(b"\n") for stored in local_objects(tickwal.folder))
    assert rows == 12_000
