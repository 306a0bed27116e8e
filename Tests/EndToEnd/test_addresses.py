"""Of several addresses of the exchange's name the feed finds one that works."""

import socket
import subprocess
import threading

import pytest

NAME = "exchange.example"
BAD, GOOD = "127.0.0.2", "127.0.0.3"
WITH_HOSTS = 'mount --make-rprivate / && mount --bind "$0" /etc/hosts && exec "$@"'
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def named(tickwal, tmp_path):
    """The program, for which the exchange's name has two addresses; of others it knows none."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{BAD} {NAME}\n{GOOD} {NAME}\n")
    before = ("unshare", "-m", "sh", "-c", WITH_HOSTS, str(hosts))
    done = subprocess.run([*before, "getent", "ahostsv4", NAME], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no mount namespace with a hosts file of its own: {done.stderr.strip()}")
    addresses = [line.split()[0] for line in done.stdout.splitlines() if "STREAM" in line]
    assert addresses == [BAD, GOOD], "the bad one is tried first"
    tickwal.before = before
    return tickwal


class BadServer:
    """At the bad address: takes connections and says nothing, or the same to each."""

    def __init__(self, port: int, answer: bytes | None = None, takes: bool = True):
        self.asked = 0
        self._listener = socket.create_server((BAD, port), backlog=0)
        self._answer, self._open = answer, []
        if takes:
            threading.Thread(target=self._serve, daemon=True).start()
        else:
            self._fill(port)

    def _fill(self, port: int) -> None:
        """With as many as wait to be taken, the kernel drops what further ones send."""
        for _ in range(2):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((BAD, port))
            self._open.append(client)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.asked += 1
            self._open.append(connection)
            if self._answer:
                connection.recv(65_536)
                connection.sendall(self._answer)

    def stop(self) -> None:
        for connection in self._open:
            connection.close()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        finally:
            self._listener.close()


def start(named, make_market):
    market = make_market("--listen", f"{GOOD}:0", "--rate", "50")
    port = int(market.url.rsplit(":", 1)[1])
    return market, port


def run(named, port):
    return named.start(
        "run", BINANCE_WS_URL=f"ws://{NAME}:{port}", STREAMS="btcusdt@trade", S3_WRITE="0", DYNAMO_WRITE="0")


def expect_ticks(named, process) -> None:
    process.wait_until(lambda: named.log.head > 0, "ticks by the good address")
    process.wait_until_said("connected to the exchange")
    [line] = [line for line in process.err.splitlines() if "connected to the exchange" in line]
    assert f"address={GOOD}" in line
    assert process.terminate().code == 0


@pytest.mark.parametrize("takes", [None, False], ids=["refuses", "does not answer TCP"])
def test_an_address_without_a_server_costs_no_attempt(named, make_market, takes):
    _, port = start(named, make_market)
    bad = None if takes is None else BadServer(port, takes=takes)
    process = run(named, port)
    expect_ticks(named, process)
    assert "no connection to the exchange" not in process.err
    # Before the first tick nothing was there, and that is all.
    assert [cause for cause, in named.log.ask("select cause from gaps")] == ["shutdown"]
    if bad:
        bad.stop()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(UNAVAILABLE, "503"), (None, "not open after 30 s, still waiting for the answer to the upgrade")],
    ids=["503", "hangs"],
)
def test_an_address_that_takes_connections_and_serves_none_is_left_out(named, make_market, answer, reason):
    _, port = start(named, make_market)
    bad = BadServer(port, answer)
    process = run(named, port)
    expect_ticks(named, process)
    [line] = [line for line in process.err.splitlines() if "no connection to the exchange" in line]
    assert reason in line and f"address={BAD}" in line
    # The one that failed is not asked again as long as the other works.
    assert bad.asked == 1
    bad.stop()
