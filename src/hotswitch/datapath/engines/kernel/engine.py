"""The kernel engine: entries into maps, shapes into programs, ports to hooks.

A change of entries is a change of maps, at once (`entries`). Where the running programs can't find
an entry, or can't do what it says, programs for the new shape are compiled, in the background if
that is asked for first (`prepare`), and installed (`installation`); until then the old ones go on.
What a later daemon must know to take over is in the maps or in the manifest (`journal`) at any
moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import Flow
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.hook import XDP
from hotswitch.datapath.contract import Counters, DatapathError, ProgramReport
from hotswitch.datapath.engines.kernel import port_records
from hotswitch.datapath.engines.kernel import restore as restoring
from hotswitch.datapath.engines.kernel.abandonment import abandon
from hotswitch.datapath.engines.kernel.attachments import Attachments
from hotswitch.datapath.engines.kernel.book import Book
from hotswitch.datapath.engines.kernel.entries import Entries
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.journal import Journal
from hotswitch.datapath.engines.kernel.manifest import Manifest
from hotswitch.datapath.engines.kernel.port_records import PortRecords
from hotswitch.datapath.engines.kernel.ports import Ports
from hotswitch.datapath.engines.kernel.programs import Compiler
from hotswitch.datapath.engines.kernel.report import program_report
from hotswitch.datapath.engines.kernel.room import Room
from hotswitch.datapath.engines.kernel.running import Running
from hotswitch.datapath.engines.kernel.shaper import Shaper
from hotswitch.datapath.engines.kernel.statistics import PortCounters
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.datapath.engines.kernel.tables import AddressTable, Copies, Meters
from hotswitch.datapath.provider import Restored
from hotswitch.headers.registry import Registry
from hotswitch.kernel import pins
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link
from hotswitch.kernel.quiescence import wait_for_programs
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Meter, Port, PortStatistics, Upcall


class KernelEngine:
    """`provider.Engine` on BPF.

    directory: where in a bpffs everything of this datapath is pinned.
    compiler: shared with other datapaths of these headers; None: its own.
    copies_size: bytes that packets to user space have room for, if more than usual
    (`store.COPIES_SIZE`); it counts when the datapath is made.
    Raises DatapathError if the kernel refuses.
    """

    def __init__(
        self,
        name: str,
        registry: Registry,
        directory: Path,
        address_limit: int = 8192,
        compiler: Compiler | None = None,
        copies_size: int = 0,
    ) -> None:
        self.name = name
        self._compiler = compiler or Compiler(registry)
        self._own_compiler = compiler is None
        self.flow = Flow(registry)
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.store = MapStore(directory, address_limit)
        self._copies_size = copies_size

    # life

    def restore(self) -> Restored:
        """Take over what an earlier life left.

        Raises DatapathError; then it is let go of, and nothing of it is left.
        """
        with self._declared(), ExitStack() as undo:
            undo.callback(abandon, self.directory)
            undo.callback(self.store.close)
            digest = _digest(self.flow)
            manifest = restoring.read(self.directory, self.store, digest)
            self._build(digest)
            undo.callback(self.close)
            restored = self._take_over(manifest) if manifest else Restored()
            undo.pop_all()
            return restored

    def _build(self, digest: str) -> None:
        store = self.store
        shaper = Shaper(self.flow)
        self.ports = Ports(store, Attachments(self.directory, store))
        self.meters = Meters(store)
        self.addresses_known = AddressTable(store)
        self.copies = Copies(store.get(memory.COPIES, self._copies_size), self.flow)
        self.port_counters = PortCounters(store)
        self.book = Book(store, shaper)
        self._port_records = PortRecords(store.get(port_records.NAME))
        self._journal = Journal(store, digest, shaper.templates)
        self.running = Running(self.flow, store, self._journal, self.ports.hooks, self._compiler)
        self._room = Room(
            store, self._journal, self.running, self.book, self.ports, self.port_counters
        )
        self._entries = Entries(self.name, self.flow, self.book, self.running, self._room)

    def _take_over(self, manifest: Manifest) -> Restored:
        self.book.shaper.restore(manifest.templates, [shape for _, shape in manifest.programs])
        self._journal.restore(manifest)
        self.running.number = self.running.running_number()
        ports = self._restore_ports()
        meters = self.meters.restore()
        self._restore_entries(manifest)
        self._room.carry_over(
            {name: self.store.open(name, number) for name, number in manifest.retiring.items()}
        )
        self.book.counters.clear_others(self.book.used_slots())
        self.port_counters.clear_others(self.ports.known)
        entries = tuple(record.entry for record in self.book.records.values())
        return Restored(ports, entries, meters)

    def _restore_entries(self, manifest: Manifest) -> None:
        """Enter into the book what is in the maps, and have each where the programs look for it."""
        homes = {number: Homes(self.flow, shape) for number, shape in manifest.programs}
        found = homes.get(self.running.number)
        extra = []
        if found is not None:
            self.running.homes = found
            others = [each for each in homes.values() if each is not found]
            extra = restoring.entries(self.book, self.store, manifest.templates, [found, *others])
            for key, record in self.book.records.items():
                if found.home(record) != record.home:
                    self.book.waiting[key] = record
        if len(homes) > 1 or self.book.waiting:
            self._entries.settle()
        restoring.clear(self.book, self.store, extra)

    def _restore_ports(self) -> tuple[Port, ...]:
        noted = self._port_records.all()
        ports = self.ports.restore(noted)
        self._port_records.put(
            [port for before, port in zip(noted, ports, strict=True) if port != before]
        )
        return ports

    def close(self) -> None:
        """Let go; the forwarding goes on."""
        self.ports.close()
        self._close()

    def _close(self) -> None:
        if self._own_compiler:
            self._compiler.close()
        self.copies.close()
        self.store.close()

    def destroy(self) -> None:
        """End the forwarding and remove everything."""
        self.ports.delete(list(self.ports.known))
        self.ports.end()
        self._close()
        restoring.disown(self.directory)
        pins.remove(self.directory)

    # ports

    def put_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Add ports, or change their links, hooks or sides; those that could not be, and why.

        Raises DatapathError.
        """
        if not ports:
            return {}
        with self._declared():
            if self.running.homes is None and any(port.links for port in ports):
                self._entries.settle()
            self._room.for_ports(max(port.number for port in ports))
            if XDP.name not in self.ports.hooks and any(map(self.ports.wants_xdp, ports)):
                self.ports.hooks.add(XDP.name)
                self.ports.refresh()
                self.running.reload()
            self._journal.begin()
            failed = self.ports.put(ports)
            done = [port for port in ports if port.number not in failed]
            self._port_records.put(done)
            self.ports.tidy([port.number for port in done])
            self.book.clear_retired()  # only now: ports forward already
        names = {port.number: port.name for port in ports}
        return {
            number: self._error(error, f"port {names[number]}: ")
            for number, error in failed.items()
        }

    def delete_ports(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        """Detach ports and return their last statistics. Raises DatapathError."""
        with self._declared():
            self.ports.delete(numbers)
            wait_for_programs()
            last = self.port_counters.take(numbers)
            self._port_records.delete(numbers)
        return last

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        """All ports' statistics, or those of these ports, by number."""
        with self._declared():
            return self.port_counters.ports(self.ports.known if numbers is None else numbers)

    def refresh(
        self, links: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        """Look again at what ports' links, or those of these indexes, can do.

        It changes with their other ends. known: links as just seen, by index. Raises DatapathError.
        """
        with self._declared():
            self.ports.refresh(links, known)
            self.book.clear_retired()

    # entries

    def prepare(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> Future[object] | None:
        """Compile in the background what this change will need, and return that, or None."""
        return self._entries.prepare(puts, deletes)

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> Mapping[EntryKey, EntryStatistics]:
        """Delete and put entries, in force on return; the deleted ones' last statistics.

        Raises DatapathError.
        """
        with self._declared():
            return self._entries.change(puts, deletes)

    def entry_statistics(
        self, keys: Collection[EntryKey] | None = None
    ) -> Mapping[EntryKey, EntryStatistics]:
        """The statistics of all entries, or of those of these keys."""
        return self.book.statistics(self.book.records if keys is None else keys)

    # addresses, meters, copies, and what is reported

    def addresses(self) -> list[Address]:
        """The address table."""
        return self.addresses_known.rows()

    @property
    def address_limit(self) -> int:
        """How many rows the address table has room for."""
        return self.addresses_known.limit

    def set_address_limit(self, limit: int) -> None:
        """Have room for so many; of too many rows, those seen last stay, and static ones."""
        with self._declared():
            self._room.for_addresses(self.addresses_known, limit)

    def put_address(self, address: Address) -> None:
        """Add or replace a row. Raises DatapathError if the table is full."""
        with self._declared():
            self.addresses_known.put(address)

    def find_addresses(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there."""
        return self.addresses_known.find(wanted)

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        """Delete rows that still have this port; how many."""
        return self.addresses_known.delete(addresses)

    def put_meter(self, meter: Meter) -> None:
        """Add or change a meter. Raises DatapathError."""
        with self._declared():
            self._room.for_meters(len(self.meters.known) + 1)
            self._journal.begin()
            self.meters.put(meter)

    def delete_meter(self, number: int) -> None:
        """Delete a meter; what it limited is limited no more."""
        self.meters.delete(number)

    def counters(self) -> Counters:
        """The whole datapath's counters."""
        return self.port_counters.totals()

    def upcalls(self) -> list[Upcall]:
        """Copies to user space since the last call."""
        return self.copies.read()

    def upcall_descriptor(self) -> int:
        """A descriptor that is readable when there are upcalls."""
        return self.copies.descriptor

    def report(self) -> ProgramReport:
        """What runs."""
        return program_report(self.store, self.running.loaded, self.running.homes)

    @contextmanager
    def _declared(self) -> Iterator[None]:
        try:
            yield
        except (KernelError, CompileError) as error:
            raise self._error(error) from error

    def _error(self, error: KernelError | CompileError, what: str = "") -> DatapathError:
        return DatapathError(f"{self.name}: {what}{error}")


def _digest(flow: Flow) -> str:
    """Of everything that words, keys, operands and what else is in the maps depend on."""
    fields = [(info.name, info.width, flow.pieces(info.name)) for info in flow.registry.fields()]
    return hashlib.sha256(repr((memory.VERSION, fields)).encode()).hexdigest()
