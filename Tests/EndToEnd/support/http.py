"""What an operator's tools see over HTTP."""

import json
import re
import socket
import urllib.error
import urllib.request


def address_of(run) -> str:
    """Where a `run` with HTTP_LISTEN=:0 says that it listens."""
    pattern = r"served over HTTP.*?address=\"?(127\.0\.0\.1:\d+)"
    run.wait_until(lambda: re.search(pattern, run.err), "HTTP is served")
    return re.search(pattern, run.err).group(1)


def get(address: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and body."""
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def say(address: str, text: bytes) -> bytes:
    """Sends bytes as they are, and gives all that comes back."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        answer = b""
        try:
            client.sendall(text)
            while part := client.recv(65536):
                answer += part
        except ConnectionError:
            pass
        return answer


class Scrape:
    """The samples of one scrape, by name and labels as they are written."""

    def __init__(self, address: str):
        status, self.text = get(address, "/metrics")
        assert status == 200, self.text
        lines = [line for line in self.text.splitlines() if not line.startswith("#")]
        self.samples = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}
        self.names = set(re.findall(r"^# TYPE (\S+)", self.text, re.MULTILINE))

    def __getitem__(self, name: str) -> float:
        return self.samples[f"tickwal_{name}"]

    def total(self, name: str) -> float:
        """Over all labels."""
        return sum(value for key, value in self.samples.items() if key.split("{")[0] == f"tickwal_{name}")


def ready(address: str) -> tuple[int, dict]:
    status, body = get(address, "/readyz")
    return status, json.loads(body)


def wait_for(run, address: str, what: str, is_so) -> "Scrape":
    """Scrapes until something is so."""
    found: list[Scrape] = []

    def look() -> bool:
        found[:] = [Scrape(address)]
        return is_so(found[0])

    run.wait_until(look, what)
    return found[0]
