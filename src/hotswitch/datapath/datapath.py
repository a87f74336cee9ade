"""The datapath as callers see it: it checks what they ask for, keeps the books, and has an engine.

The books (ports, entries, meters) change only after the engine has carried a change out, so an
engine that raises DatapathError leaves them as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import NamedTuple

from hotswitch.base.collections_paused import collections_paused
from hotswitch.datapath import check_ports
from hotswitch.datapath.batch import Batch
from hotswitch.datapath.check import EntryCheck, describe
from hotswitch.datapath.contract import Change, Counters, DatapathError, ProgramReport
from hotswitch.datapath.limits import STANDARD
from hotswitch.datapath.port_book import PortBook
from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry
from hotswitch.kernel.links import Link
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.entry import NOTHING, Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Hook, LinkLife, Meter, Port, PortStatistics, Side, Upcall


class _Prepared(NamedTuple):
    """Changes that have been checked, and that no others have been made since."""

    changes: Sequence[Change]
    batch: Batch
    puts: list[Entry]


class EntryDatapath:
    """`contract.Datapath` over an engine, from which it first takes over what still forwards.

    The mappings that `ports`, `entries` and `meters` return are live and read-only.
    """

    def __init__(self, name: str, registry: Registry, engine: Engine) -> None:
        self.name = name
        self._engine = engine
        self._check = EntryCheck(registry)
        restored = engine.restore()
        self._ports = PortBook(restored.ports)
        self._entries = {entry.key: entry for entry in restored.entries}
        self._meters = {meter.number: meter for meter in restored.meters}
        self._prepared: _Prepared | None = None

    # Ports

    def add_port(
        self,
        name: str,
        *,
        number: int = 0,
        ifindex: int = 0,
        hook: Hook = Hook.AUTO,
        incarnation: int = 0,
        standby: tuple[LinkLife, ...] = (),
        side: Side = Side.WIRE,
    ) -> Port:
        """Add a port; number 0 takes the lowest free one. Raises DatapathError."""
        number = number or self._free_number()
        port = Port(number, name, ifindex, hook, incarnation, standby, side)
        _raise_any(self.add_ports([port]))
        return port

    def add_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Add ports with numbers, for the cost of few; those that are refused, and why."""
        return self._put_ports(ports, self._check_new)

    def set_port(self, port: Port) -> None:
        """Change a port's name, links, hook or side; its number and statistics stay.

        Links that the port keeps stay attached: another one of them becomes the one that frames
        leave by from one frame to the next. A link with another incarnation is another link.
        Raises DatapathError.
        """
        _raise_any(self.set_ports([port]))

    def set_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Do what `set_port` does for many, for the cost of few; those that are refused, and why.

        A link must have left its port before another gets it: in the same call is too late.
        """
        return self._put_ports(ports, lambda port: self._known_port(port.number))

    def delete_port(self, number: int) -> PortStatistics:
        """Delete a port and its rows in the address table, static ones too.

        Returns its last statistics. Raises DatapathError.
        """
        return self.delete_ports([number])[number]

    def delete_ports(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        """Do what `delete_port` does for many, for the cost of few. Raises DatapathError."""
        gone = set(numbers)
        for number in gone:
            self._known_port(number)
        statistics = self._engine.delete_ports(gone)
        for number in gone:
            self._ports.delete(number)
        # Only now: the ports learned until they were detached.
        stale = [address for address in self._engine.addresses() if address.port in gone]
        if stale:
            self._engine.delete_addresses(stale)
        return statistics

    def ports(self) -> Mapping[int, Port]:
        """The ports by number."""
        return self._ports.by_number

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        """All ports' statistics, or those of these ports, by number.

        Raises DatapathError if there is no such port.
        """
        for number in numbers or ():
            self._known_port(number)
        return self._engine.port_statistics(numbers)

    def refresh(
        self, links: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        """Look again at what ports' links, or those of these indexes, can do.

        known: links by index, as somebody has just seen them: those are not asked for.
        Raises DatapathError.
        """
        self._engine.refresh(links, known)

    def _free_number(self) -> int:
        number = self._ports.free_number()
        if not number:
            raise DatapathError(f"{self.name} has {MAXIMUM_PORT} ports, and no number is free")
        return number

    def _known_port(self, number: int) -> Port:
        port = self._ports.by_number.get(number)
        if port is None:
            raise DatapathError(f"{self.name} has no port {number}")
        return port

    def _check_new(self, port: Port) -> None:
        other = self._ports.by_number.get(port.number)
        if other is not None:
            raise DatapathError(
                f"port {port.name}: number {port.number} belongs to port {other.name}"
            )

    def _put_ports(
        self, ports: Sequence[Port], check: Callable[[Port], object]
    ) -> Mapping[int, DatapathError]:
        refused: dict[int, DatapathError] = {}
        fine = PortBook()
        for port in ports:
            try:
                check(port)
                check_ports.check_port(port)
                self._ports.check_unique(port)
                fine.check_unique(port)
                fine.put(port)
            except DatapathError as error:
                refused[port.number] = error
        refused |= self._engine.put_ports(list(fine.by_number.values()))
        for number, port in fine.by_number.items():
            if number not in refused:
                self._ports.put(port)
        return refused

    # Entries

    def prepare(self, changes: Sequence[Change]) -> Future[object] | None:
        """Compile in the background what these changes will need, and return that, or None.

        Raises DatapathError for changes that are wrong.
        """
        batch = self._batch(changes)
        puts = self._news(batch)
        self._prepared = _Prepared(changes, batch, puts)
        return self._engine.prepare(puts, list(batch.deletes))

    def change(self, changes: Sequence[Change]) -> Mapping[EntryKey, EntryStatistics]:
        """Carry out all changes in their order or, if any is wrong, none.

        The outcome is as if each were made after the one before: of two puts with one key the
        last holds; a put after a delete is a new entry, which counts from zero; deleting
        what is not there, also because it was deleted before, is an error. Raises DatapathError.
        """
        with collections_paused():
            return self._change(changes)

    def _change(self, changes: Sequence[Change]) -> Mapping[EntryKey, EntryStatistics]:
        prepared, self._prepared = self._prepared, None
        if prepared and prepared.changes is changes:
            batch, puts = prepared.batch, prepared.puts
        else:
            batch = self._batch(changes)
            puts = self._news(batch)
        if not puts and not batch.deletes:
            return dict.fromkeys(batch.vanished, NOTHING)
        last = dict.fromkeys(batch.vanished, NOTHING) | dict(
            self._engine.change(puts, list(batch.deletes))
        )
        for key in batch.deletes:
            del self._entries[key]
        self._entries.update(batch.puts)
        return last

    def _batch(self, changes: Sequence[Change]) -> Batch:
        batch = Batch(self._entries, self._check)
        for each in changes:
            batch.add(each)
        return batch

    def _news(self, batch: Batch) -> list[Entry]:
        """The puts that change anything."""
        return [
            entry
            for key, entry in batch.puts.items()
            if key in batch.deletes or self._entries.get(key) != entry
        ]

    def entries(self) -> Mapping[EntryKey, Entry]:
        """All entries."""
        return MappingProxyType(self._entries)

    def entry_statistics(
        self, keys: Collection[EntryKey] | None = None
    ) -> Mapping[EntryKey, EntryStatistics]:
        """The statistics of all entries, or of those of these keys.

        Raises DatapathError if one of them is not there.
        """
        for key in keys or ():
            if key not in self._entries:
                raise DatapathError(f"there is no entry: {describe(key)}")
        return self._engine.entry_statistics(keys)

    # Addresses

    def addresses(self) -> list[Address]:
        """The address table."""
        return self._engine.addresses()

    @property
    def address_limit(self) -> int:
        """How many rows the address table has room for."""
        return self._engine.address_limit

    def set_address_limit(self, limit: int) -> None:
        """Have room for so many; of too many rows, those seen last stay, and static ones.

        Raises DatapathError.
        """
        if not 0 < limit <= STANDARD.addresses:
            raise DatapathError(
                f"an address table can't have {limit} rows",
                remedy=f"1 to {STANDARD.addresses}",
            )
        self._engine.set_address_limit(limit)

    def put_address(self, address: Address) -> None:
        """Add or replace a row of the address table. Raises DatapathError."""
        check_ports.check_address(address)
        self._known_port(address.port)
        self._engine.put_address(address)

    def find_addresses(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there."""
        return self._engine.find_addresses(wanted)

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        """Delete those rows whose VLAN, address and port are still these; return how many."""
        return self._engine.delete_addresses(addresses)

    # Meters

    def put_meter(self, meter: Meter) -> None:
        """Add or change a meter. Raises DatapathError."""
        check_ports.check_meter(meter)
        self._engine.put_meter(meter)
        self._meters[meter.number] = meter

    def delete_meter(self, number: int) -> None:
        """Delete a meter; what it limited is limited no more. Raises DatapathError."""
        if number not in self._meters:
            raise DatapathError(f"{self.name} has no meter {number}")
        self._engine.delete_meter(number)
        del self._meters[number]

    def meters(self) -> Mapping[int, Meter]:
        """The meters by number."""
        return MappingProxyType(self._meters)

    # The whole

    def counters(self) -> Counters:
        """What has been counted for the datapath as a whole."""
        return self._engine.counters()

    def upcalls(self) -> list[Upcall]:
        """The packets copied to user space since the last call."""
        return self._engine.upcalls()

    def upcall_descriptor(self) -> int:
        """A descriptor that is readable when there are upcalls, or -1."""
        return self._engine.upcall_descriptor()

    def report(self) -> ProgramReport:
        """What runs, for people."""
        return self._engine.report()

    def close(self) -> None:
        """Let go of it; the forwarding goes on."""
        self._engine.close()

    def destroy(self) -> None:
        """End the forwarding and remove everything."""
        self._engine.destroy()
        self._ports = PortBook()
        self._entries.clear()
        self._meters.clear()


def _raise_any(refused: Mapping[int, DatapathError]) -> None:
    for error in refused.values():
        raise error
