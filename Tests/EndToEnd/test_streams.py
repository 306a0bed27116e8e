"""The list of streams, read again while `run` is up, and SIGHUP."""

import hashlib
import json
import signal
import time
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from support.program import PATIENCE
from support.ticks import combined

SINKS_OFF = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}


def streams_of(client) -> list[str]:
    return unquote(parse_qs(urlsplit(client.path).query)["streams"][0]).split("/")


def send(tickwal, run, clients, stream, number):
    """The same tick over every connection, as the exchange would; it is in the log once."""
    for client in clients:
        client.send(combined(stream, f'{{"n":{number}}}').encode())
    run.wait_until(lambda: tickwal.log.head == number, f"tick {number} is in the log")


def known(tickwal) -> list[str]:
    return json.loads(tickwal.log.value("select value from meta where key = 'streams'") or "[]")


def start(tickwal, exchange, place, url, refresh="3600", **environment):
    return tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS_REFRESH_SECONDS=refresh,
        **{**SINKS_OFF, **place.environment(url), **environment},
    )


def take_over(tickwal, run, exchange, stream, number, expected):
    """Lets the n-th connection replace the one before it: both deliver, then the old one is closed."""
    old, new = exchange.client(expected - 1), exchange.client(expected)
    send(tickwal, run, [old, new], stream, number)
    run.wait_until(lambda: old.is_closed, "the old connection is closed")
    return new


def test_a_changed_secret_takes_effect_without_a_gap(tickwal, make_exchange, make_place, ministack):
    place, exchange = make_place("a@trade", "b@trade", api_key="streamsecretkey"), make_exchange()
    run = start(tickwal, exchange, place, ministack.url, refresh="0.5")
    assert streams_of(exchange.client(0)) == ["a@trade", "b@trade"]
    send(tickwal, run, [exchange.client(0)], "b@trade", 1)
    place.change_secret(streams=["b@trade", "c@trade", "d@trade"], api_key="streamsecretkey")
    assert streams_of(exchange.client(1)) == ["b@trade", "c@trade", "d@trade"]
    new = take_over(tickwal, run, exchange, "b@trade", 2, 1)
    send(tickwal, run, [new], "c@trade", 3)
    run.wait_until(lambda: known(tickwal) == ["b@trade", "c@trade", "d@trade"], "the log knows the new list")
    assert "the list of streams has changed" in run.err
    assert "added_streams=" in run.err and "c@trade, d@trade" in run.err and "removed_streams=a@trade" in run.err
    assert tickwal.log.ask("select * from gaps") == []
    assert [tick.stream for tick in tickwal.log.ticks()] == ["b@trade", "b@trade", "c@trade"]
    assert len(exchange.clients) == 2


def test_sighup_reads_the_secret_at_once_and_replaces_the_connection(
    tickwal, make_exchange, make_place, ministack
):
    place, exchange = make_place("a@trade"), make_exchange()
    run = start(tickwal, exchange, place, ministack.url)
    send(tickwal, run, [exchange.client(0)], "a@trade", 1)
    place.change_secret(streams=["a@trade", "b@trade"])
    run.send(signal.SIGHUP)
    assert streams_of(exchange.client(1)) == ["a@trade", "b@trade"]
    take_over(tickwal, run, exchange, "a@trade", 2, 1)
    # Nothing has changed now: a new connection all the same.
    run.send(signal.SIGHUP)
    assert streams_of(exchange.client(2)) == ["a@trade", "b@trade"]
    take_over(tickwal, run, exchange, "a@trade", 3, 2)
    assert tickwal.log.ask("select * from gaps") == []


def test_sighup_with_streams_of_the_operator_replaces_the_connection(tickwal, make_exchange):
    exchange = make_exchange()
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, STREAMS="a@trade", **SINKS_OFF)
    send(tickwal, run, [exchange.client(0)], "a@trade", 1)
    run.send(signal.SIGHUP)
    take_over(tickwal, run, exchange, "a@trade", 2, 1)
    assert streams_of(exchange.client(1)) == ["a@trade"]
    assert tickwal.log.ask("select * from gaps") == []


@pytest.mark.parametrize("fields", [{"streams": []}, {"stream": ["b@trade"]}, {"streams": "b@trade"}])
def test_an_unusable_secret_keeps_the_list(tickwal, make_exchange, make_place, ministack, secrets, fields):
    place, exchange = make_place("a@trade"), make_exchange()
    run = start(tickwal, exchange, place, ministack.url, refresh="0.2")
    send(tickwal, run, [exchange.client(0)], "a@trade", 1)
    secrets.append("laterstreamkey")
    place.change_secret(api_key="laterstreamkey", **fields)
    run.wait_until_said("the list of streams could not be read again")
    send(tickwal, run, [exchange.client(0)], "a@trade", 2)
    place.change_secret(streams=["a@trade", "b@trade"], api_key="laterstreamkey")
    assert streams_of(exchange.client(1)) == ["a@trade", "b@trade"]
    # Read many times, said once.
    assert run.err.count("could not be read again") == 1
    assert known(tickwal) == ["a@trade", "b@trade"]


