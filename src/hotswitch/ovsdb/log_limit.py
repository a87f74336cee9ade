"""Fewer lines in the log when the same thing happens all the time."""

from __future__ import annotations

unlimited: set[str] = set()
"""Loggers by name whose messages are all let through; of the whole process, as their levels are."""


class LogLimit:
    """Lets `count` messages through in each `period` of seconds, and counts the others.

    logger: the name of the one that they go to.
    """

    def __init__(self, count: int = 10, period: float = 60.0, *, logger: str = "") -> None:
        self._count = count
        self._period = period
        self._logger = logger
        self._since = float("-inf")
        self._passed = 0
        self._suppressed = 0

    def passes(self, now: float) -> bool:
        """Whether to log a message at this time."""
        if self._logger in unlimited:
            return True
        if now - self._since >= self._period:
            self._since, self._passed = now, 0
        self._passed += 1
        if self._passed > self._count:
            self._suppressed += 1
            return False
        return True

    def suppressed(self) -> int:
        """Return how many messages were not logged since this was asked the last time."""
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
