"""The locks of RFC 7047 section 4.1.8: names that sessions own, wait for, and steal."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Holder = TypeVar("Holder")


class Locks(Generic[Holder]):
    """Who owns which lock, and who waits for it. A holder is compared by identity."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Holder]] = {}
        self._asked: dict[tuple[int, str], Holder] = {}

    def asked(self, holder: Holder, name: str) -> bool:
        """Whether `holder` has locked or stolen it and not unlocked it, even if it lost it."""
        return (id(holder), name) in self._asked

    def owns(self, holder: Holder, name: str) -> bool:
        """Whether `holder` is the owner."""
        return self.owner(name) is holder

    def owner(self, name: str) -> Holder | None:
        """Return the owner, or None."""
        queue = self._queues.get(name)
        return queue[0] if queue else None

    def lock(self, holder: Holder, name: str) -> bool:
        """Queue up for a lock that `holder` has not asked for; whether it owns it at once."""
        self._asked[id(holder), name] = holder
        queue = self._queues.setdefault(name, deque())
        queue.append(holder)
        return len(queue) == 1

    def steal(self, holder: Holder, name: str) -> Holder | None:
        """Take a lock that `holder` has not asked for; return who has lost it, if anyone."""
        self._asked[id(holder), name] = holder
        queue = self._queues.setdefault(name, deque())
        victim = queue.popleft() if queue else None
        queue.appendleft(holder)
        return victim

    def unlock(self, holder: Holder, name: str) -> Holder | None:
        """Give up a lock that `holder` has asked for; return the new owner, if it changes."""
        del self._asked[id(holder), name]
        queue = self._queues.get(name, deque())
        owned = bool(queue) and queue[0] is holder
        remaining = deque(each for each in queue if each is not holder)
        if remaining:
            self._queues[name] = remaining
        else:
            self._queues.pop(name, None)
        return remaining[0] if owned and remaining else None

    def release(self, holder: Holder) -> list[tuple[Holder, str]]:
        """Give up all that `holder` has asked for; return the new owners, with the locks."""
        names = self.names(holder)
        new = [(self.unlock(holder, name), name) for name in names]
        return [(owner, name) for owner, name in new if owner is not None]

    def names(self, holder: Holder) -> list[str]:
        """Return the locks that `holder` has asked for."""
        return [name for key, name in self._asked if key == id(holder)]
