"""Two replicas of the same streams, each with its own log: whatever becomes of one of them, together they have each
tick that either received, and its item."""

import contextlib
import signal
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from support import oracle
from support.delivery import assert_items, assert_objects
from support.faults import Disk
from support.log import Tick
from support.program import Tickwal
from support.queries import Folder
from support.relay import Relay

STREAMS = [
    "btcusdt@miniTicker", "btcusdt@trade", "ethusdt@aggTrade", "ethusdt@depth@100ms", "bnbusdt@kline_1m",
    "bnbusdt@bookTicker",
]
SECOND = 1_000_000
MEANWHILE = 40
"""Ticks that one replica receives while the other is in trouble."""


class Replica:
    """A process with its own log, its own ways to the exchange and to AWS, and its own disk."""

    def __init__(self, program: Tickwal, market, ministack, place, faults: Path):
        self.program, self.log = program, program.log
        self.exchange, self.aws = Relay(int(market.url.rsplit(":", 1)[1])), Relay(ministack.port)
        self.disk = Disk(faults, program.folder, program.path)
        program.environment |= place.environment(self.aws.url) | self.disk.environment | {
            "BINANCE_WS_URL": f"ws://127.0.0.1:{self.exchange.port}", "STREAMS": ",".join(STREAMS),
        }
        self._trimmed: list[Tick] = []
        self.start()

    def start(self) -> None:
        self.process = self.program.start("run")

    def wait_for_more(self, ticks: int = MEANWHILE) -> None:
        head = self.log.head
        self.process.wait_until(lambda: self.log.head >= head + ticks, f"{ticks} more ticks")

    def wait_for_each_stream(self, after: int = 0) -> None:
        self.process.wait_until(lambda: self.streams(after) == len(STREAMS), "a tick of each stream")

    def streams(self, after: int) -> int:
        return self.log.value("select count(distinct stream) from ticks where offset > ?", after) or 0

    def drain(self) -> None:
        assert self.process.terminate().code == 0
        self.program.drain()

    def remember(self) -> None:
        """To be called before something is trimmed."""
        self._trimmed = self.ticks

    @property
    def ticks(self) -> list[Tick]:
        """All that were ever in the log."""
        return sorted({*self._trimmed, *self.log.ticks()}, key=lambda tick: tick.offset)

    @property
    def events(self) -> set[tuple[str, str]]:
        return {(tick.stream, tick.payload) for tick in self.ticks}


@contextlib.contextmanager
def full_disk(replica: Replica):
    # A full volume trims what is shipped: from here on nothing is.
    replica.aws.shut()
    replica.remember()
    replica.disk.fill()
    replica.process.wait_until_said("volume of the log is full")
    # What waits in the connection would still be there later.
    with cut_off(replica):
        yield
    replica.disk.free()
    replica.process.wait_until_said("has room again")
    replica.aws.open()


@contextlib.contextmanager
def killed(replica: Replica):
    replica.process.kill()
    yield
    replica.start()


@contextlib.contextmanager
def frozen(replica: Replica):
    replica.process.send(signal.SIGSTOP)
    with cut_off(replica):
        yield
    replica.process.send(signal.SIGCONT)


@contextlib.contextmanager
def cut_off(replica: Replica):
    replica.exchange.shut()
    yield
    replica.exchange.open()


@pytest.fixture
def make_replica(binary, faults, tmp_path_factory, ministack):
    made: list[Replica] = []

    def make(market, place, **environment: str) -> Replica:
        program = Tickwal(binary, tmp_path_factory.mktemp("replica"), environment)
        made.append(Replica(program, market, ministack, place, faults))
        return made[-1]

    yield make
    for replica in made:
        replica.program.stop_all()
        replica.exchange.stop()
        replica.aws.stop()


def made_by(journal: Path) -> list[tuple[str, str]]:
    """What the exchange made, in order."""
    lines = (line.split(" ", 4) for line in journal.read_text().splitlines())
    return [(parts[3], parts[4]) for parts in lines if parts[1] == "sent"]


def copied(place, folder: Path) -> Path:
    """All that lies in the bucket, as files."""
    for key in place.keys_under():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(place.get(key).body)
    return folder


def received(tick: Tick) -> int:
    return tick.received_at


