"""A relay in front of MiniStack that can be shut, stalled and opened again, and that remembers requests."""

import selectors
import socket
import threading
from dataclasses import dataclass

from .delivery import is_batch


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    target: str
    """The operation, for services that name it in a header: `DynamoDB_20120810.UpdateItem`."""


class _RequestReader:
    """Finds the requests in what a client sends over one connection."""

    def __init__(self, found: list[Request]):
        self._found = found
        self._buffer = b""
        self._body_left = 0

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer:
            if self._body_left:
                taken = min(self._body_left, len(self._buffer))
                self._buffer = self._buffer[taken:]
                self._body_left -= taken
                continue
            head, mark, rest = self._buffer.partition(b"\r\n\r\n")
            if not mark:
                return
            self._buffer = rest
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            assert "transfer-encoding" not in headers, "the relay does not follow chunked requests"
            self._body_left = int(headers.get("content-length", 0))
            method, path, _ = lines[0].split(" ", 2)
            self._found.append(Request(method, path, headers.get("x-amz-target", "")))


class Relay:
    """Passes bytes both ways on one thread. `shut` refuses and breaks connections; `stall` keeps them but
    passes nothing on."""

    def __init__(self, port: int):
        self._target = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._readers: dict[socket.socket, _RequestReader] = {}
        self.requests: list[Request] = []
        self.refused = 0
        self._is_open, self._is_ending = True, False
        self._is_flowing = threading.Event()
        self._is_flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def shut(self) -> None:
        with self._lock:
            self._is_open = False
            for connection in list(self._pairs):
                self._drop(connection)

    def open(self) -> None:
        with self._lock:
            self._is_open = True
        self._is_flowing.set()

    def stall(self) -> None:
        self._is_flowing.clear()

    def stop(self) -> None:
        self._is_ending = True
        self._thread.join()
        self.shut()
        self._listener.close()
        self._selector.close()

    def count(self, operation: str) -> int:
        """Requests of an operation (`UpdateItem`) or of a method on keys (`PUT …`), the marker's and the gaps' excluded."""
        return sum(
            request.target.endswith("." + operation)
            or (request.method == operation and is_batch(request.path) and not request.target)
            for request in list(self.requests)
        )

    def _serve(self) -> None:
        while not self._is_ending:
            if not self._is_flowing.wait(timeout=0.05):
                continue
            for key, _ in self._selector.select(timeout=0.05):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._pairs:
                        self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if not self._is_open:
            self.refused += 1
            client.close()
            return
        server = socket.create_connection(self._target)
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)
        self._readers[client] = _RequestReader(self.requests)

    def _pass_on(self, source: socket.socket) -> None:
        try:
            data = source.recv(1 << 16)
            if data and source in self._readers:
                self._readers[source].feed(data)
            if data:
                self._pairs[source].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(source)

    def _drop(self, connection: socket.socket) -> None:
        other = self._pairs.pop(connection, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        for end in (connection, other):
            self._readers.pop(end, None)
            self._selector.unregister(end)
            end.close()
