"""What FEED_STALE_SECONDS and FEED_MAX_AGE do, seen from the exchange."""

from support.ticks import combined


def start(tickwal, exchange, **environment):
    return tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS="a@trade", S3_WRITE="0", DYNAMO_WRITE="0", **environment
    )


def test_a_silent_connection_is_replaced_by_one_that_delivers(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange, FEED_STALE_SECONDS="0.5")
    exchange.client(0).send(combined("a@trade", '{"n":1}').encode())
    run.wait_until(lambda: tickwal.log.head == 1, "the first tick is in the log")
    exchange.client(1).send(combined("a@trade", '{"n":2}').encode())
    run.wait_until(lambda: tickwal.log.head == 2, "the second tick is in the log")
    run.wait_until(lambda: exchange.client(0).is_closed, "the silent connection is given up")
    causes = tickwal.log.ask("select cause, ended_at is null from gaps order by id")
    assert causes[0] == ("stale", 0)


def test_an_old_connection_is_replaced_without_a_gap(tickwal, make_exchange):
    exchange = make_exchange()
    # 1.8 seconds.
    run = start(tickwal, exchange, FEED_MAX_AGE="0.0005")
    exchange.client(0).send(combined("a@trade", '{"n":1}').encode())
    run.wait_until(lambda: tickwal.log.head == 1, "the first tick is in the log")
    new = exchange.client(1)
    for client in (exchange.client(0), new):
        client.send(combined("a@trade", '{"n":2}').encode())
    run.wait_until(lambda: exchange.client(0).is_closed, "the old connection is closed")
    assert tickwal.log.head == 2
    assert tickwal.log.ask("select * from gaps") == []
