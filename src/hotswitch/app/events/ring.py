"""The latest events, as many as there is room for. Pure: no clock, no waiting.

Numbers rise by one from event to event. Each life of a daemon begins above the numbers of those
before it (`first_number`), so that one number tells a reader's place and the life that it is from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from hotswitch.app.events.event import Event, Happening, happening

CAPACITY = 10_000
_MICROSECONDS = 1_000_000


def first_number(now: float) -> int:
    """The number for the first event of a life that begins at `now`, seconds since 1970.

    No daemon makes a million events a second, so the next life begins above all of this one's.
    JSON readers that have only floating point keep such numbers exactly.
    """
    return int(now * _MICROSECONDS)


@dataclass(frozen=True, slots=True)
class Slice:
    """What a reader gets.

    next: the reader's place now: the number of the last event that it need not see again.
    """

    events: tuple[Event, ...]
    next: int


class Ring:
    """Events by number. first: the number of the first one that is added."""

    def __init__(self, first: int, capacity: int = CAPACITY) -> None:
        self._first = first
        self._next = first
        self._events: deque[Event] = deque(maxlen=capacity)

    @property
    def last(self) -> int:
        """The number of the last event; before the first one, one below it."""
        return self._next - 1

    @property
    def oldest(self) -> int:
        """The number before that of the oldest event that is kept: the place to read all from."""
        return self._next - len(self._events) - 1

    def add(self, happenings: Iterable[Happening], time: float) -> None:
        """Number these and keep them; the oldest go."""
        for each in happenings:
            self._events.append(Event(self._next, time, each))
            self._next += 1

    def since(self, place: int, time: float, bridge: str = "", limit: int = CAPACITY) -> Slice:
        """At most `limit` events with higher numbers than `place`, of one bridge or of all.

        What concerns no bridge is for all. First comes `lost` if there are events that can't be
        had any more: with the number of the last of them, and how many, of all bridges; or None if
        `place` is no number of this life.
        """
        oldest = self.oldest
        found: list[Event] = []
        if not self._first - 1 <= place < self._next:
            found.append(Event(oldest, time, happening("lost", count=None, why="restart")))
        elif place < oldest:
            lost = happening("lost", count=oldest - place, why="overrun")
            found.append(Event(oldest, time, lost))
        if found:
            place = oldest
        for event in islice(self._events, place - oldest, None):
            if len(found) >= limit:
                return Slice(tuple(found), event.number - 1)
            if event.what.bridge in ("", bridge) or not bridge:
                found.append(event)
        return Slice(tuple(found), self.last)
