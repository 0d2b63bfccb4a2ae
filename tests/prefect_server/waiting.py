"""Waits for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found | None], what: str, within_s: float = 60) -> Found:
    """What the condition gives once that is true.

    Raises:
        AssertionError: it did not become true in time; says what was waited for.
    """
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.1)
    return found
