"""Counters read from per-CPU arrays and added up, with what is carried over from before.

All that has been counted is in maps, so that it outlives this process at any moment: what a map
that was too small had counted, and, by the number of its slot, what an entry's predecessor counts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.datapath.contract import Counters
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import map_batches
from hotswitch.kernel.maps import Map
from hotswitch.model.entry import NOTHING, EntryStatistics
from hotswitch.model.port import PortStatistics

_Counted = Callable[[int], EntryStatistics]
_APART = 32
"""Slots at most so far from each other are read together with those between them."""
_RUN = 64
"""Slots that are compared at once."""
_NOT_CARRIED = bytes(memory.CARRY.size)
_FEW_PORTS = 8
"""The same for ports."""


class EntryCounters:
    """What entries have counted, by slot."""

    def __init__(self, store: MapStore, flags: Callable[[int], int]) -> None:
        """flags: the TCP flags that are noted in a slot itself."""
        self._store = store
        self._flags = flags
        self._carried = store.get(memory.CARRIED).mmap()

    def begin(self, slot: int, predecessor: int) -> None:
        """A slot begins to count; what its predecessor counts (if not 0) is its too."""
        self._carry(slot, NOTHING, predecessor)

    def predecessor(self, slot: int) -> int:
        """The slot whose counts are this slot's too, or 0."""
        return self._unpack(slot)[1]

    def of(self, slots: Sequence[int]) -> _Counted:
        """What was counted in these slots, as a function of the slot. Raises KernelError."""
        return partial(self._with_carried, _some(self._store.get(memory.COUNTERS), slots))

    def settle(self, slots: Sequence[int]) -> None:
        """Make what predecessors counted, which count no more, these slots' own."""
        counted = self.of(slots)
        for slot in slots:
            base, predecessor = self._unpack(slot)
            if predecessor:
                self._carry(slot, base + counted(predecessor), 0)

    def clear(self, slots: Sequence[int]) -> None:
        """Let slots count from zero. Raises KernelError."""
        counters = self._store.get(memory.COUNTERS)
        keys = struct.pack(f"<{len(slots)}I", *slots)
        map_batches.update(counters, keys, bytes(counters.stride * len(slots)), len(slots))
        for slot in slots:
            self.begin(slot, 0)

    def clear_others(self, used: Iterable[int]) -> None:
        """After a restart: let all slots but these count from zero. Raises KernelError."""
        counters = self._store.get(memory.COUNTERS)
        data, nothing = map_batches.read_all(counters), bytes(counters.stride)
        kept = set(used)
        self.clear(
            [
                slot
                for slot in range(counters.max_entries)
                if slot not in kept
                and (
                    self._unpack(slot) != (NOTHING, 0)
                    or data[slot * counters.stride : (slot + 1) * counters.stride] != nothing
                )
            ]
        )

    def carry_over(self, old: Map, slots: Sequence[int]) -> Callable[[], None]:
        """Make what a map that has been replaced had counted for these slots theirs.

        It is so once the new generation of the map of what is carried is noted; call the result
        then. Raises KernelError.
        """
        data, stride = map_batches.read_all(old), old.stride
        busy = _busy(data, stride)
        known, size = self._carried, self._store.get(memory.COUNTERS).max_entries
        before, after = self._store.grow(memory.CARRIED, size)
        self._carried = after.mmap()
        with memoryview(known) as here, memoryview(self._carried) as there:
            end = before.max_entries * memory.CARRY.size
            there[:end] = here[:end]
        for slot in busy.intersection(slots):
            base, predecessor = self._unpack(slot)
            value = data[slot * stride : (slot + 1) * stride]
            self._carry(slot, base + _entry(value), predecessor)
        return lambda: self._store.drop(before, memory.CARRIED)

    def _with_carried(self, counted: _Counted, slot: int) -> EntryStatistics:
        # No closure that calls itself: it would be a cycle, left to the collector at each read.
        flags = self._flags(slot)
        at = slot * memory.CARRY.size
        if not flags and self._carried[at : at + memory.CARRY.size] == _NOT_CARRIED:
            return counted(slot)
        base, predecessor = self._unpack(slot)
        total = counted(slot) + base + EntryStatistics(tcp_flags=flags)
        return total + self._with_carried(counted, predecessor) if predecessor else total

    def add_flags(self, slots: Collection[int], flags: Callable[[int], int]) -> None:
        """Add the TCP flags that were noted in slots of a map that has been replaced."""
        for slot in slots:
            if seen := flags(slot):
                base, predecessor = self._unpack(slot)
                self._carry(slot, base + EntryStatistics(tcp_flags=seen), predecessor)

    def _unpack(self, slot: int) -> tuple[EntryStatistics, int]:
        """What was counted elsewhere, and the predecessor or 0."""
        packets, size, used, predecessor, flags = memory.CARRY.unpack_from(
            self._carried, slot * memory.CARRY.size
        )
        return EntryStatistics(packets, size, used, flags), predecessor

    def _carry(self, slot: int, base: EntryStatistics, predecessor: int) -> None:
        at = slot * memory.CARRY.size
        self._carried[at : at + memory.CARRY.size] = memory.CARRY.pack(
            base.packets, base.bytes, base.last_used, predecessor, base.tcp_flags
        )


