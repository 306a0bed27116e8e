"""A service manager as far as a process sees it: the socket at which it is told how it goes."""

import socket


class Manager:
    """A stand-in for systemd. `address` is what NOTIFY_SOCKET says."""

    def __init__(self, address: str):
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)
        self._told: list[str] = []

    @property
    def told(self) -> list[str]:
        """All messages until now, each with its lines."""
        while True:
            try:
                self._told.append(self._socket.recv(65_536).decode())
            except BlockingIOError:
                return self._told

    def wait_until_told(self, run, beginning: str, after: int = 0) -> int:
        """Waits for a message that begins so, from a place on, and gives the place behind it."""

        def place():
            found = [n for n, text in enumerate(self.told[after:], after) if text.startswith(beginning)]
            return found[0] + 1 if found else None

        return run.wait_until(place, f"the service manager is told '{beginning}'")

    def close(self) -> None:
        self._socket.close()

