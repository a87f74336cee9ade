"""Runs: where port lists are, in memory shared with the kernel. Equal lists are stored once.

A run is written before anything refers to it, and used again only when no program can still be
reading it.
"""

from __future__ import annotations

import mmap
import struct
from collections import Counter
from collections.abc import Iterable

from hotswitch.compiler.template import ListRun
from hotswitch.kernel.maps import Map

_PORT_SIZE = 8


class Runs:
    """The array of port numbers; lists are runs in it."""

    def __init__(self, map_: Map) -> None:
        self._free: list[tuple[int, int]] = []
        self._end = 0
        self._known: dict[tuple[int, ...], ListRun] = {}
        self._lists: dict[ListRun, tuple[int, ...]] = {}
        self._users: Counter[ListRun] = Counter()
        self.map = map_
        self._memory: mmap.mmap = map_.mmap()

    def use(self, map_: Map) -> None:
        """Go on in this (larger) map; what is in it is copied."""
        before = self._memory[: self._end * _PORT_SIZE]
        self.map = map_
        self._memory = map_.mmap()
        self._memory[: len(before)] = before

    def needed(self, lists: Iterable[tuple[int, ...]]) -> int:
        """How many elements the array must have for these lists too, in the worst case."""
        return self._end + sum(len(ports) for ports in set(lists) if ports not in self._known)

    def put(self, ports: tuple[int, ...]) -> ListRun:
        """Store a list, or find it stored; there must be room."""
        run = self._known.get(ports)
        if run is None:
            start = self._take(len(ports))
            run = self._known[ports] = ListRun(start, len(ports))
            self._lists[run] = ports
            packed = struct.pack(f"<{len(ports)}Q", *ports)
            self._memory[start * _PORT_SIZE : start * _PORT_SIZE + len(packed)] = packed
        self._users[run] += 1
        return run

    def get(self, run: ListRun) -> tuple[int, ...]:
        """The list in a run."""
        data = self._memory[run.start * _PORT_SIZE : (run.start + run.count) * _PORT_SIZE]
        return struct.unpack(f"<{run.count}Q", data)

    def take_these(self, runs: Iterable[ListRun]) -> None:
        """After a restart: exactly these are in use, once for each time that they are named."""
        self._users = Counter(runs)
        self._lists = {run: self.get(run) for run in self._users}
        self._known = {ports: run for run, ports in self._lists.items()}
        self._end = 0
        self._free = []
        for run in sorted(self._users, key=lambda each: each.start):
            if run.start > self._end:
                self._free.append((self._end, run.start - self._end))
            self._end = max(self._end, run.start + run.count)

    def give_back(self, runs: Iterable[ListRun]) -> None:
        """Free runs that no program reads any more; neighbours become one."""
        gone = []
        for run in runs:
            self._users[run] -= 1
            if not self._users[run]:
                del self._users[run]
                ports = self._lists.pop(run)
                if self._known.get(ports) == run:
                    del self._known[ports]
                gone.append((run.start, run.count))
        merged: list[tuple[int, int]] = []
        for start, count in sorted([*self._free, *(each for each in gone if each[1])]):
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