def _some(counters: Map, slots: Sequence[int]) -> _Counted:
    """What is counted in these slots, read now; in others, when it is asked for."""
    read: dict[int, bytes] = {}
    stride = counters.stride
    nothing = bytes(stride)
    for first, count in _groups(slots):
        data = (
            map_batches.read_array(counters, first, count) if count > 1 else _one(counters, first)
        )
        for place in range(count):
            read[first + place] = data[place * stride : (place + 1) * stride]

    def of(slot: int) -> EntryStatistics:
        value = read.get(slot)
        if value is None:
            value = _one(counters, slot)
        return NOTHING if value == nothing else _entry(value)

    return of


def _groups(slots: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first slot and the number of slots of each group that is read together."""
    first = last = -1
    for slot in sorted(slots):
        if first < 0:
            first = slot
        elif slot - last > _APART:
            yield first, last + 1 - first
            first = slot
        last = slot
    if first >= 0:
        yield first, last + 1 - first


def _busy(data: bytes, stride: int) -> set[int]:
    """The slots that have counted something. Whole runs of others are passed over at once."""
    run = stride * _RUN
    idle = bytes(run)
    found: set[int] = set()
    for start in range(0, len(data), run):
        if not idle.startswith(data[start : start + run]):
            first = start // stride
            count = min(_RUN, len(data) // stride - first)
            found.update(range(first, first + count))
    nothing = idle[:stride]
    return {slot for slot in found if data[slot * stride : (slot + 1) * stride] != nothing}


def _one(counters: Map, slot: int) -> bytes:
    return counters.lookup(slot.to_bytes(4, "little")) or b""


def _entry(value: bytes) -> EntryStatistics:
    """Add up the CPUs' counters; each has the size that COUNTER says, a multiple of 8."""
    packets = size = used = 0
    for each_packets, each_bytes, each_used in memory.COUNTER.iter_unpack(value):
        packets += each_packets
        size += each_bytes
        used = max(used, each_used)
    return EntryStatistics(packets, size, used)


class PortCounters:
    """What was counted for ports, and for the datapath as a whole."""

    def __init__(self, store: MapStore) -> None:
        self._store = store
        self._carried = store.get(memory.PORT_CARRIED).mmap()

    def ports(self, numbers: Collection[int]) -> dict[int, PortStatistics]:
        """What was counted for these ports. Raises KernelError."""
        counters = self._store.get(memory.PORT_COUNTERS)
        if len(numbers) <= _FEW_PORTS:
            read = {number: _lookup(counters, number) for number in numbers}
        else:
            first, stride = min(numbers), counters.stride
            data = map_batches.read_array(counters, first, max(numbers) + 1 - first)
            starts = {number: (number - first) * stride for number in numbers}
            read = {number: data[at : at + stride] for number, at in starts.items()}
        return {number: self._base(number) + _port(value) for number, value in read.items()}

    def take(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        """What was counted for ports, which count from zero now. Raises KernelError."""
        last = self.ports(numbers)
        self._clear(numbers)
        return last

    def clear_others(self, used: Iterable[int]) -> None:
        """After a restart: let all ports but these count from zero. Raises KernelError."""
        counters = self._store.get(memory.PORT_COUNTERS)
        data, nothing = map_batches.read_all(counters), bytes(counters.stride)
        starts = {
            number: number * counters.stride
            for number in set(range(counters.max_entries)) - set(used)
        }
        self._clear(
            [
                number
                for number, at in starts.items()
                if data[at : at + counters.stride] != nothing
                or self._base(number) != PortStatistics()
            ]
        )

    def carry_over(self, old: Map) -> Callable[[], None]:
        """As `EntryCounters.carry_over`, for all ports."""
        data, stride = map_batches.read_all(old), old.stride
        size = self._store.get(memory.PORT_COUNTERS).max_entries
        bases = [self._base(number) for number in range(old.max_entries)]
        before, after = self._store.grow(memory.PORT_CARRIED, size)
        self._carried = after.mmap()
        for number, base in enumerate(bases):
            self._carry(number, base + _port(data[number * stride : (number + 1) * stride]))
        return lambda: self._store.drop(before, memory.PORT_CARRIED)

    def totals(self) -> Counters:
        """The whole datapath's counters. Raises KernelError."""
        values = self._store.get(memory.TOTALS).lookup_percpu(bytes(4)) or []
        sums = [sum(column) for column in zip(*map(memory.TOTAL.unpack, values), strict=True)]
        return Counters(**memory.Total(*sums)._asdict())

    def _clear(self, numbers: Collection[int]) -> None:
        counters = self._store.get(memory.PORT_COUNTERS)
        keys = struct.pack(f"<{len(numbers)}I", *numbers)
        map_batches.update(counters, keys, bytes(counters.stride * len(numbers)), len(numbers))
        for number in numbers:
            self._carry(number, PortStatistics())

    def _base(self, number: int) -> PortStatistics:
        at = number * memory.PORT_COUNTER.size
        return PortStatistics(*memory.PORT_COUNTER.unpack_from(self._carried, at))

    def _carry(self, number: int, counted: PortStatistics) -> None:
        packed = memory.PORT_COUNTER.pack(
            counted.rx_packets, counted.rx_bytes, counted.rx_dropped,
            counted.tx_packets, counted.tx_bytes, counted.tx_dropped,
        )  # fmt: skip
        at = number * memory.PORT_COUNTER.size
        self._carried[at : at + len(packed)] = packed


def _lookup(counters: Map, number: int) -> bytes:
    return counters.lookup(number.to_bytes(4, "little")) or b""


def _port(value: bytes) -> PortStatistics:
    rows = zip(*memory.PORT_COUNTER.iter_unpack(value), strict=True)
    return PortStatistics(*(sum(column) for column in rows))
