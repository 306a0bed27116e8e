"""A stand-in exchange that sends as a real one does: messages in bursts, at an even rate, from a thread of its own."""

import base64
import hashlib
import socket
import threading
import time

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT_FRAME, LENGTH_IN_TWO_BYTES = 0x81, 126


def frame(message):
    return bytes([TEXT_FRAME, LENGTH_IN_TWO_BYTES]) + len(message).to_bytes(2, "big") + message


class Bursts:
    """Serves one client after the other on loopback, over and over the same messages of 126 to 65,535 bytes."""

    def __init__(self, messages, rate, burst):
        self._frames = [frame(message) for message in messages]
        self._rate, self._burst = rate, burst
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_ending = threading.Event()
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_ending.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _run(self):
        while not self._is_ending.is_set():
            try:
                client, _ = self._listener.accept()
                with client:
                    self._serve(client)
            except OSError:
                # The client has gone, or the end has come.
                continue

    def _serve(self, client):
        request = b""
        while b"\r\n\r\n" not in request:
            received = client.recv(65_536)
            if not received:
                return
            request += received
        lines = request.split(b"\r\n")
        [key] = [line.split(b":", 1)[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key")]
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest())
        client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began, sent = time.monotonic(), 0
        while not self._is_ending.is_set():
            client.sendall(b"".join(self._frames[(sent + place) % len(self._frames)] for place in range(self._burst)))
            sent += self._burst
            self._is_ending.wait(max(0.0, began + sent / self._rate - time.monotonic()))
