"""The book of entries: which there are, where each lives, and what the maps say of it."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence

from hotswitch.compiler.strategies.strategy import value_of
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.template import ListRun, operands
from hotswitch.datapath.engines.kernel.record import Home, Record, Residents
from hotswitch.datapath.engines.kernel.runs import Runs
from hotswitch.datapath.engines.kernel.shaper import Shaper
from hotswitch.datapath.engines.kernel.slots import Slots
from hotswitch.datapath.engines.kernel.statistics import EntryCounters
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import map_batches
from hotswitch.kernel.quiescence import wait_for_programs
from hotswitch.model.action import Actions
from hotswitch.model.entry import EntryKey, EntryStatistics


class Book:
    """The entries of one datapath.

    waiting: those that no running program can find, or not carry out.
    """

    def __init__(self, store: MapStore, shaper: Shaper) -> None:
        self._store = store
        self.shaper = shaper
        self.slots = Slots(store.get(memory.SLOTS))
        self.counters = EntryCounters(store, self.slots.flags)
        self.runs = Runs(store.get(memory.MEMBERS))
        self.records: dict[EntryKey, Record] = {}
        self.residents = Residents()
        self.waiting: dict[EntryKey, Record] = {}
        self._latest: tuple[Actions | None, bytes] = (None, b"")
        self._retired: list[tuple[Record, Record | None]] = []

    def enter(self, record: Record, predecessor: Record | None) -> None:
        """Count a record, which waits for now, and put its actions into a slot of its own."""
        entry = record.entry
        data, record.runs = self._operands(entry.actions)
        record.slot = self.slots.take()
        record.predecessor = predecessor
        self.slots.write(record.slot, record.template, entry.cookie, entry.priority, data)
        if predecessor is not None:  # a slot that is free has counted nothing
            self.counters.begin(record.slot, predecessor.slot)
        self.records[record.key] = record
        self.waiting[record.key] = record
        self.shaper.add(record)
        if predecessor is not None:
            self.shaper.keep(predecessor)

    def _operands(self, actions: Actions) -> tuple[bytes, tuple[ListRun, ...]]:
        """The operands of actions, whose port lists are stored."""
        latest, data = self._latest
        if actions is latest:
            return data, ()
        runs: list[ListRun] = []

        def place(ports: tuple[int, ...]) -> ListRun:
            runs.append(self.runs.put(ports))
            return runs[-1]

        data = operands(self.shaper.flow, actions, place)
        if not runs:
            self._latest = actions, data
        return data, tuple(runs)

    def in_force(self, record: Record) -> Record | None:
        """A record waits no more; what was in force in its place until now."""
        del self.waiting[record.key]
        before, record.predecessor = record.predecessor, None
        if before is not None:
            self.shaper.release(before)
        return before

    def what_is_in_force(self, key: EntryKey) -> Record | None:
        """What packets meet: an entry, or its predecessor, or nothing."""
        record = self.records[key]
        return record.predecessor if key in self.waiting else record

    def withdraw(self, key: EntryKey, unused: list[Record]) -> Record | None:
        """Count an entry no more; what is in force for it, if anything is.

        unused: takes what was never in force.
        """
        record = self.records.pop(key)
        self.shaper.remove(record)
        if self.waiting.pop(key, None) is None:
            return record
        unused.append(record)
        if record.predecessor is not None:
            self.shaper.release(record.predecessor)
        return record.predecessor

    def move_in(self, record: Record, home: Home, touched: dict[Home, None]) -> None:
        """Let a record be found at a home, once that is published."""
        record.home = home
        self.residents.add(home, record)
        touched[home] = None

    def move_out(self, record: Record, home: Home, touched: dict[Home, None]) -> None:
        """Let it be found there no more."""
        self.residents.remove(home, record)
        touched[home] = None

    def publish(self, touched: Iterable[Home]) -> None:
        """Let the maps say what the residents say; additions first. Raises KernelError."""
        updates: dict[str, list[tuple[bytes, int]]] = {}
        deletes: dict[str, list[bytes]] = {}
        for home in touched:
            there = self.residents.at(home)
            if there:
                self._chain(there)
                value = value_of(there[0].entry.priority, there[0].slot)
                updates.setdefault(home.map_name, []).append((home.key, value))
            elif memory.is_array(home.map_name):
                updates.setdefault(home.map_name, []).append((home.key, 0))
            else:
                deletes.setdefault(home.map_name, []).append(home.key)
        for name, rows in updates.items():
            keys = b"".join([key for key, _ in rows])
            values = struct.pack(f"<{len(rows)}Q", *[value for _, value in rows])
            map_batches.update(self._store.get(name), keys, values, len(rows))
        for name, gone in deletes.items():
            map_batches.delete(self._store.get(name), b"".join(gone), len(gone))

    def _chain(self, there: Sequence[Record]) -> None:
        if len(there) == 1:
            self.slots.chain(there[0].slot, 0)
            return
        below = [*(record.slot for record in there[1:]), 0]
        for record, following in zip(there, below, strict=True):
            self.slots.chain(record.slot, following)

    def retire(
        self, retired: Sequence[tuple[Record, Record | None]]
    ) -> dict[EntryKey, EntryStatistics]:
        """Take note that no packet that comes from now on reaches these records.

        Those with a successor hand their counts on; until `clear_retired` their slots count for
        it, also in a later life. The last counts of those without are returned. Raises KernelError.
        """
        self._retired += retired
        return self.clear_retired() if any(successor is None for _, successor in retired) else {}

    def clear_retired(self) -> dict[EntryKey, EntryStatistics]:
        """Wait until no packet reaches retired records, read their last counts and free them.

        Those of records that have no successor are returned. Raises KernelError.
        """
        if not self._retired:
            return {}
        wait_for_programs()
        retired, self._retired = self._retired, []
        self.counters.settle([successor.slot for _, successor in retired if successor])
        gone = [record for record, successor in retired if successor is None]
        counted = self.counters.of([record.slot for record in gone])
        last = {record.key: counted(record.slot) for record in gone}
        self.free([record for record, _ in retired])
        return last

    def free(self, records: Sequence[Record]) -> None:
        """Let slots and runs be used again."""
        slots = [record.slot for record in records]
        self.counters.clear(slots)
        self.slots.give_back(slots)
        self.runs.give_back([run for record in records for run in record.runs])

    def used_slots(self) -> Iterator[int]:
        """The slots of all records, of what is in force in their places, and of retired ones."""
        for record in self.records.values():
            yield record.slot
            if record.predecessor is not None:
                yield record.predecessor.slot
        for record, _ in self._retired:
            yield record.slot

    def statistics(self, keys: Collection[EntryKey]) -> dict[EntryKey, EntryStatistics]:
        """What the entries of these keys have counted. Raises KernelError."""
        slots = [self.records[key].slot for key in keys]
        counted = self.counters.of(slots)
        return {key: counted(slot) for key, slot in zip(keys, slots, strict=True)}
