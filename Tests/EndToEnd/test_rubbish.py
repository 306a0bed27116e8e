"""Whatever the other end sends, the feed goes on, says why, and loses nothing that came around it."""

import json
import socket
import threading

import pytest

from support.certificates import PAST, Authority
from support.exchange import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame
from support.ticks import combined


def start(tickwal, url, **environment):
    return tickwal.start(
        "run", BINANCE_WS_URL=url, STREAMS="a@trade", S3_WRITE="0", DYNAMO_WRITE="0", LOG_FORMAT="json", **environment
    )


def good(number: int) -> tuple[str, str]:
    return "a@trade", f'{{"e":"trade","E":{number},"s":"A","t":{number}}}'


def good_frame(number: int) -> bytes:
    return frame(TEXT, combined(*good(number)).encode())


def payloads(tickwal) -> list[str]:
    return [tick.payload for tick in tickwal.log.ticks()]


def wait_for(run, tickwal, count: int) -> None:
    run.wait_until(lambda: tickwal.log.head >= count, f"{count} ticks in the log")


def reasons(run) -> str:
    """What its log lines give as reasons."""
    lines = [json.loads(line) for line in run.err.splitlines() if line.startswith("{")]
    return "\n".join(str(line.get("reason", "")) for line in lines)


# Messages that are no ticks: the connection goes on.

DEEP = 100_000
MESSAGES = {
    "invalid UTF-8": b'{"stream":"a@trade","data":{"s":"\xff\xfe"}}',
    "UTF-8 cut short": b'{"stream":"a@trade","data":{"s":"\xe2\x82"}}',
    "a surrogate as UTF-8": b'{"stream":"a@trade","data":{"s":"\xed\xa0\x80"}}',
    "truncated": b'{"stream":"a@trade","data":{"e":"tra',
    "nesting that does not close": b'{"stream":"a@trade","data":{"x":' + b"[" * DEEP,
    "nesting alone": b"[" * DEEP,
    "an HTML page": b"<html><body>sign in</body></html>",
    "nothing": b"",
    "a NUL": b"\x00",
    "an unknown object": b'{"what":"is this"}',
    "a number": b"5",
    "a huge number alone": b"9" * 100_000,
}


def test_messages_that_are_no_ticks_are_kept_aside_and_the_connection_goes_on(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange.url)
    client = exchange.client()
    for number, message in enumerate(MESSAGES.values()):
        client.send_bytes(good_frame(number) + frame(TEXT, message))
    client.send_bytes(good_frame(len(MESSAGES)))
    wait_for(run, tickwal, len(MESSAGES) + 1)
    assert payloads(tickwal) == [good(number)[1] for number in range(len(MESSAGES) + 1)]
    run.wait_until(
        lambda: tickwal.log.value("select count(*) from dead_letters") == len(MESSAGES), "all are dead letters"
    )
    letters = tickwal.log.ask("select payload, cause from dead_letters where consumer = 'feed' order by id")
    assert [bytes(payload) for payload, _ in letters] == list(MESSAGES.values())
    assert all(cause for _, cause in letters)
    assert len(exchange.clients) == 1 and not client.is_closed
    assert "invalid JSON" in reasons(run)
    assert tickwal.log.value("select count(*) from gaps") == 0


def test_what_is_odd_but_valid_is_a_tick(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange.url)
    events = [
        '{"e":"neverSeenBefore","E":1,"s":"A","new":{"deep":[true]}}',
        '{"x":' + "[" * DEEP + "]" * DEEP + "}",
        '{"x":' + "9" * 100_000 + ',"y":1e999999,"E":99999999999999999999999}',
        '{"E":-1,"x":"\\ud800"}',
    ]
    for event in events:
        exchange.client().send(combined("a@trade", event).encode())
    # JSON is JSON, whatever kind of frame brings it.
    exchange.client().send_bytes(frame(BINARY, combined(*good(9)).encode()))
    wait_for(run, tickwal, len(events) + 1)
    assert payloads(tickwal) == [*events, good(9)[1]]


def test_an_array_of_nothing_is_a_few_dead_letters_and_the_next_tick_comes(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange.url)
    client = exchange.client()
    # The largest message that there is.
    for element in (b"1", b"{}"):
        count = ((16 << 20) - 2) // (len(element) + 1)
        client.send_bytes(frame(TEXT, b"[" + b",".join([element] * count) + b"]"))
    client.send_bytes(good_frame(1))
    wait_for(run, tickwal, 1)
    assert payloads(tickwal) == [good(1)[1]]
    run.wait_until(lambda: tickwal.log.value("select count(*) from dead_letters") == 202, "they are dead letters")
    causes = [cause for (cause,) in tickwal.log.ask("select cause from dead_letters where cause like '%more elements%'")]
    assert [cause.split()[0] for cause in causes] == ["8,388,507", "5,592,304"]
    assert tickwal.log.value("select count(*) from gaps") == 0
    assert len(exchange.clients) == 1 and not client.is_closed


