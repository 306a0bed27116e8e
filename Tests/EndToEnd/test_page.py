"""The status page in a browser: what is so, without scripts as well, and never old data as if it were of now."""

import contextlib
import json
import struct
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.browser import Look, without_scripts
from support.http import address_of, get, ready, say

HOSTILE = "<img src=x onerror=alert(1)>"


@contextlib.contextmanager
def another_way(address: str, change):
    """A way to the server on which answers to what the page asks for are changed; None is none."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = get(address, self.path)
            if self.path.startswith("/api/"):
                body = change(json.loads(body))
                if body is None:
                    return self.send_error(502)
                body = json.dumps(body)
            self.send_response(status)
            if self.path == "/":
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", policy_of(address))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def head_of(address: str) -> str:
    return say(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").split(b"\r\n\r\n")[0].decode()


def policy_of(address: str) -> str:
    name = "Content-Security-Policy: "
    return next(line for line in head_of(address).splitlines() if line.startswith(name)).removeprefix(name)


def hostile(document: dict) -> dict:
    """All that may come from outside has markup in it."""
    if "problems" in document:
        document["problems"] = [{"part": HOSTILE, "since": 1, "what": HOSTILE, "advice": HOSTILE, "ready": True}]
        document["healthy"] = False
        document["feed"]["refused"] = {"count": 1, "names": [HOSTILE]}
        document["consumers"][0] |= {"destination": HOSTILE, "held": {"since": 1, "why": HOSTILE}}
    else:
        gap = {"id": 1, "started_at": document["now"] - 9_000_000, "ended_at": None, "cause": HOSTILE}
        document["gaps"] = [gap | {"stream_count": 1, "streams": [HOSTILE]}]
        document["objects"] = [{"consumer": HOSTILE, "key": HOSTILE, "bytes": 1, "confirmed_at": document["now"]}]
    return document


def test_the_page_says_how_it_is_and_since_when_and_when_it_does_not_know(tickwal, make_market):
    market = make_market("--rate", "100")
    run = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=market.url, STREAMS="btcusdt@miniTicker,btcusdt@trade",
        HTTP_LISTEN="127.0.0.1:0", MAX_BATCH_TIMEOUT="1")
    address = address_of(run)
    run.wait_until(
        lambda: ready(address)[0] == 200 and '"healthy":true' in get(address, "/api/status")[1]
        and '"key"' in get(address, "/api/history")[1], "all is well, and an object is there")

    head, policy = head_of(address), policy_of(address)
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "nosniff" in head and "X-Frame-Options: DENY" in head

    well = Look(address)
    assert (well.state, well.text("headline")) == ("well", "All is well")
    assert "eed is connected for" in well.text("summary") and "connected since" in well.text("feed")
    assert any(chart.startswith("Ticks behind, last hour: now ") for chart in well.charts), well.charts
    assert "miniticker-" in well.dom and "0 of local" not in well.text("more")
    # Nothing is blocked by the policy, and nobody else is asked.
    assert well.console == []
    assert {f"http://{address}/api/status", f"http://{address}/api/history"} <= well.asked
    assert all(url.startswith((f"http://{address}/", "data:")) for url in well.asked), well.asked

    words = without_scripts(address)
    assert 'data-state="well"' in words and "All is well" in words and "In words" in words
    # Markup, as it is for those without scripts, and not the text inside noscript.
    assert '<pre tabindex="0">healthy\n' in words and "connected since" in words and "<svg" not in words.split("<script")[0]

    with another_way(address, hostile) as elsewhere:
        attacked = Look(elsewhere)
    assert attacked.state == "trouble" and attacked.dom.count("&lt;img src=x") >= 9, attacked.dom
    assert "<img" not in attacked.dom and attacked.console == []

    with another_way(address, lambda document: None) as elsewhere:
        blind = Look(elsewhere)
    assert (blind.state, blind.text("headline")) == ("unknown", "No answer from tickwal")
    assert "it answers with HTTP 502" in blind.dom and "Nothing is known since " in blind.text("summary")
    assert "how it was then" in blind.text("summary") and blind.text("announce").startswith("No answer")

    market.stop()
    run.wait_until(lambda: '"healthy":false' in get(address, "/api/status")[1], "the feed is cut")
    cut = Look(address)
    assert cut.state == "trouble" and cut.text("headline") == "1 problem" and cut.text("announce") == "1 problem: feed"
    assert "not connected to the exchange" in cut.text("problems") and "since 20" not in cut.text("announce")
    assert "see the messages for the reason" in cut.text("problems")
    assert "data-state=\"trouble\"" in get(address, "/")[1] and "not connected to the exchange" in get(address, "/")[1]
    run.terminate()


def shown(picture) -> tuple[int, int]:
    """Width and height, of a PNG that is not of one colour: that packs into next to nothing."""
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) > 20_000, (picture, len(data))
    return struct.unpack(">II", data[16:24])


def corner(picture) -> int:
    """How bright a PNG is in its upper left corner, 0 to 255: there is no pixel before it that it could be told by."""
    data, packed, at = picture.read_bytes(), b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return max(zlib.decompress(packed)[1:4])


def filling(document: dict) -> dict:
    """A volume that has lost 20 MB a second for half an hour."""
    if "problems" in document:
        return document | {"disk": "low"}
    room = document["volume"]["size_bytes"] // 10 + 1_000_000
    document["volume"]["available_bytes"] = room
    document["samples"]["available_bytes"] = [room + back * 200_000_000 for back in range(180, 0, -1)]
    return document | {"seconds_until_full": room / 20_000_000}


def test_each_state_is_shown_on_each_screen(tickwal, make_market, make_exchange, tmp_path):
    """Destinations down, a volume that fills, a phone, a dark screen, a first start; pictures are in the test's folder."""
    market = make_market("--rate", "50")
    run = tickwal.start(
        "run", BINANCE_WS_URL=market.url, STREAMS="btcusdt@miniTicker,btcusdt@trade", HTTP_LISTEN="127.0.0.1:0",
        AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y")
    address = address_of(run)
    run.wait_until(
        lambda: get(address, "/api/status")[1].count("deliveries fail") == 2
        and '"volume":{' in get(address, "/api/history")[1], "both destinations fail, and the volume was looked at")
    pictures = {name: tmp_path / f"{name}.png" for name in ("aws-down", "disk", "phone", "dark", "first-start")}

    down = Look(address, pictures["aws-down"])
    assert (down.state, down.text("headline")) == ("trouble", "2 problems")
    for part in ("dynamodb", "s3", "ECONNREFUSED", "everything is tried again until it works"):
        assert part in down.text("problems"), part
    # Nobody knows in the first minutes, so it does not say that all is well with it.
    assert "known ten minutes after the start" in down.text("disk")

    with another_way(address, filling) as elsewhere:
        full = Look(elsewhere, pictures["disk"])
    assert "(10 %)" in full.text("disk") and "As the last hour went, it is full in " in full.text("disk")
    assert 'class="bar bad"' in full.dom and "low" in full.text("files")

    phone = Look(address, pictures["phone"], size="390,3000")
    dark = Look(address, pictures["dark"], dark=True)
    assert phone.state == dark.state == "trouble"
    assert [shown(pictures[name])[0] for name in ("aws-down", "phone")] == [1200, 390]
    assert corner(pictures["aws-down"]) > 200 and corner(pictures["dark"]) < 60
    assert {line for look in (down, full, phone, dark) for line in look.console} == set()
    run.terminate()

    exchange = make_exchange()
    first = tickwal.start(
        "run", "--local", tickwal.folder, BINANCE_WS_URL=exchange.url, STREAMS="a@trade", HTTP_LISTEN="127.0.0.1:0",
        WAL_PATH=str(tickwal.folder / "new.db"))
    address = address_of(first)
    exchange.client(0)
    first.wait_until(lambda: ready(address)[0] == 200, "it is ready")
    new = Look(address, pictures["first-start"])
    assert (new.state, new.text("headline")) == ("well", "All is well")
    assert "no tick has come yet" in new.text("summary") and "never" in new.text("feed") and "none" in new.text("files")
    assert all(shown(picture) for picture in pictures.values())
    first.terminate()
