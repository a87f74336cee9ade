"""Waiting with a deadline instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")


def until(look: Callable[[], _Value], what: str, seconds: float = 10.0) -> _Value:
    """Look again and again until there is something to see; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        # Whoever gets no CPU for so long still looks once more.
        is_late = time.monotonic() > deadline
        value = look()
        if value:
            return value
        if is_late:
            raise AssertionError(f"after {seconds} s still not so: {what}")
        time.sleep(0.01)
