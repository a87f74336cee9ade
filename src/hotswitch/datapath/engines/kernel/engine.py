"""The kernel engine: entries into maps, shapes into programs, ports to hooks.

A change of entries is a change of maps, at once. Where the loaded program can't find an entry, or
can't do what it says, a program for the new shape is compiled in the background, and installed
when it is ready (`_install`); until then the old one goes on with what it knows.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import Flow
from hotswitch.compiler.shape import Shape
from hotswitch.compiler.strategies.strategy import value_of
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.hook import SKB, XDP, Context
from hotswitch.compiler.template import ListRun, operand_words, operands
from hotswitch.datapath.contract import Counters, DatapathError
from hotswitch.datapath.engines.kernel import restore as restoring
from hotswitch.datapath.engines.kernel.attachments import Attachments
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.manifest import Manifest, encode
from hotswitch.datapath.engines.kernel.ports import Ports
from hotswitch.datapath.engines.kernel.programs import Compiled, Compiler
from hotswitch.datapath.engines.kernel.record import Home, Record, Residents
from hotswitch.datapath.engines.kernel.report import program_report
from hotswitch.datapath.engines.kernel.shaper import Shaper
from hotswitch.datapath.engines.kernel.slots import Runs, Slots
from hotswitch.datapath.engines.kernel.statistics import Statistics
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.datapath.engines.kernel.tables import AddressTable, Copies, Meters
from hotswitch.datapath.provider import ProgramReport, Restored
from hotswitch.headers.registry import Registry
from hotswitch.kernel import pins
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.programs import Program
from hotswitch.kernel.quiescence import wait_for_programs
from hotswitch.model.action import OutputList
from hotswitch.model.entry import NOTHING, Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Meter, Port, PortStatistics, Upcall

_log = logging.getLogger(__name__)
_SLOT_LIMIT = 1 << 20
"""Entries of one datapath."""


class KernelEngine:
    """`provider.Engine` on BPF.

    directory: where in a bpffs everything of this datapath is pinned.
    Raises DatapathError if the kernel refuses.
    """

    def __init__(
        self, name: str, registry: Registry, directory: Path, address_limit: int = 8192
    ) -> None:
        self.name = name
        self.flow = Flow(registry)
        self.directory = directory
        self._digest = _digest(self.flow)
        directory.mkdir(parents=True, exist_ok=True)
        self.store = MapStore(directory, address_limit)
        self.shaper = Shaper(self.flow)
        self._compiler = Compiler(self.flow)
        self._records: dict[EntryKey, Record] = {}
        self._residents = Residents()
        self._waiting: dict[EntryKey, Record] = {}
        self._homes: Homes | None = None
        self._loaded: dict[str, Compiled] = {}
        self._asked: tuple[Shape, list[Future[Compiled]]] | None = None

    # life

    def restore(self) -> Restored:
        """Take over what an earlier life left. Raises DatapathError."""
        try:
            return self._restore()
        except KernelError as error:
            raise DatapathError(f"{self.name}: {error}") from error

    def _restore(self) -> Restored:
        found = restoring.read(self.directory, self.store, self._digest)
        manifest = found or Manifest(self._digest, {}, (), {}, (), ())
        self.slots = Slots(self.store.get(memory.SLOTS))
        self.runs = Runs(self.store.get(memory.MEMBERS))
        self.attachments = Attachments(self.directory, self.store)
        self.ports = Ports(self.store, self.attachments)
        self.statistics = Statistics(self.store)
        self.address_table = AddressTable(self.store.get(memory.ADDRESSES))
        self.meters = Meters(self.store)
        self.copies = Copies(self.store.get(memory.COPIES))
        ports = self.ports.restore(manifest.ports)
        self.meters.known = {meter.number: meter for meter in manifest.meters}
        entries = self._take_over(manifest) if manifest.shapes else ()
        return Restored(ports, entries, manifest.meters)

    def _take_over(self, manifest: Manifest) -> tuple[Entry, ...]:
        self.shaper.templates = {each: number for number, each in manifest.templates.items()}
        for shape in manifest.shapes:
            for table in shape.tables:
                for each in table.subtables:
                    self.shaper.subtables[table.number, each.masks] = each.number
        homes = [Homes(self.flow, shape) for shape in manifest.shapes]
        found = restoring.entries(self, manifest, homes)
        for record in found:
            self._records[record.entry.key] = record
            self.shaper.add(record)
            if record.home:
                self._residents.add(record.home, record)
        self._homes = homes[0]
        for record in self._records.values():
            if homes[0].home(record) != record.home:
                self._waiting[record.entry.key] = record
        if len(manifest.shapes) > 1 or self._waiting:
            self._settle()
        return tuple(record.entry for record in self._records.values())

    def close(self) -> None:
        """Let go; the forwarding goes on."""
        self._compiler.close()
        self.attachments.close()
        self.copies.close()
        self.store.close()

    def destroy(self) -> None:
        """End the forwarding and remove everything."""
        for number in list(self.ports.known):
            self.ports.delete(number)
        self.close()
        pins.remove(self.directory)

    # ports

    def put_port(self, port: Port) -> None:
        """Add the port, or change its link or hook. Raises DatapathError."""
        try:
            if self._homes is None and port.ifindex:
                self._settle()
            if self.ports.must_grow(port.number):
                self._grow(memory.LINKS, port.number + 1)
                self._grow(memory.PORT_COUNTERS, port.number + 1)
            if self.ports.wants_xdp(port) and XDP.name not in self._loaded:
                self.ports.hooks.add(XDP.name)
                self._reload()
            self.ports.put(port)
            self._write_manifest()
        except KernelError as error:
            raise DatapathError(f"{self.name}: port {port.name}: {error}") from error

    def delete_port(self, number: int) -> PortStatistics:
        """Detach the port and return its last statistics. Raises DatapathError."""
        try:
            self.ports.delete(number)
            wait_for_programs()
            last = self.statistics.take_port(number)
            self._write_manifest()
        except KernelError as error:
            raise DatapathError(f"{self.name}: {error}") from error
        return last

    def port_statistics(self) -> Mapping[int, PortStatistics]:
        """All ports' statistics, by number."""
        return self.statistics.ports(self.ports.known)

    def refresh(self) -> None:
        """Look again at what ports' links can do: it changes with their other ends.

        Raises DatapathError.
        """
        try:
            self.ports.refresh()
        except KernelError as error:
            raise DatapathError(f"{self.name}: {error}") from error

    # entries

    def prepare(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> Future[object] | None:
        """Compile in the background what this change will need, and return that, or None."""
        old = list(dict(self._touched(puts, deletes)).values())
        new = [self.shaper.record(entry) for entry in puts]
        if self._homes is not None and all(self._homes.home(record) for record in new):
            return None
        for record in old:
            self.shaper.remove(record)
        for record in new:
            self.shaper.add(record)
        try:
            shape = self.shaper.shape()
        finally:
            for record in new:
                self.shaper.remove(record)
            for record in old:
                self.shaper.add(record)
        return self._compiler.prepare(shape, self._contexts())

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey], *, wait: bool = True
    ) -> Mapping[EntryKey, EntryStatistics]:
        """Delete and put entries; the deleted ones' last statistics.

        wait: all is in force on return; otherwise what needs a new program is so after `settle`.
        Raises DatapathError.
        """
        before = {key: record.entry for key, record in self._touched(puts, deletes)}
        try:
            last = self._change(puts, deletes)
            if self._waiting and wait:
                self._settle()
            elif self._waiting:
                self._ask()
        except (KernelError, CompileError) as error:
            self._undo(puts, before)
            raise DatapathError(f"{self.name}: {error}") from error
        return last

    def _touched(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> Iterator[tuple[EntryKey, Record]]:
        for key in [*deletes, *(entry.key for entry in puts)]:
            if key in self._records:
                yield key, self._records[key]

    def _undo(self, puts: Sequence[Entry], before: Mapping[EntryKey, Entry]) -> None:
        """After a change that failed: let the entries be those of before."""
        new = [entry.key for entry in puts if entry.key not in before]
        try:
            self._change(list(before.values()), [key for key in new if key in self._records])
            self.settle()
        except (KernelError, CompileError, DatapathError):
            _log.exception("%s: a change failed, and so did taking it back", self.name)

    def _change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> dict[EntryKey, EntryStatistics]:
        records = [self.shaper.record(entry) for entry in puts]
        self._make_room(records)
        touched: dict[Home, None] = {}
        retired: list[tuple[Record, Record | None]] = []
        unused: list[Record] = []
        last = {}
        for key in deletes:
            in_force = self._withdraw(key, unused)
            self._records.pop(key)
            last[key] = NOTHING
            if in_force is not None:
                self._move_out(in_force, touched)
                retired.append((in_force, None))
        for record in records:
            key = record.entry.key
            in_force = self._withdraw(key, unused) if key in self._records else None
            self._fill(record)
            self._records[key] = record
            self.shaper.add(record)
            home = self._homes.home(record) if self._homes else None
            if home is None:
                record.predecessor = in_force
                self._waiting[key] = record
                continue
            if in_force is not None:
                self._move_out(in_force, touched)
                retired.append((in_force, record))
            self._move_in(record, home, touched)
        self._publish(touched)
        last.update(self._retire(retired))
        self._free(unused)
        return last

    def _withdraw(self, key: EntryKey, unused: list[Record]) -> Record | None:
        """Count an entry no more; what is in force for it, if anything is."""
        record = self._records[key]
        self.shaper.remove(record)
        if self._waiting.pop(key, None) is None:
            return record
        unused.append(record)
        return record.predecessor

    def _move_in(self, record: Record, home: Home, touched: dict[Home, None]) -> None:
        record.home = home
        self._residents.add(home, record)
        touched[home] = None

    def _move_out(self, record: Record, touched: dict[Home, None]) -> None:
        assert record.home
        self._residents.remove(record.home, record)
        touched[record.home] = None

    def _publish(self, touched: Iterable[Home]) -> None:
        """Let the maps say what the residents say; additions first. Raises KernelError."""
        updates: dict[str, list[tuple[bytes, int]]] = {}
        deletes: dict[str, list[bytes]] = {}
        for home in touched:
            record = self._residents.top(home)
            if record is not None:
                value = value_of(record.entry.priority, record.slot)
                updates.setdefault(home.map_name, []).append((home.key, value))
            elif home.map_name == memory.DEFAULTS:
                updates.setdefault(home.map_name, []).append((home.key, 0))
            else:
                deletes.setdefault(home.map_name, []).append(home.key)
        for name, rows in updates.items():
            keys = b"".join(key for key, _ in rows)
            values = b"".join(value.to_bytes(8, "little") for _, value in rows)
            self.store.get(name).update_batch(keys, values, len(rows))
        for name, gone in deletes.items():
            self.store.get(name).delete_batch(b"".join(gone), len(gone))

    def _retire(
        self, retired: Sequence[tuple[Record, Record | None]]
    ) -> dict[EntryKey, EntryStatistics]:
        """Read the last counts of records that no packet can reach any more, and free them.

        Those with a successor hand their counts on; those without, they are returned.
        """
        if not retired:
            return {}
        wait_for_programs()
        last = {}
        for record, successor in retired:
            counted = record.before + self.statistics.entry(record.slot)
            if successor is None:
                last[record.entry.key] = counted
            else:
                successor.before += counted
        self._free([record for record, _ in retired])
        return last

    def _free(self, records: Sequence[Record]) -> None:
        slots = [record.slot for record in records]
        self.statistics.clear(slots)
        self.slots.give_back(slots)
        self.runs.give_back([run for record in records for run in record.runs])

    def _fill(self, record: Record) -> None:
        """Put an entry's actions into a slot of its own."""
        runs: list[ListRun] = []

        def place(ports: tuple[int, ...]) -> ListRun:
            runs.append(self.runs.put(ports))
            return runs[-1]

        data = operands(self.flow, record.entry.actions, place)
        record.slot = self.slots.take()
        record.runs = tuple(runs)
        self.slots.write(record.slot, record.template, record.entry.cookie, data)

    def entry_statistics(self) -> Mapping[EntryKey, EntryStatistics]:
        """All entries' statistics."""
        counted = self.statistics.all_entries()
        result = {}
        for key, record in self._records.items():
            in_force = record if record.home else record.predecessor
            total = record.before
            if in_force is not None:
                total += counted(in_force.slot)
                total += in_force.before if in_force is not record else NOTHING
            result[key] = total
        return result

    # room

    def _make_room(self, records: Sequence[Record]) -> None:
        """Grow what would be too small. Raises KernelError, DatapathError."""
        if len(records) > self.slots.room():
            wanted = self.slots.map.max_entries - self.slots.room() + len(records)
            if wanted > _SLOT_LIMIT:
                raise DatapathError(
                    f"{self.name}: the tables are full: they hold {_SLOT_LIMIT - 1} entries",
                    remedy="delete some first",
                )
            self._grow(memory.COUNTERS, wanted)
            self._grow(memory.SLOTS, wanted)
        largest = max((self._slot_size(record) for record in records), default=0)
        if largest > self.slots.size:
            self._grow(memory.SLOTS, 0, largest)
        counts = [
            len(action.ports)
            for record in records
            for action in record.entry.actions
            if isinstance(action, OutputList)
        ]
        if not self.runs.fits(counts):
            self._grow(memory.MEMBERS, self.runs.map.max_entries + sum(counts))

    def _slot_size(self, record: Record) -> int:
        words = sum(operand_words(self.flow, action) for action in record.entry.actions)
        return memory.SLOT_HEAD.size + 8 * words

    def _grow(self, name: str, entries: int, value_size: int = 0) -> None:
        """Put a larger map in the place of one, and programs that use it."""
        if entries <= self.store.get(name).max_entries and not value_size:
            return
        old, new = self.store.grow(name, entries, value_size)
        if name == memory.SLOTS:
            self.slots.use(new)
        elif name == memory.MEMBERS:
            self.runs.use(new)
        elif name == memory.LINKS:
            self.ports.use_links(old, new)
        elif name == memory.METERS:
            self.meters.use(new)
        self._reload()
        wait_for_programs()
        if name == memory.COUNTERS:
            before = Statistics.read_entries(old)
            for record in self._in_force():
                record.before += before(record.slot)
        elif name == memory.PORT_COUNTERS:
            self.statistics.keep_ports(old)
        self.store.drop(old, name)

    def _in_force(self) -> Iterator[Record]:
        for record in self._records.values():
            if record.home is not None:
                yield record
            elif record.predecessor is not None:
                yield record.predecessor

    # programs

    def _contexts(self) -> list[Context]:
        return [context for context in (SKB, XDP) if context is SKB or XDP.name in self.ports.hooks]

    def _ask(self) -> tuple[Shape, list[Future[Compiled]]]:
        """The shape that is wanted now, and its code, which may still be in the making."""
        shape = self.shaper.shape()
        if self._asked is None or self._asked[0] != shape:
            self._asked = shape, [self._compiler.ask(shape, each) for each in self._contexts()]
        return self._asked

    def settled(self) -> bool:
        """Install what is ready; whether all entries are in force. Raises DatapathError."""
        if not self._waiting:
            return True
        _, futures = self._ask()
        if not all(future.done() for future in futures):
            return False
        self.settle()
        return True

    def settle(self) -> None:
        """Return when all entries are in force. Raises DatapathError."""
        try:
            if self._waiting:
                self._settle()
        except (KernelError, CompileError) as error:
            raise DatapathError(f"{self.name}: {error}") from error

    def _settle(self) -> None:
        shape = self.shaper.shape()
        futures = [self._compiler.ask(shape, each) for each in self._contexts()]
        self._install(shape, [future.result() for future in futures])

    def _reload(self) -> None:
        """Load the same code with the maps that are in use now."""
        if self._homes is None:
            return
        shape = self._homes.shape
        futures = [self._compiler.ask(shape, each) for each in self._contexts()]
        self._swap([future.result() for future in futures])
        self._write_manifest()

    def _install(self, shape: Shape, compiled: Sequence[Compiled]) -> None:
        """Let entries be found under the new shape, swap the programs, tidy up."""
        before, after = self._homes, Homes(self.flow, shape)
        moving = self._moving(before, after)
        self._make_match_room(moving)
        for each in compiled:
            for name in sorted(each.linked.maps):
                self.store.get(name)
        self._write_manifest(next_shape=shape)
        late: list[tuple[Record, Home]] = []
        touched: dict[Home, None] = {}
        stale: list[tuple[Home, Record]] = []
        retired: list[tuple[Record, Record | None]] = []
        for record, home in moving:
            if record.home is not None:
                stale.append((record.home, record))
            if before is not None and before.has(home, record.entry.table):
                late.append((record, home))
            else:
                self._move_in(record, home, touched)
        self._publish(touched)
        self._swap(compiled)
        self._homes = after
        touched = {}
        for record, home in late:
            self._move_in(record, home, touched)
        for home, record in stale:
            self._residents.remove(home, record)
            touched[home] = None
        for record in self._waiting.values():
            if record.predecessor is not None:
                self._move_out(record.predecessor, touched)
                retired.append((record.predecessor, record))
                record.predecessor = None
        self._waiting.clear()
        self._publish(touched)
        self._retire(retired)
        self.shaper.forget(shape)
        self._write_manifest()

    def _moving(self, before: Homes | None, after: Homes) -> list[tuple[Record, Home]]:
        """The entries that live elsewhere under the new shape."""
        changed = {number for number in after.searches if after.differs(before, number)}
        moving = []
        for key, record in self._records.items():
            if record.entry.table not in changed and key not in self._waiting:
                continue
            home = after.home(record)
            if home is None:
                raise CompileError(f"{self.name}: the new shape has no place for {key}")
            if home != record.home:
                moving.append((record, home))
        return moving

    def _make_match_room(self, moving: Sequence[tuple[Record, Home]]) -> None:
        for _, home in moving:
            self.store.get(home.map_name)

    def _swap(self, compiled: Sequence[Compiled]) -> None:
        """Load, and let the program array point there: from one packet to the next."""
        maps = self.store.known() | {
            name: self.store.get(name) for each in compiled for name in each.linked.maps
        }
        programs: list[tuple[Compiled, Program]] = []
        try:
            programs += [(each, each.load(maps)) for each in compiled]
            for each, program in programs:
                array = self.store.get(each.context.programs)
                array.update(bytes(4), program.fd.to_bytes(4, "little"))
                self._loaded[each.context.name] = each
        finally:
            for _, program in programs:
                program.close()

    def _write_manifest(self, next_shape: Shape | None = None) -> None:
        shapes = tuple(
            each
            for each in (self._homes.shape if self._homes else None, next_shape)
            if each is not None
        )
        manifest = Manifest(
            self._digest,
            {name: n for name, n in self.store.generations.items() if name != "manifest"},
            shapes,
            {number: each for each, number in self.shaper.templates.items()},
            tuple(self.ports.known.values()),
            tuple(self.meters.known.values()),
        )
        data = encode(manifest)
        store = self.store.get("manifest")
        if len(data) > store.value_size:
            old, store = self.store.grow("manifest", 1, 2 * len(data))
            store.update(bytes(4), data.ljust(store.value_size, b"\0"))
            self.store.drop(old, "manifest")
        else:
            store.update(bytes(4), data.ljust(store.value_size, b"\0"))

    # addresses, meters, copies, and what is reported

    def addresses(self) -> list[Address]:
        """The address table."""
        return self.address_table.rows()

    def put_address(self, address: Address) -> None:
        """Add or replace a row. Raises DatapathError if the table is full."""
        try:
            self.address_table.put(address)
        except KernelError as error:
            raise DatapathError(f"{self.name}: {error}") from error

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        """Delete rows that still have this port; how many."""
        return self.address_table.delete(addresses)

    def put_meter(self, meter: Meter) -> None:
        """Add or change a meter. Raises DatapathError."""
        try:
            self._grow(memory.METERS, meter.number + 1)
            self.meters.put(meter)
            self._write_manifest()
        except KernelError as error:
            raise DatapathError(f"{self.name}: {error}") from error

    def delete_meter(self, number: int) -> None:
        """Delete a meter; what it limited is limited no more."""
        self.meters.delete(number)
        self._write_manifest()

    def counters(self) -> Counters:
        """The whole datapath's counters."""
        return self.statistics.totals()

    def upcalls(self) -> list[Upcall]:
        """Copies to user space since the last call."""
        return self.copies.read()

    def upcall_descriptor(self) -> int:
        """A descriptor that is readable when there are upcalls."""
        return self.copies.descriptor

    def report(self) -> ProgramReport:
        """What runs."""
        return program_report(self.store, self._loaded, self._homes)


def _digest(flow: Flow) -> str:
    """Of everything that words, keys and operands depend on."""
    fields = [(info.name, info.width, flow.pieces(info.name)) for info in flow.registry.fields()]
    return hashlib.sha256(repr(fields).encode()).hexdigest()
