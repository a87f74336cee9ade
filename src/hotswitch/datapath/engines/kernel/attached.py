"""What is attached where: by port, and by place at its links."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Set
from weakref import WeakSet

from hotswitch.datapath.engines.kernel.spots import PortSpot, Spot
from hotswitch.kernel.hooks.clsact import ClsactAttachment
from hotswitch.kernel.hooks.hook import Attachment


class Attached:
    """Known by the daemon's own thread, and changed by the one that promotes filters, too.

    changing: held while what is there is taken off, or something else put in its place.
    """

    def __init__(self) -> None:
        self.changing = threading.Lock()
        self._at: dict[int, dict[Spot, Attachment]] = {}
        self._new_filters: list[tuple[PortSpot, ClsactAttachment]] = []
        self._taken: set[Spot] = set()
        _ALL.add(self)

    def is_elsewhere(self, spot: Spot) -> bool:
        """Whether another datapath of this process is attached there.

        Also if that is another device that has this index in another network namespace.
        """
        return any(spot in each._taken for each in list(_ALL) if each is not self)

    def spots(self, number: int) -> Set[Spot]:
        """Where a port is attached, as far as is known here."""
        return set(self._at.get(number, ()))

    def __getitem__(self, each: PortSpot) -> Attachment:
        return self._at[each.number][each.spot]

    def holds(self, each: PortSpot, attachment: Attachment) -> bool:
        """Whether this very attachment is there."""
        return self._at.get(each.number, {}).get(each.spot) is attachment

    def put(self, each: PortSpot, attachment: Attachment) -> None:
        """Know that it is there; in the place of another one, if there is one."""
        self._at.setdefault(each.number, {})[each.spot] = attachment
        self._taken.add(each.spot)
        if isinstance(attachment, ClsactAttachment):
            self._new_filters.append((each, attachment))

    def take(self, each: PortSpot) -> Attachment:
        """Know no more that it is there."""
        spots = self._at[each.number]
        attachment = spots.pop(each.spot)
        self._taken.discard(each.spot)
        if not spots:
            del self._at[each.number]
        return attachment

    def take_new_filters(self) -> list[tuple[PortSpot, ClsactAttachment]]:
        """The filters that were put since the last time."""
        taken, self._new_filters = self._new_filters, []
        return taken

    def filters(self, numbers: Iterable[int]) -> dict[PortSpot, ClsactAttachment]:
        """The filters of these ports."""
        return {
            PortSpot(number, spot): attachment
            for number in numbers
            for spot, attachment in self._at.get(number, {}).items()
            if isinstance(attachment, ClsactAttachment)
        }

    def clear(self) -> Iterator[Attachment]:
        """Know of nothing any more; all that was there."""
        for spots in self._at.values():
            yield from spots.values()
        self._at.clear()
        self._taken.clear()


_ALL: WeakSet[Attached] = WeakSet()
