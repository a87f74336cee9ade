"""Slots: where an entry's actions and counters are. And runs: where port lists are.

Both are arrays in memory shared with the kernel. A slot or run is written before anything refers
to it, and used again only when no program can still be reading it.
"""

from __future__ import annotations

import heapq
import mmap
import struct
from collections.abc import Sequence

from hotswitch.compiler.targets.bpf.layout import SLOT_HEAD
from hotswitch.compiler.template import ListRun
from hotswitch.kernel.maps import Map


class Slots:
    """The array of slots. Slot 0 is never used: a stored value of 0 is nothing."""

    def __init__(self, map_: Map) -> None:
        self._free: list[int] = []
        self._next = 1
        self.use(map_)

    def use(self, map_: Map) -> None:
        """Go on in this (larger) map; what is in the slots is copied."""
        before = bytes(self._memory) if self._next > 1 else b""
        old_size = self.size if before else 0  # type: ignore[has-type]
        self.map = map_
        self.size = map_.value_size
        self._memory: mmap.mmap = map_.mmap()
        if old_size == self.size:
            self._memory[: len(before)] = before
        elif before:
            for slot in range(self._next):
                data = before[slot * old_size : (slot + 1) * old_size]
                self._memory[slot * self.size : slot * self.size + old_size] = data

    def room(self) -> int:
        """How many more slots there are."""
        return self.map.max_entries - self._next + len(self._free)

    def take(self) -> int:
        """A free slot; there must be room."""
        if self._free:
            return heapq.heappop(self._free)
        self._next += 1
        return self._next - 1

    def take_this(self, taken: Sequence[int]) -> None:
        """After a restart: exactly these are in use."""
        used = set(taken)
        self._next = max(used, default=0) + 1
        self._free = sorted(set(range(1, self._next)) - used)

    def give_back(self, slots: Sequence[int]) -> None:
        """Free slots that no program reads any more."""
        for slot in slots:
            heapq.heappush(self._free, slot)

    def write(self, slot: int, template: int, cookie: int, operands: bytes) -> None:
        """Fill a slot that nothing refers to."""
        at = slot * self.size
        self._memory[at : at + SLOT_HEAD.size + len(operands)] = (
            SLOT_HEAD.pack(template, 0, cookie) + operands
        )

    def read(self, slot: int) -> tuple[int, int, bytes]:
        """Template, cookie and operands (with what follows them)."""
        data = self._memory[slot * self.size : (slot + 1) * self.size]
        template, _, cookie = SLOT_HEAD.unpack_from(data)
        return template, cookie, data[SLOT_HEAD.size :]


class Runs:
    """The array of port numbers; lists are runs in it."""

    def __init__(self, map_: Map) -> None:
        self._free: list[tuple[int, int]] = []
        self._end = 0
        self._memory: mmap.mmap | None = None
        self.use(map_)

    def use(self, map_: Map) -> None:
        """Go on in this (larger) map; what is in it is copied."""
        before = self._memory[: self._end * 8] if self._memory else b""
        self.map = map_
        self._memory = map_.mmap()
        self._memory[: len(before)] = before

    def fits(self, counts: Sequence[int]) -> bool:
        """Whether lists of these lengths have room, in the worst case."""
        return self._end + sum(counts) <= self.map.max_entries

    def put(self, ports: Sequence[int]) -> ListRun:
        """Store a list; there must be room."""
        start = self._take(len(ports))
        assert self._memory is not None
        self._memory[start * 8 : (start + len(ports)) * 8] = struct.pack(f"<{len(ports)}Q", *ports)
        return ListRun(start, len(ports))

    def get(self, run: ListRun) -> tuple[int, ...]:
        """The list in a run."""
        assert self._memory is not None
        data = self._memory[run.start * 8 : (run.start + run.count) * 8]
        return struct.unpack(f"<{len(data) // 8}Q", data)

    def take_these(self, runs: Sequence[ListRun]) -> None:
        """After a restart: exactly these are in use."""
        self._end = 0
        for run in sorted(runs, key=lambda each: each.start):
            if run.start > self._end:
                self._free.append((self._end, run.start - self._end))
            self._end = max(self._end, run.start + run.count)

    def give_back(self, runs: Sequence[ListRun]) -> None:
        """Free runs that no program reads any more; neighbours become one."""
        spans = sorted([*self._free, *((run.start, run.count) for run in runs if run.count)])
        merged: list[tuple[int, int]] = []
        for start, count in spans:
            if merged and sum(merged[-1]) == start:
                merged[-1] = merged[-1][0], merged[-1][1] + count
            else:
                merged.append((start, count))
        if merged and sum(merged[-1]) == self._end:
            self._end = merged.pop()[0]
        self._free = merged

    def _take(self, count: int) -> int:
        for index, (start, length) in enumerate(self._free):
            if length >= count:
                rest = [(start + count, length - count)] if length > count else []
                self._free[index : index + 1] = rest
                return start
        self._end += count
        return self._end - count
