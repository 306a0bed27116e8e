"""Fixtures of the end-to-end tests: the program, servers on loopback, and the search for secrets at the end.

`run.py` runs tests at the same time in several processes. What is made once for a session is made once in each of
them, and each has folders of its own.
"""

import itertools
import signal
from pathlib import Path

import pytest

from support.aws import MiniStack, Place
from support.clock import Clock
from support.exchange import Exchange
from support.faults import build_library
from support.market import Market
from support.notify import Manager
from support.program import PATIENCE, Tickwal, find_binary
from support.relay import Relay
from support.search import SecretSearch
from support.seaweed import start_seaweedfs

ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count(1)
# Whoever runs the tests under nohup ignores it, and programs inherit that.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def binary() -> Path:
    return find_binary(ROOT)


@pytest.fixture(scope="session", autouse=True)
def search(tmp_path_factory):
    """Looks at the end of the session for every secret of every test in all that was written; also for those
    that another test than the one with the secret wrote, or a program that the test did not look at. Tests of
    another process know none of its servers, and so none of its secrets."""
    everything = SecretSearch(tmp_path_factory.getbasetemp())
    yield everything
    everything.check()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory, search):
    stack = MiniStack(tmp_path_factory.mktemp("ministack"))
    yield stack
    stack.stop()
    search.add(stack.secrets)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory, search):
    server = start_seaweedfs(lambda: tmp_path_factory.mktemp("seaweedfs"))
    search.add([server.keys.secret])
    yield server
    server.stop()


@pytest.fixture
def secrets(search):
    """What must never be seen; tests add theirs."""
    secrets: list[str] = []
    yield secrets
    search.add(secrets)


@pytest.fixture
def tickwal(binary, tmp_path, secrets):
    program = Tickwal(binary, tmp_path)
    yield program
    program.stop_all()
    written = SecretSearch(tmp_path)
    written.add(secrets)
    written.check()


@pytest.fixture
def make_place(ministack, secrets):
    """Makes a bucket, a table and a secret that lists these streams."""

    def make(*streams: str, has_sinks: bool = True, **secret: str) -> Place:
        name = f"{next(_numbers):03}"
        place = Place(ministack, name, list(streams) or ["btcusdt@miniTicker"], has_sinks, **secret)
        secrets.append(place.keys.secret)
        secrets.extend(secret.values())
        return place

    return make


@pytest.fixture
def relay(ministack):
    between = Relay(ministack.port)
    yield between
    between.stop()


@pytest.fixture
def make_exchange():
    """An exchange that sends what the test says."""
    made: list[Exchange] = []

    def make(greeting: bytes = b"", **more) -> Exchange:
        made.append(Exchange(greeting, **more))
        return made[-1]

    yield make
    for exchange in made:
        exchange.stop()


@pytest.fixture
def make_manager(tmp_path_factory):
    """Makes a service manager that is told how a process goes."""
    made: list[Manager] = []

    def make(address: str | None = None) -> Manager:
        # A short path: an address has room for 107 bytes.
        made.append(Manager(address or str(tmp_path_factory.mktemp("n") / "notify")))
        return made[-1]

    yield make
    for manager in made:
        manager.close()


@pytest.fixture
def simulate(binary, tmp_path_factory):
    """Starts `tickwal simulate` and gives its URL."""
    programs: list[Tickwal] = []

    def start(*arguments: str) -> str:
        program = Tickwal(binary, tmp_path_factory.mktemp("simulate"))
        programs.append(program)
        process = program.start("simulate", "--listen", "127.0.0.1:0", *arguments)
        process.wait_until(lambda: b"\n" in process.out, "simulate says its address", PATIENCE)
        return process.out.split(b"\n")[0].decode()

    yield start
    for program in programs:
        program.stop_all()


@pytest.fixture
def make_market(binary, tmp_path_factory):
    """Starts `tickwal simulate` with a journal."""
    programs: list[Tickwal] = []

    def start(*arguments: str) -> Market:
        programs.append(Tickwal(binary, tmp_path_factory.mktemp("market")))
        return Market(programs[-1], *arguments)

    yield start
    for program in programs:
        program.stop_all()


RECORDINGS = {
    "own": sorted((ROOT / "Tests/Recordings").glob("*.json*")),
    "real": sorted((ROOT.parent / "shared/data").glob("binance-*.json*")),
}


@pytest.fixture(params=[kind for kind, files in RECORDINGS.items() if files])
def recorded(request) -> list[Path]:
    """Files of messages: the repository's own, and what an exchange really sent where that lies beside the checkout."""
    return RECORDINGS[request.param]


@pytest.fixture(scope="session")
def faults(tmp_path_factory) -> Path:
    """The library that makes system calls fail."""
    return build_library("faults", tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory) -> Path:
    return build_library("clock", tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock(clock_library, tmp_path) -> Clock:
    """The time of day of the programs that are given its environment."""
    return Clock(clock_library, tmp_path / "clock")
