"""Waiting with a deadline instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")
_LOOKS = 10


def until(look: Callable[[], _Value], what: str, seconds: float = 10.0) -> _Value:
    """Look again and again until there is something to see; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    looks = 0
    while True:
        # A machine that stands still for so long needs a moment afterwards, as its kernel does.
        is_late = time.monotonic() > deadline and looks >= _LOOKS
        looks += 1
        value = look()
        if value:
            return value
        if is_late:
            raise AssertionError(f"after {seconds} s still not so: {what}")
        time.sleep(0.01)
