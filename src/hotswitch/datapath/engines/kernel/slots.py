"""Slots: where an entry's actions are, in memory shared with the kernel.

A slot is written before anything refers to it, and used again only when no program can still be
reading it.
"""

from __future__ import annotations

import heapq
import mmap
import struct
from collections.abc import Sequence
from typing import NamedTuple

from hotswitch.compiler.targets.bpf.layout import SLOT_FLAGS, SLOT_HEAD
from hotswitch.kernel.maps import Map

_NEXT = _U32 = struct.Struct("<I")
_NEXT_OFFSET = 4
_RUN = 64
"""Slots that are compared at once."""


class Slot(NamedTuple):
    """What is in a slot; `operands` with what follows them."""

    template: int
    next: int
    cookie: int
    priority: int
    operands: bytes


def flags_in(memory: mmap.mmap, size: int, slot: int) -> int:
    """The TCP flags in a slot, each of which has so many bytes."""
    (found,) = _U32.unpack_from(memory, slot * size + SLOT_FLAGS)
    return int(found)


class Slots:
    """The array of slots. Slot 0 is never used: a stored value of 0 is nothing."""

    def __init__(self, map_: Map) -> None:
        self._free: list[int] = []
        self._next = 1
        self.map = map_
        self.size = map_.value_size
        self._memory: mmap.mmap = map_.mmap()

    def use(self, map_: Map) -> None:
        """Go on in this map, which may be larger, in number or size; what is there is copied."""
        before, old_size = self._memory, self.size
        self.map = map_
        self.size = map_.value_size
        self._memory = map_.mmap()
        if old_size == self.size:
            end = self._next * self.size
            with memoryview(before) as old, memoryview(self._memory) as new:
                new[:end] = old[:end]
            return
        length = min(old_size, self.size)
        for slot in range(self._next):
            start = slot * self.size
            self._memory[start : start + length] = before[
                slot * old_size : slot * old_size + length
            ]

    def other_than(self, before: mmap.mmap, size: int) -> set[int]:
        """The slots that are not as in another memory, where each has so many bytes."""
        slots = len(before) // size
        if size != self.size:
            return set(range(slots))
        found: set[int] = set()
        for first in range(0, slots, _RUN):
            end = min(first + _RUN, slots)
            if before[first * size : end * size] != self._memory[first * size : end * size]:
                found.update(range(first, end))
        return found

    def room(self) -> int:
        """How many more slots there are."""
        return self.map.max_entries - self._next + len(self._free)

    def take(self) -> int:
        """A free slot; there must be room."""
        if self._free:
            return heapq.heappop(self._free)
        self._next += 1
        return self._next - 1

    def take_these(self, taken: Sequence[int]) -> None:
        """After a restart: exactly these are in use."""
        used = set(taken)
        self._next = max(used, default=0) + 1
        self._free = sorted(set(range(1, self._next)) - used)

    def give_back(self, slots: Sequence[int]) -> None:
        """Free slots that no program reads any more."""
        for slot in slots:
            heapq.heappush(self._free, slot)

    def write(self, slot: int, template: int, cookie: int, priority: int, operands: bytes) -> None:
        """Fill a slot that nothing refers to."""
        at = slot * self.size
        self._memory[at : at + SLOT_HEAD.size + len(operands)] = (
            SLOT_HEAD.pack(template, 0, cookie, priority, 0) + operands
        )

    def chain(self, slot: int, following: int) -> None:
        """Note the slot of the entry below, or 0."""
        _NEXT.pack_into(self._memory, slot * self.size + _NEXT_OFFSET, following)

    def flags(self, slot: int) -> int:
        """The TCP flags that were noted in a slot."""
        return flags_in(self._memory, self.size, slot)

    def read(self, slot: int) -> Slot:
        """What is in a slot."""
        data = self._memory[slot * self.size : (slot + 1) * self.size]
        template, following, cookie, priority, _ = SLOT_HEAD.unpack_from(data)
        return Slot(template, following, cookie, priority, data[SLOT_HEAD.size :])