def test_events_beyond_what_is_taken_of_a_message_are_a_gap(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange.url)
    client = exchange.client()
    client.send_bytes(frame(TEXT, b"[" + b",".join([good(1)[1].encode()] * 100_003) + b"]") + good_frame(2))
    wait_for(run, tickwal, 100_001)
    assert payloads(tickwal)[-1] == good(2)[1]
    [(cause, streams, detail, length, started)] = tickwal.log.ask(
        "select cause, streams, detail, ended_at - started_at, started_at from gaps"
    )
    assert (cause, streams, detail, length) == ("queue_full", '["a@trade"]', '{"events":3}', 1)
    assert started == tickwal.log.value("select received_at from ticks where offset = 1")
    assert "one message had more events than are taken of one" in run.err
    tickwal.succeed("verify")


def test_pings_that_wait_and_names_without_end_do_not_take_up_memory(tickwal, make_exchange):
    exchange = make_exchange()
    run = start(tickwal, exchange.url)
    client = exchange.client()
    long = b"n" * (4 << 20)
    for number in range(20):
        # A read's buffer is large after a large message; the ping is a view of it.
        client.send_bytes(frame(TEXT, b'{"stream":"' + long + b'%d","data":{}}' % number) + frame(PING, b"%d" % number))
    client.send_bytes(good_frame(1))
    wait_for(run, tickwal, 1)
    run.wait_until(lambda: b"19" in client.pongs, "the newest ping is answered")
    [cause] = {cause for (cause,) in tickwal.log.ask("select cause from dead_letters")}
    assert cause == "the stream's name has more than 2,048 bytes"
    peak = next(line for line in open(f"/proc/{run.pid}/status") if line.startswith("VmHWM"))
    assert int(peak.split()[1]) < 300_000, peak


# Frames that end a connection: with the right code, a gap and a new connection.


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