def has_own_time(tick: Tick) -> bool:
    return tick.event_time is not None


def without_ttl(item: dict) -> dict:
    return {name: value for name, value in item.items() if name != "ttl_days"}


def test_one_of_two_in_trouble_loses_nothing_of_what_the_other_has(make_replica, make_market, make_place, tmp_path):
    place, market = make_place(), make_market("--rate", "60", "--strict")
    replicas = [make_replica(market, place) for _ in range(2)]
    for replica in replicas:
        replica.wait_for_each_stream()
    first = max((replica.log.ticks()[-1] for replica in replicas), key=received)
    one, other = replicas
    for trouble, sick, well in [(full_disk, one, other), (cut_off, other, one), (killed, one, other), (frozen, one, other)]:
        with trouble(sick):
            well.wait_for_more()
        sick.wait_for_each_stream(after=sick.log.head)
        assert well.events - sick.events, f"{trouble.__name__}: nothing was lost, so nothing is shown"
    last = min((replica.log.ticks()[-1] for replica in replicas), key=received)
    for replica in replicas:
        replica.drain()
    market.stop()

    # Nothing that the exchange made meanwhile is missing in both.
    everything = made_by(market.journal)
    between = everything[everything.index((first.stream, first.payload)) : everything.index((last.stream, last.payload))]
    assert set(between) <= one.events | other.events

    # Each log's objects are whole, under its own log id.
    ticks = [replica.ticks for replica in replicas]
    for replica, of_one in zip(replicas, ticks):
        assert_objects(replica.log, place.objects_of(replica.log.log_id), of_one, most_rows=100)

    # A reader of the bucket alone gets each tick once, and learns that none is missing in both.
    reader = Folder(copied(place, tmp_path / "bucket"))
    assert reader.once() == Counter(stream for stream, _ in one.events | other.events)
    for stream in STREAMS:
        [(_, until)] = reader.missing_in_all(stream)
        assert until == datetime.max, "there is only what comes after the end"
    assert reader.ids_missing_in_all() == []

    # Of what has a time of its own there is one item for each tick, the same but for its end of life.
    assert_items(place.items(), ticks[0] + ticks[1])
    for items in oracle.items(list(filter(has_own_time, ticks[0] + ticks[1]))).values():
        assert len({repr(without_ttl(item)) for item in items}) == 1
    timed = {(tick.stream, tick.payload) for of_one in ticks for tick in of_one if has_own_time(tick)}
    untimed = [tick for of_one in ticks for tick in of_one if not has_own_time(tick)]
    assert {tick.stream for tick in untimed} == {"bnbusdt@bookTicker"}
    # Those of the rest are each replica's own: two, unless both have received one in the same microsecond.
    others = len(oracle.items(untimed))
    assert len(place.items()) == len(timed) + others and others > len({tick.payload for tick in untimed})


def test_the_items_that_a_lost_replica_did_not_write_are_replayed_by_the_other(make_replica, make_market, make_place):
    """The cheap form: only one writes items. It is lost with its log, and another one comes in its place."""
    place, market = make_place(), make_market("--rate", "60", "--strict")
    lost = make_replica(market, place)
    lost.wait_for_each_stream()
    kept = make_replica(market, place, DYNAMO_WRITE="0")
    kept.wait_for_each_stream()
    head = lost.log.head
    lost.process.wait_until(lambda: lost.log.next_offsets()["dynamodb"] > head, "some items are written")
    since = lost.log.ticks()[head - 1].received_at
    lost.process.kill()
    kept.wait_for_more()
    instead = make_replica(market, place)
    instead.wait_for_each_stream()
    until = instead.log.ticks()[-1].received_at
    for replica in (kept, instead):
        replica.wait_for_more()
        replica.drain()
    market.stop()

    def without_item() -> set[tuple[str, str]]:
        timed = oracle.items(list(filter(has_own_time, kept.ticks)))
        return set(timed) - set(place.items())

    assert without_item()
    # A second more on either side: a tick does not come to both at once. What has its item is written again.
    times = ["--since", oracle.rfc3339(since - SECOND), "--until", oracle.rfc3339(until + SECOND)]
    kept.program.succeed("replay", "--to", "dynamodb", *times)
    assert without_item() == set()
    assert kept.log.next_offsets().keys() == {"s3"}