def test_secrets_manager_down_at_the_start_takes_over_when_it_answers(tickwal, make_exchange, make_place, relay):
    place, exchange = make_place("a@trade"), make_exchange()
    first = start(tickwal, exchange, place, relay.url)
    send(tickwal, first, [exchange.client(0)], "a@trade", 1)
    assert first.terminate().code == 0
    place.change_secret(streams=["a@trade", "b@trade"])
    relay.shut()
    run = start(tickwal, exchange, place, relay.url, refresh="0.5")
    assert streams_of(exchange.client(1)) == ["a@trade"]
    send(tickwal, run, [exchange.client(1)], "a@trade", 2)
    run.wait_until_said("the list of streams could not be read again")
    relay.open()
    assert streams_of(exchange.client(2)) == ["a@trade", "b@trade"]
    assert run.is_running


def test_sighup_never_ends_a_start_or_a_stop(tickwal, make_exchange, make_place, relay):
    place, exchange = make_place("a@trade"), make_exchange()
    relay.shut()
    # Nothing is known of streams: it waits for Secrets Manager.
    run = start(
        tickwal, exchange, place, relay.url, S3_WRITE="1", DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT="3"
    )
    run.wait_until(lambda: run.err, "it has begun")
    for _ in range(20):
        run.send(signal.SIGHUP)
        time.sleep(0.01)
    run.wait_until_said("could not read the secret")
    run.send(signal.SIGHUP)
    run.check()
    relay.open()
    send(tickwal, run, [exchange.client(0)], "a@trade", 1)
    relay.shut()
    run.send(signal.SIGTERM)
    # Up to its very last moment.
    deadline = time.monotonic() + PATIENCE
    while run.is_running and time.monotonic() < deadline:
        run.send(signal.SIGHUP)
        time.sleep(0.001)
    assert run.end(seconds=1).code == 0, run.err


def test_sighup_ends_other_commands_as_ever(tickwal, make_place, relay):
    place = make_place()
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined("a@trade", f'{{"n":{number}}}') + "\n" for number in range(10)))
    tickwal.succeed("import", file)
    relay.shut()
    ship = tickwal.start("ship", **place.environment(relay.url))
    ship.wait_until(lambda: relay.refused > 0, "deliveries have been tried")
    ship.send(signal.SIGHUP)
    assert ship.end().code == -signal.SIGHUP
    relay.open()
    tickwal.drain(**place.environment(relay.url))
    assert tickwal.log.is_shipped(10)


def shard(stream: str, count: int) -> int:
    return max(range(1, count + 1), key=lambda number: hashlib.sha256(f"{stream}/{number}".encode()).digest())


def test_a_shard_reads_its_share_of_the_list_and_of_each_new_one(tickwal, make_exchange, make_place, ministack):
    names = [f"s{number}@trade" for number in range(24)]
    share = [name for name in names if shard(name, 3) == 2]
    assert 0 < len(share[:-1]) and len(share) < len(names)
    place, exchange = make_place(*(set(names) - {share[-1]})), make_exchange()
    run = start(tickwal, exchange, place, ministack.url, STREAM_SHARD="2/3")
    assert sorted(streams_of(exchange.client(0))) == sorted(share[:-1])
    send(tickwal, run, [exchange.client(0)], share[0], 1)
    status = json.loads(tickwal.run_to_end("status", "--json").out)
    assert status["feed"]["shard"] == "2/3" and status["feed"]["streams"] == len(share) - 1
    assert "those of shard 2/3" in tickwal.run_to_end("status").out.decode()
    place.change_secret(streams=names)
    run.send(signal.SIGHUP)
    assert sorted(streams_of(exchange.client(1))) == sorted(share)
    take_over(tickwal, run, exchange, share[0], 2, 1)
    assert tickwal.log.ask("select * from gaps") == []


def test_config_and_doctor_say_what_a_shard_has_and_one_without_streams_does_not_start(tickwal):
    own = shard("a@t", 2)
    empty = 3 - own
    told = tickwal.succeed("config", STREAMS="a@t", STREAM_SHARD=f"{own}/2").out.decode()
    assert f"it reads 1 of 1 stream: shard {own}/2" in told
    refused = tickwal.run_to_end("run", STREAMS="a@t", STREAM_SHARD=f"{empty}/2", **SINKS_OFF)
    assert refused.code == 78
    assert f"STREAM_SHARD is '{empty}/2' but none of the 1 stream falls to this shard" in refused.err