FRAMES = {
    # What is sent, the code of the client's answer, words of the reason that it logs.
    "masked": (b"\x81\x85\x01\x02\x03\x04abcde", 1002, "masked"),
    "reserved bit": (b"\xc1\x02{}", 1002, "bits of no agreed extension"),
    "reserved kind of data": (b"\x83\x00", 1002, "unknown kind"),
    "reserved kind of control": (b"\x8b\x00", 1002, "unknown kind"),
    "fragmented ping": (b"\x09\x01x", 1002, "control frame"),
    "ping of 126 bytes": (frame(PING, b"x" * 126), 1002, "control frame"),
    "fragment of nothing": (frame(CONTINUATION, b"x"), 1002, "fragment of no message"),
    "message inside a message": (frame(TEXT, b"{", final=False) + frame(TEXT, b"{}"), 1002, "inside another"),
    "message above 16 MiB": (b"\x81\x7f" + ((16 << 20) + 1).to_bytes(8, "big"), 1009, "larger than 16 MiB"),
    "length above 63 bits": (b"\x82\x7f" + b"\xff" * 8, 1009, "larger than 16 MiB"),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002, "invalid code"),
    "close with a reason that is no text": (closing(1000, b"\xff"), 1007, "not UTF-8"),
    "close without a code": (frame(CLOSE, b""), 0, "without a code"),
    **{f"close {code}": (closing(code, b"bye"), code, f"with code {code}: bye") for code in (1000, 1001, 1008, 1013, 3000, 4999)},
    **{f"close {code}": (closing(code), 1002, "invalid code") for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)},
    "half a frame, then the end": (b"\x81\x7e\x10\x00{", None, "without a word"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_that_break_the_protocol_end_the_connection_and_no_good_tick_is_lost(tickwal, make_exchange, name):
    sent, code, reason = FRAMES[name]
    exchange = make_exchange()
    run = start(tickwal, exchange.url)
    first = exchange.client(0)
    first.send_bytes(good_frame(1) + sent)
    if code is None:
        first.end_output()
    exchange.client(1).send_bytes(good_frame(2))
    wait_for(run, tickwal, 2)
    assert payloads(tickwal) == [good(1)[1], good(2)[1]]
    assert first.close_code == code
    assert reason in reasons(run)
    run.wait_until(
        lambda: tickwal.log.ask("select cause, ended_at is not null from gaps") == [("closed", 1)], "the gap is closed"
    )


# Answers to the upgrade.


def says(answer: bytes):
    return lambda connection, right: connection.sendall(answer)


def changed(old: bytes, new: bytes):
    return lambda connection, right: connection.sendall(right.replace(old, new))


def http(status: str, *headers: str, body: str = "") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", body]).encode()


PAGE = "<html><body>" + "Please sign in to the network. " * 200 + "</body></html>"
ANSWERS = {
    "301": (says(http("301 Moved", "Location: https://elsewhere/", "Content-Length: 0")), "301 and sends to https://elsewhere/"),
    "302 of a captive portal": (says(http("302 Found", "Location: http://portal/login", body=PAGE)), "302 and sends to http://portal/login"),
    "HTML page": (says(http("200 OK", "Content-Type: text/html", f"Content-Length: {len(PAGE)}", body=PAGE)), "200: <html>"),
    "chunked": (says(http("403 No", "Transfer-Encoding: chunked", body="2\r\nno\r\n0\r\n\r\n")), "403: 2  no"),
    "429": (says(http("429 Too Many", "Retry-After: 5", "Content-Length: 4", body="wait")), "429: wait"),
    "503 without a length": (says(http("503 Busy", body="busy")), "503: busy"),
    "wrong accept value": (changed(b"Sec-WebSocket-Accept: ", b"Sec-WebSocket-Accept: x"), "Sec-WebSocket-Accept"),
    "no accept value": (changed(b"Sec-WebSocket-Accept: ", b"X-Other: "), "Sec-WebSocket-Accept"),
    "no Upgrade header": (changed(b"Upgrade: websocket\r\n", b""), "does not upgrade"),
    "extension nobody offered": (changed(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), "not offered"),
    "protocol nobody offered": (changed(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"), "not offered"),
    "header name that is not ASCII": (changed(b"\r\n\r\n", b"\r\nPr\xc3\xa9nom: x\r\n\r\n"), "broken header"),
    "garbage before the answer": (changed(b"HTTP/1.1 101", b"\x00\xffHTTP/1.1 101"), "not HTTP"),
    "another protocol": (says(b"220 mail.example ESMTP\r\n"), "not HTTP: 220 mail.example"),
    "a server that speaks TLS": (says(b"\x15\x03\x01\x00\x02\x02\x46"), "wss://"),
    "endless head": (lambda connection, right: connection.sendall(right[:-2] + b"X: " + b"y" * 100_000), "larger than"),
    "half an answer": (lambda connection, right: connection.sendall(right[:40]), "without a complete answer"),
    "nothing": (lambda connection, right: None, "without a complete answer"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_upgrade_is_said_and_tried_again(tickwal, make_exchange, name):
    answer, reason = ANSWERS[name]
    exchange = make_exchange(first=[answer], greeting=good_frame(1) + good_frame(2))
    run = start(tickwal, exchange.url)
    # Right behind the 101 of the second attempt.
    wait_for(run, tickwal, 2)
    assert payloads(tickwal) == [good(1)[1], good(2)[1]]
    assert reason in reasons(run)
    run.wait_until(
        lambda: tickwal.log.ask("select cause, ended_at is not null from gaps") == [("refused", 1)], "the gap is closed"
    )


# Certificates.


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


def test_a_trusted_certificate_is_taken(tickwal, make_exchange, authority):
    exchange = make_exchange(greeting=good_frame(1), tls=authority.server())
    run = start(tickwal, exchange.url, FEED_CA_BUNDLE=str(authority.bundle))
    wait_for(run, tickwal, 1)


@pytest.mark.parametrize("kind", ["expired", "self-signed", "of another authority"])
def test_a_certificate_that_is_no_good_is_refused_and_said(tickwal, make_exchange, authority, tmp_path, kind):
    if kind == "expired":
        context = authority.server(period=PAST)
    elif kind == "self-signed":
        context = authority.self_signed()
    else:
        context = Authority(tmp_path / "other").server()
    exchange = make_exchange(greeting=good_frame(1), tls=context)
    run = start(tickwal, exchange.url, FEED_CA_BUNDLE=str(authority.bundle))
    run.wait_until(lambda: "certificate is not trusted" in reasons(run), "it says what is wrong with the certificate")
    assert exchange.clients == [] and tickwal.log.head == 0


def test_a_plain_server_spoken_to_with_tls_is_said(tickwal, authority):
    def answer_at_once():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1 << 16)
                connection.sendall(http("400 Bad Request", "Content-Length: 0"))
                connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer_at_once, daemon=True).start()
        run = start(tickwal, f"wss://127.0.0.1:{listener.getsockname()[1]}", FEED_CA_BUNDLE=str(authority.bundle))
        run.wait_until(lambda: "does not speak TLS" in reasons(run), "it says that the server does not speak TLS")
        # Closing alone would leave the thread in accept().
        listener.shutdown(socket.SHUT_RDWR)


def test_a_tls_server_spoken_to_without_is_said(tickwal, make_exchange, authority):
    exchange = make_exchange(tls=authority.server())
    run = start(tickwal, exchange.url.replace("wss:", "ws:"))
    # This server just ends the connection; one that sends an alert is among the answers above.
    run.wait_until_said("no connection to the exchange")
    assert reasons(run) and tickwal.log.head == 0
    run.wait_until(lambda: tickwal.log.ask("select cause from gaps") == [("refused",)], "a gap is open")
