"""Few open files are allowed: what cannot work is refused, and the rest goes on with fewer connections."""

import resource
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.ticks import combined, mini_tickers

COUNT = 1_000


def allowed(files: int):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


class SlowTable:
    """Takes every item, each after a while, and counts connections."""

    def __init__(self):
        table = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                with table.lock:
                    table.connections += 1
                    table.most = max(table.most, table.connections)

            def finish(self):
                with table.lock:
                    table.connections -= 1
                super().finish()

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                table.ending.wait(0.2)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("x-amz-crc32", "2745614147")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.lock, self.ending = threading.Lock(), threading.Event()
        self.connections = self.most = 0
        ThreadingHTTPServer.request_queue_size = 1_024
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def table():
    slow = SlowTable()
    yield slow
    slow.stop()


@pytest.fixture
def settings(tickwal, table, secrets):
    secrets.append("fewfilessecretkey")
    file = tickwal.folder / "ticks.jsonl"
    file.write_text("".join(combined(*tick) + "\n" for tick in mini_tickers(COUNT)))
    tickwal.succeed("import", file)
    return {
        "STREAMS": "a@miniTicker", "S3_WRITE": "0", "DYNAMO_CONCURRENCY": "300",
        "AWS_ENDPOINT_URL_DYNAMODB": table.url, "AWS_ACCESS_KEY_ID": "AKIAFEWFILES",
        "AWS_SECRET_ACCESS_KEY": "fewfilessecretkey",
    }


@pytest.mark.parametrize("files", [64, 256])
def test_delivery_goes_on_with_the_connections_that_are_left(tickwal, make_exchange, settings, table, files):
    run = tickwal.start("run", prepare=allowed(files), BINANCE_WS_URL=make_exchange().url, **settings)
    run.wait_until(lambda: tickwal.log.next_offsets().get("dynamodb") == COUNT + 1, "all is delivered")
    assert "fewer connections to AWS" in run.err and f"limit={files}" in run.err
    assert 1 <= table.most < files
    assert run.terminate().code == 0
    assert "could not deliver" not in run.err, run.err


def test_what_cannot_work_is_refused_by_name(tickwal, make_exchange, settings):
    ended = tickwal.start("run", prepare=allowed(24), BINANCE_WS_URL=make_exchange().url, **settings).end()
    assert ended.code == 78, ended.err
    assert "tickwal: RLIMIT_NOFILE is '24' (the limit of open files) but must be at least" in ended.err
    assert "ulimit -n" in ended.err and "LimitNOFILE=" in ended.err


def test_the_soft_limit_is_raised_to_the_hard_one(tickwal, make_exchange):
    def soft():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4_096))

    run = tickwal.start(
        "run", prepare=soft, BINANCE_WS_URL=make_exchange().url, STREAMS="a@miniTicker", S3_WRITE="0", DYNAMO_WRITE="0"
    )
    run.wait_until_said("connected to the exchange")
    assert resource.prlimit(run.pid, resource.RLIMIT_NOFILE) == (4_096, 4_096)


@pytest.mark.parametrize("arguments", [["status"], ["verify"], ["config"], ["simulate", "--listen", "127.0.0.1:0"]])
@pytest.mark.parametrize("files", [8, 20, 32])
def test_other_commands_end_with_words_and_not_by_a_crash(tickwal, settings, arguments, files):
    command = tickwal.start(*arguments, prepare=allowed(files), **settings)
    if arguments[0] == "simulate":
        command.wait_until(lambda: command.out or not command.is_running, "it serves or has ended")
        if command.is_running:
            assert command.terminate().code == 0
            return
    ended = command.end()
    assert ended.code in (0, 1, 74, 78), ended.err
    # A log without a process is not healthy, which `status` says with 1.
    if not ended.out.startswith(b"not healthy"):
        assert ended.code == 0 or "EMFILE" in ended.err or "RLIMIT_NOFILE" in ended.err, ended.err
