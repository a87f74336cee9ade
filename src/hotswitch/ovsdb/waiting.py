"""Transactions whose `wait` is not satisfied yet: tried again after each commit, and in the end
when their time is up (RFC 7047 section 5.2.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hotswitch.ovsdb.storage import Storage


@dataclass(eq=False, slots=True)
class Waiter:
    """One transaction that waits.

    retry: executes it again; returns the milliseconds that it may wait in all, None for ever, or
    a negative number if it is done.
    cancel: tells its client that it won't be done.
    started: the clock's time at the first try.
    """

    storage: Storage
    retry: Callable[[], int | None]
    cancel: Callable[[], None]
    started: int
    timeout: int | None = field(default=None)

    @property
    def deadline(self) -> int | None:
        """When it is to be tried a last time, in the clock's nanoseconds."""
        return None if self.timeout is None else self.started + self.timeout * 1_000_000


class Waiters:
    """All transactions that wait, in the order in which they came.

    added: called when there is one more, so that a timer can be set for it.
    """

    def __init__(self) -> None:
        self.added: Callable[[], None] = lambda: None
        self._waiters: dict[Waiter, None] = {}
        self._retrying = False
        self._again: dict[Storage, None] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, waiter: Waiter) -> None:
        """Keep a transaction that has been tried."""
        self._waiters[waiter] = None
        self.added()

    def remove(self, waiter: Waiter) -> None:
        """Forget a transaction, if it is still there."""
        self._waiters.pop(waiter, None)

    def on(self, storage: Storage) -> Iterator[Waiter]:
        """Yield those that wait for a change of this database."""
        return iter([each for each in self._waiters if each.storage is storage])

    def changed(self, storage: Storage) -> None:
        """Try those again that wait for a change of this database.

        What they commit can satisfy others: these are tried after them, not within.
        """
        self._again[storage] = None
        if self._retrying:
            return
        self._retrying = True
        try:
            while self._again:
                due = next(iter(self._again))
                del self._again[due]
                for waiter in self.on(due):
                    self._retry(waiter)
        finally:
            self._retrying = False

    def expire(self, now: int) -> None:
        """Try those a last time whose time is up."""
        for waiter in list(self._waiters):
            deadline = waiter.deadline
            if deadline is not None and deadline <= now:
                self._retry(waiter)

    def deadline(self) -> int | None:
        """Return when the next one's time is up, or None."""
        deadlines = [each.deadline for each in self._waiters]
        return min((each for each in deadlines if each is not None), default=None)

    def _retry(self, waiter: Waiter) -> None:
        if waiter not in self._waiters:
            return
        timeout = waiter.retry()
        if timeout is not None and timeout < 0:
            self.remove(waiter)
        else:
            waiter.timeout = timeout
