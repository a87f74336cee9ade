"""The contract for callers: what a datapath is to those who fill it and watch it.

Implemented by `datapath.datapath.EntryDatapath`, which checks everything and keeps the books, over
any engine (`datapath.provider`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.links import Link
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Hook, LinkLife, Meter, Port, PortStatistics, Side, Upcall


class DatapathError(HotswitchError):
    """A change that the datapath refuses, or an engine that can't carry it out."""


@dataclass(frozen=True, slots=True)
class PutEntry:
    """Add the entry, or give the one with the same key these actions; its statistics go on."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class DeleteEntry:
    """Delete the entry with this key."""

    key: EntryKey


Change: TypeAlias = PutEntry | DeleteEntry


@dataclass(frozen=True, slots=True)
class Counters:
    """What the whole datapath has counted: packets, and of addresses those that were learned or
    moved to another port, and the times that one found no room.
    """

    missed: int = 0
    expired: int = 0
    limited: int = 0
    errors: int = 0
    malformed: int = 0
    lost: int = 0
    not_learned: int = 0
    learned: int = 0
    moved: int = 0


@dataclass(frozen=True, slots=True)
class ProgramReport:
    """What runs, for people: one dictionary of text and numbers a program."""

    engine: str
    programs: tuple[Mapping[str, object], ...] = ()


class Datapath(Protocol):
    """Ports, tables of entries, an address table, meters."""

    name: str

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
        """Add a port; number 0 takes the lowest free one.

        A link belongs to one port at most. A port on the host's side has no standby links, and is
        not for XDP. Raises DatapathError.
        """

    def set_port(self, port: Port) -> None:
        """Change a port's name, links, hook or side; its number and statistics stay.

        Links that the port keeps stay attached, and another one of them becomes the one that
        frames leave by from one frame to the next: none is lost or doubled. A link is kept if it
        has the same index and incarnation; one of whose incarnation nothing is known (0), if what
        was attached to it still is. Raises DatapathError.
        """

    def add_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Add ports with numbers, for the cost of few; those that are refused, and why."""

    def set_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Do what `set_port` does for many, for the cost of few; those that are refused, and why.

        A link must have left its port before another gets it: in the same call is too late.
        """

    def delete_port(self, number: int) -> PortStatistics:
        """Delete a port, forget the addresses learned there, and return its last statistics."""

    def delete_ports(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        """Do what `delete_port` does for many, for the cost of few.

        On return no packet is taken there any more, and every one that was is counted. Raises
        DatapathError; `ports` tells then which are left.
        """

    def ports(self) -> Mapping[int, Port]:
        """The ports by number."""

    def refresh(
        self, links: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        """Look again at what ports' links, or those of these indexes, can do.

        known: links by index, as somebody has just seen them: those are not asked for.
        Raises DatapathError.
        """

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        """All ports' statistics, or those of these ports, by number."""

    def prepare(self, changes: Sequence[Change]) -> Future[object] | None:
        """Compile in the background what these changes will need, and return that, or None.

        Once it is done, `change` does not have to wait for a compiler. Raises DatapathError for
        changes that are wrong.
        """

    def change(self, changes: Sequence[Change]) -> Mapping[EntryKey, EntryStatistics]:
        """Carry out all changes or, if any is wrong, none.

        Returns when the changes are in force: every packet that comes in later sees them
        all. The result holds the last statistics of each deleted entry, and every packet that
        it handled is in them. Raises DatapathError.
        """

    def entries(self) -> Mapping[EntryKey, Entry]:
        """All entries."""

    def entry_statistics(
        self, keys: Collection[EntryKey] | None = None
    ) -> Mapping[EntryKey, EntryStatistics]:
        """The statistics of all entries, or of those of these keys, which must be there."""

    def addresses(self) -> list[Address]:
        """The address table."""

    @property
    def address_limit(self) -> int:
        """How many rows the address table has room for."""

    def set_address_limit(self, limit: int) -> None:
        """Have room for so many; of too many rows, those seen last stay, and static ones."""

    def put_address(self, address: Address) -> None:
        """Add or replace a row of the address table."""

    def find_addresses(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there."""

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        """Delete those rows whose VLAN, address and port are still these; return how many."""

    def put_meter(self, meter: Meter) -> None:
        """Add or change a meter."""

    def delete_meter(self, number: int) -> None:
        """Delete a meter; what it limited is limited no more."""

    def meters(self) -> Mapping[int, Meter]:
        """The meters by number."""

    def counters(self) -> Counters:
        """What has been counted for the datapath as a whole."""

    def upcalls(self) -> list[Upcall]:
        """The packets copied to user space since the last call."""

    def upcall_descriptor(self) -> int:
        """A descriptor that is readable when there are upcalls, or -1."""

    def report(self) -> ProgramReport:
        """What runs, for people."""

    def close(self) -> None:
        """Let go of it; the forwarding goes on."""

    def destroy(self) -> None:
        """End the forwarding and remove everything."""
