"""Counters read from per-CPU arrays and added up."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.datapath.contract import Counters
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel.maps import Map
from hotswitch.model.entry import NOTHING, EntryStatistics
from hotswitch.model.port import PortStatistics

_NO_TRAFFIC = PortStatistics()


class Statistics:
    """What the datapath's programs have counted."""

    def __init__(self, store: MapStore) -> None:
        self._store = store
        self._ports_before: dict[int, PortStatistics] = {}

    def entry(self, slot: int) -> EntryStatistics:
        """What was counted in a slot. Raises KernelError."""
        value = self._store.get(memory.COUNTERS).lookup(slot.to_bytes(4, "little"))
        return _entry(value) if value else NOTHING

    def all_entries(self) -> Callable[[int], EntryStatistics]:
        """What was counted in all slots, as a function of the slot. Raises KernelError."""
        return self.read_entries(self._store.get(memory.COUNTERS))

    @staticmethod
    def read_entries(counters: Map) -> Callable[[int], EntryStatistics]:
        """The same of a map that has been replaced."""
        data = counters.read_all()
        stride = counters.stride

        def of(slot: int) -> EntryStatistics:
            return _entry(data[slot * stride : (slot + 1) * stride])

        return of

    def clear(self, slots: Sequence[int]) -> None:
        """Let slots count from zero. Raises KernelError."""
        counters = self._store.get(memory.COUNTERS)
        keys = struct.pack(f"<{len(slots)}I", *slots)
        counters.update_batch(keys, bytes(counters.stride * len(slots)), len(slots))

    def ports(self, numbers: Iterable[int]) -> Mapping[int, PortStatistics]:
        """What was counted for these ports. Raises KernelError."""
        counters = self._store.get(memory.PORT_COUNTERS)
        return {number: self._port(counters, number) for number in numbers}

    def take_port(self, number: int) -> PortStatistics:
        """What was counted for a port, which counts from zero now. Raises KernelError."""
        counters = self._store.get(memory.PORT_COUNTERS)
        last = self._port(counters, number)
        counters.update(number.to_bytes(4, "little"), bytes(counters.stride))
        self._ports_before.pop(number, None)
        return last

    def keep_ports(self, old: Map) -> None:
        """Keep what was counted in a map that has been replaced. Raises KernelError."""
        for number in range(old.max_entries):
            counted = self._counted(old, number)
            if counted != _NO_TRAFFIC:
                before = self._ports_before.get(number, _NO_TRAFFIC)
                self._ports_before[number] = before + counted

    def totals(self) -> Counters:
        """The whole datapath's counters. Raises KernelError."""
        map_ = self._store.get(memory.TOTALS)
        values = map_.lookup_percpu(bytes(4)) or []
        sums = [sum(column) for column in zip(*map(memory.TOTAL.unpack, values), strict=True)]
        return Counters(**memory.Total(*sums)._asdict())

    def _port(self, counters: Map, number: int) -> PortStatistics:
        return self._ports_before.get(number, _NO_TRAFFIC) + self._counted(counters, number)

    @staticmethod
    def _counted(counters: Map, number: int) -> PortStatistics:
        values = counters.lookup_percpu(number.to_bytes(4, "little"))
        if values is None:
            return _NO_TRAFFIC
        rows = zip(*map(memory.PORT_COUNTER.unpack, values), strict=True)
        return PortStatistics(*(sum(column) for column in rows))


def _entry(value: bytes) -> EntryStatistics:
    """Add up the CPUs' counters; each has the size that COUNTER says, a multiple of 8."""
    packets = size = used = 0
    for each_packets, each_bytes, each_used in memory.COUNTER.iter_unpack(value):
        packets += each_packets
        size += each_bytes
        used = max(used, each_used)
    return EntryStatistics(packets, size, used)
