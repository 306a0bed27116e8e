"""Waiting for what another process does: polling, always with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")


def wait_until(
    question: Callable[[], Value], what: str, seconds: float = 60, check: Callable[[], None] = lambda: None
) -> Value:
    """The first true answer. `check` may raise to end a wait that has become pointless."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        check()
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:g} s still not: {what} (last answer: {answer!r})")
        time.sleep(0.05)
