"""What an exchange sends is in the log, byte for byte."""

import json

from support.exchange import TEXT, frame
from support.ticks import combined, mini_ticker, mini_tickers, odd_events
from support.waiting import wait_until


def start(tickwal, exchange, streams="a@miniTicker", **environment):
    return tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS=streams, S3_WRITE="0", DYNAMO_WRITE="0", **environment
    )


def test_every_kind_of_message_lands_byte_for_byte(tickwal, make_exchange):
    expected = mini_tickers(50) + odd_events()
    greeting = b"".join(frame(TEXT, combined(*tick).encode()) for tick in expected[:3])
    exchange = make_exchange(greeting)
    run = start(tickwal, exchange)
    client = exchange.client()
    for number, tick in enumerate(expected[3:]):
        client.send(combined(*tick).encode(), pieces=1 + number % 4)
    large = '{"e":"trade","E":1665778598010,"s":"BIG","t":1,"text":"' + "x" * 3_000_000 + '"}'
    client.send(combined("big@trade", large).encode())
    expected.append(("big@trade", large))
    run.wait_until(lambda: tickwal.log.head == len(expected), f"{len(expected)} ticks in the log")
    assert [(tick.stream, tick.payload) for tick in tickwal.log.ticks()] == expected


def test_array_and_raw_messages_get_names_of_their_own(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange)
    events = [mini_ticker(f"S{number}USDT", 1_665_778_598_000 + number, 1.5) for number in range(500)]
    exchange.client().send(combined("!miniTicker@arr", "[" + ", ".join(events) + "]").encode())
    raw = [
        ('{"e":"aggTrade","E":1,"s":"BTCUSDT","a":1}', "btcusdt@aggTrade"),
        ('{"e":"depthUpdate","E":1,"s":"BTCUSDT","u":1}', "btcusdt@depth"),
        ('{"e":"kline","E":1,"s":"BTCUSDT","k":{"i":"1m"}}', "btcusdt@kline_1m"),
        ('{"stream_type":"ethusdt@trade","data":{"e":"trade"}}', "ethusdt@trade"),
    ]
    for message, _ in raw:
        exchange.client().send(message.encode())
    run.wait_until(lambda: tickwal.log.head == 504, "504 ticks in the log")
    ticks = tickwal.log.ticks()
    assert [tick.payload for tick in ticks[:500]] == events
    assert [tick.stream for tick in ticks[:500]] == [f"s{number}usdt@miniTicker" for number in range(500)]
    assert len({tick.received_at for tick in ticks[:500]}) == 1
    assert [tick.stream for tick in ticks[500:]] == [stream for _, stream in raw]


def test_what_is_no_tick_becomes_a_dead_letter_and_the_feed_goes_on(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange)
    client = exchange.client()
    bad = [b"not json", b'{"stream":"a@trade","data":}', b'{"stream":"a@trade","data":5}', b'{"x":1}', b"\x7b\x7d"]
    for message in bad:
        client.send(message)
    client.send(b'{"result":null,"id":1}')
    client.send(combined("a@trade", '{"e":"trade"}').encode())
    run.wait_until(lambda: tickwal.log.head == 1, "the good one is in the log")
    run.wait_until(lambda: tickwal.log.value("select count(*) from dead_letters") == len(bad), "dead letters")
    letters = tickwal.log.ask("select consumer, offset, payload from dead_letters order by id")
    assert letters == [("feed", None, message) for message in bad]
    assert run.is_running


def test_pings_are_answered_with_their_own_payload(tickwal, make_exchange):
    exchange = make_exchange()
    start(tickwal, exchange)
    client = exchange.client()
    client.ping(b"1795312800123")
    wait_until(lambda: client.pongs == [b"1795312800123"], "the pong has arrived")


def test_a_lost_connection_is_made_anew_and_leaves_a_gap(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange, streams="a@trade,b@trade")
    exchange.client(0).send(combined("a@trade", '{"n":1}').encode())
    run.wait_until(lambda: tickwal.log.head == 1, "the first tick")
    exchange.client(0).drop()
    exchange.client(1).send(combined("a@trade", '{"n":2}').encode())
    run.wait_until(lambda: tickwal.log.head == 2, "the second tick")
    run.wait_until(
        lambda: tickwal.log.value("select count(*) from gaps where ended_at is not null"), "the gap is closed"
    )
    [(started, ended, cause, streams)] = tickwal.log.ask("select started_at, ended_at, cause, streams from gaps")
    first, second = tickwal.log.ticks()
    assert cause == "closed"
    assert started <= ended and started >= first.received_at and ended <= second.received_at
    assert json.loads(streams) == ["a@trade", "b@trade"]


def test_names_are_percent_encoded_in_the_url(tickwal, make_exchange):
    exchange = make_exchange()
    start(tickwal, exchange, streams="btcusdt@miniTicker,币安人生usdt@trade")
    assert exchange.client().path.startswith("/stream?streams=btcusdt")
    assert exchange.client().path.isascii()


def test_a_url_with_a_path_of_its_own_is_left_alone(tickwal, make_exchange):
    exchange = make_exchange()
    tickwal.start(
        "run", BINANCE_WS_URL=exchange.url + "/ws/btcusdt@trade", STREAMS="btcusdt@trade", S3_WRITE="0",
        DYNAMO_WRITE="0",
    )
    assert exchange.client().path == "/ws/btcusdt@trade"
