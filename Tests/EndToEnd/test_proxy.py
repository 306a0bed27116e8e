"""TLS with a private root, through a proxy that wants a password."""

import base64
import ssl
import subprocess

import pytest

from support.ports import free_port
from support.gateway import CheckingGateway, Key
from support.ticks import combined, mini_tickers
from support.waiting import wait_until

PASSWORD = "hunter2.proxy"


@pytest.fixture
def certificate(tmp_path):
    """A certificate of its own for localhost: the path of certificate and key, and the server's side."""
    path, key = tmp_path / "root.pem", tmp_path / "credentials.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=test", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", path],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path, key)
    return path, context


@pytest.fixture
def gateway(ministack, certificate):
    between = CheckingGateway(ministack.port, tls=certificate[1])
    yield between
    between.stop()


@pytest.fixture
def proxy(tmp_path_factory):
    """tinyproxy with a password: its port and where it writes."""
    folder, port = tmp_path_factory.mktemp("tinyproxy"), free_port()
    settings, log = folder / "credentials-tinyproxy.conf", folder / "tinyproxy.log"
    settings.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{log}"\nLogLevel Info\nAllow 127.0.0.1\n'
        f"BasicAuth shipper {PASSWORD}\n"
    )
    process = subprocess.Popen(["tinyproxy", "-d", "-c", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: log.exists() and "Accepting connections" in log.read_text(), "tinyproxy is up", 20)
    yield port, log
    process.terminate()
    process.wait(20)


def test_everything_goes_through_the_proxy(tickwal, make_place, make_exchange, gateway, certificate, proxy, secrets):
    secrets += [PASSWORD, "hunter2%2Eproxy", base64.b64encode(f"shipper:{PASSWORD}".encode()).decode()]
    place = make_place("btcusdt@miniTicker")
    gateway.know(Key(place.keys.id, place.keys.secret))
    port, log = proxy
    exchange = make_exchange()
    environment = place.environment(gateway.url) | {
        "HTTPS_PROXY": f"http://shipper:hunter2%2Eproxy@127.0.0.1:{port}", "AWS_CA_BUNDLE": str(certificate[0]),
        "LOG_LEVEL": "trace",
    }
    run = tickwal.start("run", BINANCE_WS_URL=exchange.url, **environment)
    for tick in mini_tickers(50):
        exchange.client().send(combined(*tick).encode())
    run.wait_until(lambda: tickwal.log.is_shipped(50), "all is shipped")
    run.terminate()
    assert gateway.complaints == []
    assert f"CONNECT localhost:{gateway.port}" in log.read_text()
    shown = tickwal.succeed("config", **environment).out.decode()
    assert f"http://***@127.0.0.1:{port}" in shown


def test_a_wrong_password_and_an_unknown_root_are_named(
    tickwal, make_place, simulate, gateway, certificate, proxy, secrets
):
    secrets += ["wrongword"]
    place = make_place("btcusdt@miniTicker")
    environment = place.environment(gateway.url) | {"BINANCE_WS_URL": simulate()}
    refused = tickwal.run_to_end(
        "doctor", HTTPS_PROXY=f"http://shipper:wrongword@127.0.0.1:{proxy[0]}", AWS_CA_BUNDLE=str(certificate[0]),
        **environment,
    )
    assert refused.code == 1 and b"CONNECT tunnel failed" in refused.out
    unknown = tickwal.run_to_end("doctor", **environment)
    assert unknown.code == 1 and b"TLS failed" in unknown.out
    named = tickwal.run_to_end(
        "doctor", AWS_CA_BUNDLE=str(certificate[0]),
        **(environment | {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{gateway.port}"}),
    )
    assert named.code == 1 and b"TLS failed" in named.out
    assert gateway.seen == []


def test_no_proxy_is_obeyed(tickwal, make_place, gateway, certificate, proxy, simulate):
    place = make_place("btcusdt@miniTicker")
    gateway.know(Key(place.keys.id, place.keys.secret))
    port, log = proxy
    tickwal.succeed(
        "doctor", HTTPS_PROXY=f"http://127.0.0.1:{port}", NO_PROXY="localhost,example.com",
        AWS_CA_BUNDLE=str(certificate[0]), BINANCE_WS_URL=simulate(), **place.environment(gateway.url),
    )
    assert gateway.seen and "CONNECT" not in log.read_text()


def test_the_roots_of_a_profile_are_trusted(tickwal, make_place, gateway, certificate, simulate, tmp_path):
    place = make_place("btcusdt@miniTicker")
    gateway.know(Key(place.keys.id, place.keys.secret))
    config = tmp_path / "config"
    config.write_text(f"[default]\nca_bundle = {certificate[0]}\n")
    environment = place.environment(gateway.url) | {"AWS_CONFIG_FILE": str(config), "BINANCE_WS_URL": simulate()}
    tickwal.succeed("doctor", **environment)
    # The variable comes first, as for AWS's own tools.
    other = tickwal.run_to_end("doctor", AWS_CA_BUNDLE="/etc/ssl/certs/ca-certificates.crt", **environment)
    assert other.code == 1 and b"TLS failed" in other.out
    config.write_text("[default]\nca_bundle = /nowhere/roots.pem\n")
    missing = tickwal.run_to_end("doctor", **environment)
    assert b"ca_bundle of profile default is '/nowhere/roots.pem'" in missing.out + missing.err.encode()
    assert missing.code in (1, 78)
