"""How the program stops, and who may use a log."""

import signal

from support.delivery import assert_objects
from support.program import PATIENCE
from support.ticks import combined, mini_tickers

STREAMS = "a@miniTicker"


def deliver(tickwal, run, exchange, count):
    for tick in mini_tickers(count):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == count, f"{count} ticks in the log")


def test_sigterm_and_sigint_end_well_and_tell_the_backlog(tickwal, make_exchange, make_place, ministack):
    environment = make_place().environment(ministack.url)
    for number, kind in enumerate((signal.SIGTERM, signal.SIGINT)):
        exchange = make_exchange()
        # A batch that is not full and not yet due stays behind.
        run = tickwal.start("run", BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, MAX_BATCH_TIMEOUT="3600", **environment)
        for tick in mini_tickers(10):
            exchange.client().send(combined(*tick).encode())
        run.wait_until(lambda: tickwal.log.head == 10 * (number + 1), "the ticks are in the log")
        run.send(kind)
        ended = run.end()
        assert ended.code == 0, ended.err
        assert tickwal.log.backlog()["s3"] == 10 * (number + 1)
        assert "backlog" in ended.err and "s3" in ended.err
    assert [cause for (cause,) in tickwal.log.ask("select cause from gaps")].count("shutdown") >= 1


def test_drain_on_stop_ships_a_short_last_batch(tickwal, make_exchange, make_place, ministack):
    place, exchange = make_place(), make_exchange()
    run = tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, MAX_BATCH_TIMEOUT="3600", DRAIN_ON_STOP="1",
        SHUTDOWN_TIMEOUT=str(PATIENCE), **place.environment(ministack.url),
    )
    deliver(tickwal, run, exchange, 130)
    assert run.terminate(seconds=2 * PATIENCE).code == 0
    assert tickwal.log.backlog() == {"s3": 0, "dynamodb": 0}
    objects = place.objects()
    assert_objects(tickwal.log, objects, tickwal.log.ticks(), most_rows=100)
    assert sorted(int(stored.headers["Metadata"]["rows"]) for stored in objects) == [30, 100]


def test_the_shutdown_timeout_is_kept_when_aws_does_not_answer(tickwal, make_exchange, make_place, relay):
    exchange = make_exchange()
    run = tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT="2",
        **make_place().environment(relay.url),
    )
    deliver(tickwal, run, exchange, 10)
    run.wait_until(lambda: tickwal.log.is_shipped(10), "the first ticks are shipped")
    relay.stall()
    for tick in mini_tickers(500):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 510, "more ticks in the log")
    ended = run.terminate()
    assert ended.code == 0, ended.err
    assert "SHUTDOWN_TIMEOUT is over" in ended.err
    assert tickwal.log.backlog()["dynamodb"] > 0


def test_a_second_signal_ends_at_once_and_nothing_is_lost(tickwal, make_exchange, make_place, relay):
    place, exchange = make_place(), make_exchange()
    environment = place.environment(relay.url)
    run = tickwal.start(
        "run", BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, DRAIN_ON_STOP="1", SHUTDOWN_TIMEOUT="3600", **environment
    )
    deliver(tickwal, run, exchange, 10)
    run.wait_until(lambda: tickwal.log.is_shipped(10), "the first ticks are shipped")
    relay.stall()
    for tick in mini_tickers(300):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.head == 310, "more ticks in the log")
    run.send(signal.SIGTERM)
    run.wait_until(lambda: exchange.client().is_closed, "the feed has been stopped")
    run.send(signal.SIGTERM)
    run.end(seconds=20)
    relay.open()
    tickwal.drain(**environment)
    assert_objects(tickwal.log, place.objects(), tickwal.log.ticks(), most_rows=100)


def test_an_interrupted_ship_says_so(tickwal, make_place, relay):
    place = make_place()
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(300)))
    tickwal.succeed("import", file)
    relay.shut()
    ship = tickwal.start("ship", **place.environment(relay.url))
    ship.wait_until(lambda: relay.refused > 2, "deliveries have been tried")
    ended = ship.terminate()
    assert ended.code == 130, ended.err
    relay.open()
    tickwal.drain(**place.environment(relay.url))
    assert_objects(tickwal.log, place.objects(), tickwal.log.ticks(), most_rows=100)


def test_a_second_user_of_the_log_is_turned_away_with_the_pid_of_the_first(tickwal, make_exchange):
    exchange = make_exchange()
    sinks = {"S3_WRITE": "0", "DYNAMO_WRITE": "0"}
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, **sinks)
    deliver(tickwal, run, exchange, 3)
    file = tickwal.folder / "ticks.jsonl"
    file.write_text(combined(*mini_tickers(1)[0]) + "\n")
    for command in (["run"], ["import", file], ["adopt"]):
        ended = tickwal.run_to_end(*command, BINANCE_WS_URL=exchange.url, STREAMS=STREAMS, **sinks)
        assert ended.code == 75, f"{command}: {ended.err}"
        assert str(run.pid) in ended.err
    run.check()
    assert tickwal.log.head == 3
    run.kill()
    tickwal.succeed("import", file)
    assert tickwal.log.head == 4


def test_adopt_gives_the_log_a_new_id(tickwal, make_place, ministack):
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(20)))
    tickwal.succeed("import", file)
    before = tickwal.log.log_id
    tickwal.succeed("adopt")
    assert tickwal.log.log_id != before and len(tickwal.log.log_id) == 16


def test_a_log_restored_from_a_copy_is_held_until_adopted(tickwal, make_place, ministack):
    place = make_place()
    environment = place.environment(ministack.url)
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(20)))
    tickwal.succeed("import", file)
    copy = tickwal.path.read_bytes()
    assert not (tickwal.folder / "ticks.db-wal").exists(), "the copy would miss what is in the -wal file"
    more = tickwal.folder / "more.jsonl"
    more.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(150, seed=2)))
    tickwal.succeed("import", more)
    tickwal.drain(**environment)
    shipped = {stored.key for stored in place.objects()}
    # The volume goes back to an earlier day, and other ticks get the same offsets.
    tickwal.path.write_bytes(copy)
    other = tickwal.folder / "other.jsonl"
    other.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(60, seed=3)))
    tickwal.succeed("import", other)
    ship = tickwal.start("ship", **environment)
    ship.wait_until_said("adopt")
    assert {stored.key for stored in place.objects()} == shipped
    ship.kill()
    tickwal.succeed("adopt")
    tickwal.drain(**environment)
    assert len({stored.key for stored in place.objects()} - shipped) >= 1
    assert tickwal.log.backlog() == {"s3": 0, "dynamodb": 0}
