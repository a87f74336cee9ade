"""Time as an argument: what needs to know the time takes a `Clock`."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of monotonic time."""

    def now(self) -> int:
        """Return nanoseconds since an arbitrary fixed point (CLOCK_MONOTONIC)."""


class MonotonicClock:
    """The machine's own clock; the same one that BPF's `bpf_ktime_get_ns` reads."""

    def now(self) -> int:
        return time.monotonic_ns()


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, start: int = 0) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def advance(self, nanoseconds: int) -> None:
        """Move forward by `nanoseconds`, which must not be negative."""
        if nanoseconds < 0:
            raise ValueError("time does not run backwards")
        self._now += nanoseconds
