"""The last commits of a database, for clients that come back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import reduce

from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.values import Uuid

COMMITS_MAX = 100
ROWS_MIN = 1000


class History:
    """At most 100 commits, and not more rows than the database has itself."""

    def __init__(self) -> None:
        self._commits: deque[Changes] = deque()
        self._rows = 0

    def add(self, changes: Changes, database_rows: Callable[[], int]) -> None:
        """Take the latest commit; forget what is too much for a database of this size."""
        self._commits.append(changes)
        self._rows += len(changes)
        limit = ROWS_MIN if self._rows <= ROWS_MIN else max(database_rows(), ROWS_MIN)
        while len(self._commits) > COMMITS_MAX or (self._commits and self._rows > limit):
            self._rows -= len(self._commits.popleft())

    def remove(self, changes: Changes) -> None:
        """Forget the latest commit: it was reverted."""
        if self._commits and self._commits[-1] is changes:
            self._rows -= len(self._commits.pop())

    def since(self, transaction_id: Uuid) -> Changes | None:
        """Return all changes after the commit with this identifier as one, or None."""
        commits: list[Changes] = []
        for changes in reversed(self._commits):
            commits.append(changes)
            if changes.previous_id == transaction_id:
                return reduce(Changes.then, reversed(commits))
        return None
