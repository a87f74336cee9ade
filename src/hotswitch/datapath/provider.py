"""The contract for implementers: what an engine does for a datapath.

Everything that arrives here has been checked by `datapath.check`: fields exist, masks have
the field's width, gotos go forward, keys are unique. So an engine raises `DatapathError` only
for what it alone can know: no room left, no privilege, a kernel that lacks something. Then
nothing has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from hotswitch.datapath.contract import Counters, DatapathError, ProgramReport
from hotswitch.kernel.links import Link
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Meter, Port, PortStatistics, Upcall


@dataclass(frozen=True, slots=True)
class Restored:
    """What an engine found of an earlier life of the same datapath, still forwarding."""

    ports: tuple[Port, ...] = ()
    entries: tuple[Entry, ...] = ()
    meters: tuple[Meter, ...] = ()


class Engine(Protocol):
    """Runs a pipeline."""

    def restore(self) -> Restored:
        """Take over what an earlier life left. Called once, before anything else.

        Of a port's links those that have gone meanwhile are left out; a port that frames left by
        such a link has ifindex 0, and keeps its standby links. Its incarnation tells what it had;
        links that are away stay noted.
        """

    def put_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Add ports, or change their links, hooks or sides, as `contract.Datapath` says.

        Returns why those are as they were, by number, that could not be. No two of them have the
        same number or link.
        """

    def delete_ports(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        """Detach ports and return their last statistics.

        On return no packet is taken there any more, and every one that was is counted.
        """

    def refresh(
        self, links: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        """Look again at what ports' links, or those of these indexes, can do.

        It changes with their other ends. known: links by index, as somebody has just seen them.
        """

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        """All ports' statistics, or those of these ports, by number."""

    def prepare(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> Future[object] | None:
        """Compile in the background what this change will need.

        Returns what to wait for if the change is not to wait itself; None: nothing.
        """

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> Mapping[EntryKey, EntryStatistics]:
        """Delete and put entries, in force on return; the deleted ones' last statistics.

        A key that is in both is a new entry, which counts from zero; one that is only put
        and known already gets other actions or another cookie, and its statistics go on.
        """

    def entry_statistics(
        self, keys: Collection[EntryKey] | None = None
    ) -> Mapping[EntryKey, EntryStatistics]:
        """The statistics of all entries, or of those of these keys, which are there."""

    def addresses(self) -> list[Address]:
        """The address table."""

    @property
    def address_limit(self) -> int:
        """How many rows the address table has room for."""

    def set_address_limit(self, limit: int) -> None:
        """Have room for so many; of too many rows, those seen last stay, and static ones."""

    def put_address(self, address: Address) -> None:
        """Add or replace a row."""

    def find_addresses(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there."""

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        """Delete rows that still have this port; how many."""

    def put_meter(self, meter: Meter) -> None:
        """Add or change a meter."""

    def delete_meter(self, number: int) -> None:
        """Delete a meter."""

    def counters(self) -> Counters:
        """The whole datapath's counters."""

    def upcalls(self) -> list[Upcall]:
        """Copies to user space since the last call."""

    def upcall_descriptor(self) -> int:
        """A descriptor that is readable when there are upcalls, or -1."""

    def report(self) -> ProgramReport:
        """What runs."""

    def close(self) -> None:
        """Let go; the forwarding goes on."""

    def destroy(self) -> None:
        """End the forwarding and remove everything."""
