"""An exchange under the test's control: a WebSocket server that sends exactly what it is told to."""

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable

from .waiting import wait_until

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    first = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        return first + bytes([len(payload)]) + payload
    if len(payload) < 1 << 16:
        return first + b"\x7e" + struct.pack(">H", len(payload)) + payload
    return first + b"\x7f" + struct.pack(">Q", len(payload)) + payload


class Client:
    """One connection, after its upgrade."""

    def __init__(self, connection: socket.socket, path: str):
        self._connection = connection
        self.path = path
        self.pongs: list[bytes] = []
        self.close_code: int | None = None
        """What the client said when it closed the connection; 0 if it gave no code."""
        self.is_closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, message: bytes, pieces: int = 1) -> None:
        """A text message, in one frame or several."""
        size = -(-len(message) // pieces)
        parts = [message[start : start + size] for start in range(0, len(message), size)]
        for index, part in enumerate(parts):
            opcode = TEXT if index == 0 else CONTINUATION
            self._connection.sendall(frame(opcode, part, final=index == len(parts) - 1))

    def send_bytes(self, data: bytes) -> None:
        """Whatever this is, on the wire as it is."""
        self._connection.sendall(data)

    def ping(self, payload: bytes) -> None:
        self._connection.sendall(frame(PING, payload))

    def end_output(self) -> None:
        """Sends a FIN; reads on."""
        self._connection.shutdown(socket.SHUT_WR)

    def drop(self) -> None:
        """Ends the connection without a word."""
        self._connection.shutdown(socket.SHUT_RDWR)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._connection.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def _read(self) -> None:
        try:
            while True:
                first, second = self._exactly(2)
                assert second & 0x80, "a client must mask its frames"
                length = second & 0x7F
                if length == 126:
                    [length] = struct.unpack(">H", self._exactly(2))
                elif length == 127:
                    [length] = struct.unpack(">Q", self._exactly(8))
                mask = self._exactly(4)
                payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self._exactly(length)))
                if first & 0xF == PONG:
                    self.pongs.append(payload)
                elif first & 0xF == CLOSE:
                    self.close_code = struct.unpack(">H", payload[:2])[0] if payload else 0
                    self._connection.sendall(frame(CLOSE, payload))
                    break
        except OSError:
            pass
        self.is_closed = True
        self._connection.close()


Answer = Callable[[socket.socket, bytes], None]
"""Gets the connection and the right answer to the request for an upgrade, and does something else with them."""


class Exchange:
    """Listens on loopback; `greeting` goes out in the same packet as the answer to the upgrade.

    The first connections get what `first` says in place of the upgrade, then they are closed.
    """

    def __init__(self, greeting: bytes = b"", first: list[Answer] | None = None, tls: ssl.SSLContext | None = None):
        self.greeting = greeting
        self._first = list(first or [])
        self._tls = tls
        self.clients: list[Client] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'wss' if tls else 'ws'}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def client(self, number: int = 0, seconds: float = 60) -> Client:
        """The client that connected as the n-th."""
        wait_until(lambda: len(self.clients) > number, f"client {number} has connected", seconds)
        return self.clients[number]

    def stop(self) -> None:
        # Closing alone would leave the thread in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for client in self.clients:
            with contextlib.suppress(OSError):  # It may end at any moment.
                if not client.is_closed:
                    client.drop()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                self._serve(connection)
            except OSError:
                # The client has gone, or does not like the certificate.
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = connection.recv(1)
            if not more:
                connection.close()
                return
            head += more
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        accept = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode())
        answer = (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {base64.b64encode(accept.digest()).decode()}\r\n\r\n"
        ).encode()
        if self._first:
            self._first.pop(0)(connection, answer)
            connection.close()
            return
        connection.sendall(answer + self.greeting)
        self.clients.append(Client(connection, lines[0].split(" ")[1]))
