"""Room: maps that are too small are replaced by larger ones, while packets go on.

What the running programs use is filled first; then programs that use the new map take the place
of those that use the old one, from one packet to the next; then what the old one counted is
carried over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.template import operand_words
from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.engines.kernel.book import Book
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.journal import Journal
from hotswitch.datapath.engines.kernel.ports import Ports
from hotswitch.datapath.engines.kernel.record import Home, Record
from hotswitch.datapath.engines.kernel.running import Running
from hotswitch.datapath.engines.kernel.slots import flags_in
from hotswitch.datapath.engines.kernel.statistics import PortCounters
from hotswitch.datapath.engines.kernel.store import ENTRY_LIMIT, MapStore
from hotswitch.datapath.engines.kernel.tables import AddressTable
from hotswitch.kernel import map_batches
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.maps import Map
from hotswitch.kernel.quiescence import wait_for_programs
from hotswitch.model.action import Actions, OutputList, walk
from hotswitch.model.port import worth_keeping


class Room:
    """Makes room in the maps of one datapath."""

    def __init__(
        self,
        store: MapStore,
        journal: Journal,
        running: Running,
        book: Book,
        ports: Ports,
        port_counters: PortCounters,
    ) -> None:
        self._store = store
        self._journal = journal
        self._running = running
        self._book = book
        self._ports = ports
        self._port_counters = port_counters

    def for_entries(self, records: Sequence[Record], homes: Homes | None) -> None:
        """Have slots, runs and homes for new entries. Raises KernelError, DatapathError."""
        wanted: dict[str, int] = {}
        slots, runs = self._book.slots, self._book.runs
        if len(records) > slots.room():
            entries = slots.map.max_entries - slots.room() + len(records)
            if entries > ENTRY_LIMIT:
                raise DatapathError(
                    f"the tables are full: they hold {ENTRY_LIMIT - 1} entries",
                    remedy="delete some first",
                )
            wanted[memory.SLOTS] = wanted[memory.COUNTERS] = entries
        # Many entries share their actions.
        different = {id(each): each for each in [record.entry.actions for record in records]}
        actions = [action for each in different.values() for action in walk(each)]
        members = runs.needed(each.ports for each in actions if isinstance(each, OutputList))
        if members > runs.map.max_entries:
            wanted[memory.MEMBERS] = members
        slot_size = max(map(self._slot_size, different.values()), default=0)
        if slot_size > slots.size:
            wanted.setdefault(memory.SLOTS, slots.map.max_entries)
        if homes is not None:
            places = [home for record in records if (home := homes.home(record)) is not None]
            wanted |= self._match_maps(places)
        self.grow(wanted, slot_size)
        if slots.room() - len(records) < slots.map.max_entries // 4:
            # The kernel needs long for it: half a microsecond an entry, and nobody else is served.
            self._store.foresee(memory.COUNTERS, slots.map.max_entries + 1)

    def for_homes(self, homes: Sequence[Home]) -> None:
        """Have place for entries that move to these homes. Raises KernelError."""
        self.grow(self._match_maps(homes))

    def for_ports(self, number: int) -> None:
        """Have place for ports of numbers up to this one. Raises KernelError."""
        if number >= self._store.get(memory.LINKS).max_entries:
            self.grow({memory.LINKS: number + 1, memory.PORT_COUNTERS: number + 1})

    def for_meters(self, number: int) -> None:
        """Have place for so many meters. Raises KernelError."""
        if number > self._store.get(memory.METERS).max_entries:
            self.grow({memory.METERS: number})

    def for_addresses(self, table: AddressTable, limit: int) -> None:
        """Have place for so many addresses, no more. Raises KernelError; then all is as before.

        What is learned just then may be forgotten, and is learned again.
        """
        name = memory.ADDRESSES
        kept = sorted(table.rows(), key=worth_keeping, reverse=True)[:limit]
        old, _ = self._store.resize(name, limit)
        try:
            table.put_all(kept)
            self._running.reload()
        except KernelError:
            self._store.put_back(old, name)
            raise
        wait_for_programs()
        self._store.drop(old, name)

    def _slot_size(self, actions: Actions) -> int:
        flow = self._book.shaper.flow
        words = sum(operand_words(flow, action) for action in actions)
        return memory.SLOT_HEAD.size + 8 * words

    def _match_maps(self, homes: Sequence[Home]) -> dict[str, int]:
        """Match maps that can't hold these homes beside those that there are."""
        wanted = {}
        for name, more in Counter(home.map_name for home in homes).items():
            number = self._book.residents.homes[name] + more
            if not memory.is_array(name) and self._store.get(name, number).max_entries < number:
                wanted[name] = number
        return wanted

    def grow(self, wanted: Mapping[str, int], slot_size: int = 0) -> None:
        """Put larger maps in the places of these. Raises KernelError; then all is as before."""
        if not wanted:
            return
        for name in wanted:
            self._store.get(name)
        replaced: dict[str, Map] = {}
        generations = self._store.generations
        try:
            for name, entries in wanted.items():
                size = slot_size if name == memory.SLOTS else 0
                replaced[name], new = self._store.grow(name, entries, size)
                self._fill(name, replaced[name], new)
            self._journal.retiring = {
                name: generations[name]
                for name in (memory.COUNTERS, memory.PORT_COUNTERS, memory.SLOTS)
                if name in replaced
            }
            if any(self._running.uses(name) for name in wanted):
                self._running.reload()
            else:
                self._journal.write()
        except KernelError:
            for name, old in replaced.items():
                self._use(name, self._store.known()[name], old)
                self._store.put_back(old, name)
            self._journal.retiring = {}
            self._journal.write()
            raise
        wait_for_programs()
        self.carry_over(replaced)
        for name, old in replaced.items():
            self._store.drop(old, name)

    def carry_over(self, retiring: Mapping[str, Map]) -> None:
        """Add what maps counted that have been replaced. Raises KernelError."""
        done: list[Callable[[], None]] = []
        if memory.COUNTERS in retiring:
            slots = list(self._book.used_slots())
            done.append(self._book.counters.carry_over(retiring[memory.COUNTERS], slots))
        if memory.SLOTS in retiring:
            old = retiring[memory.SLOTS]
            before = old.mmap()
            other = self._book.slots.other_than(before, old.value_size)
            flags = partial(flags_in, before, old.value_size)
            self._book.counters.add_flags(other.intersection(self._book.used_slots()), flags)
        if memory.PORT_COUNTERS in retiring:
            done.append(self._port_counters.carry_over(retiring[memory.PORT_COUNTERS]))
        self._journal.retiring = {}
        self._journal.write()
        for drop in done:
            drop()

    def _fill(self, name: str, old: Map, new: Map) -> None:
        """Copy what programs will look for in the new map."""
        self._use(name, old, new)
        if name.startswith(("hash_", "trie_")) or name == memory.METERS:
            for keys, values in map_batches.read(old):
                map_batches.update(new, keys, values, len(keys) // new.key_size)

    def _use(self, name: str, old: Map, new: Map) -> None:
        if name == memory.SLOTS:
            self._book.slots.use(new)
        elif name == memory.MEMBERS:
            self._book.runs.use(new)
        elif name == memory.LINKS:
            self._ports.use_links(old, new)
