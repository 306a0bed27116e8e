"""Ports for servers that must be told one."""

import contextlib
import random
import socket
from pathlib import Path

_dice = random.SystemRandom()


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Ports that differ from one another.

    Drawn from below those that the system gives to connections and to servers that name none: tests run at the
    same time, and such a port might be taken again before its server listens.
    """
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert lowest > 20_000, "the system gives away every port"
    found: list[int] = []
    while len(found) < count:
        port = _dice.randrange(10_000, lowest)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found
