"""The reference engine's outside: `provider.Engine`, and a method to run a packet."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType

from hotswitch.base.clock import Clock
from hotswitch.datapath.contract import Counters, DatapathError, ProgramReport
from hotswitch.datapath.engines.reference.outcome import End, Outcome
from hotswitch.datapath.engines.reference.packet import Packet
from hotswitch.datapath.engines.reference.recorder import SILENT, Recorder
from hotswitch.datapath.engines.reference.run import State, run
from hotswitch.datapath.engines.reference.state import Addresses
from hotswitch.datapath.provider import Restored
from hotswitch.headers.parse import MINIMUM_FRAME
from hotswitch.headers.registry import Registry
from hotswitch.kernel.links import Link
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics
from hotswitch.model.port import Address, Meter, Port, PortStatistics, Upcall


class ReferenceEngine:
    """Runs a pipeline in this process, one packet at a time, with no link behind any port.

    A port whose `ifindex` is not 0 counts as having a link. Copies wait for `upcalls` without
    a limit, so nothing is ever lost.
    """

    def __init__(self, registry: Registry, clock: Clock, address_limit: int = 8192) -> None:
        self._registry = registry
        self._clock = clock
        self._state = State(Addresses(address_limit))
        self._upcalls: list[Upcall] = []

    def process(
        self,
        in_port: int,
        frame: bytes,
        recorder: Recorder = SILENT,
        beside: Mapping[str, int] = MappingProxyType({}),
    ) -> Outcome:
        """A frame comes in by a port, which must exist (else ValueError).

        beside: the first values of fields beside the packet, where they are not 0.
        """
        ports = self._state.ports
        if not ports.exists(in_port):
            raise ValueError(f"there is no port {in_port} for a frame to come in by")
        ports.count(in_port, rx_packets=1, rx_bytes=len(frame))
        packet = Packet(self._registry, in_port, frame, beside)
        self._state.counts["malformed"] += packet.malformed
        for name, section in packet.sections.items():
            recorder.header(name, section.offset, section.length, section.values)
        recorder.parsed(packet.payload, packet.malformed)
        if len(frame) < MINIMUM_FRAME:
            outcome = Outcome(End.MALFORMED)
        else:
            outcome = run(self._state, packet, self._clock.now(), recorder)
        if outcome.went_nowhere:
            ports.count(in_port, rx_dropped=1)
        self._upcalls += outcome.copies
        recorder.end(outcome.end)
        return outcome

    def receive(self, ifindex: int, frame: bytes, recorder: Recorder = SILENT) -> Outcome:
        """A frame comes in by a link, standby or not, which must be a port's (else ValueError)."""
        return self.process(self._state.ports.by_link(ifindex), frame, recorder)

    def restore(self) -> Restored:
        """Nothing: an earlier life left nothing."""
        return Restored()

    def put_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        """Add ports, or change their links, hooks or sides; it refuses none."""
        for port in ports:
            self._state.ports.put(port)
        return {}

    def delete_ports(self, numbers: Collection[int]) -> Mapping[int, PortStatistics]:
        """Delete ports and return their last statistics."""
        return {number: self._state.ports.delete(number) for number in numbers}

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        """All ports' statistics, or those of these ports, by number."""
        found = self._state.ports.statistics()
        return found if numbers is None else {number: found[number] for number in numbers}

    def refresh(
        self, links: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        """Nothing: it has no links."""

    def prepare(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> Future[object] | None:
        """Nothing to wait for: it compiles nothing."""
        return None

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> Mapping[EntryKey, EntryStatistics]:
        """Delete, then put entries; the deleted ones' last statistics."""
        last = {key: self._state.entries.delete(key) for key in deletes}
        for entry in puts:
            self._state.entries.put(entry)
        return last

    def entry_statistics(
        self, keys: Collection[EntryKey] | None = None
    ) -> Mapping[EntryKey, EntryStatistics]:
        """The statistics of all entries, or of those of these keys."""
        counted = self._state.entries.statistics
        return dict(counted) if keys is None else {key: counted[key] for key in keys}

    def addresses(self) -> list[Address]:
        """The address table."""
        return self._state.addresses.all()

    @property
    def address_limit(self) -> int:
        """How many rows the address table has room for."""
        return self._state.addresses.limit

    def set_address_limit(self, limit: int) -> None:
        """Have room for so many; of too many rows, those seen last stay, and static ones."""
        self._state.addresses.set_limit(limit)

    def put_address(self, address: Address) -> None:
        """Add or replace a row. Raises DatapathError if the table is full."""
        self._state.addresses.put(address)

    def find_addresses(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there."""
        return self._state.addresses.find(wanted)

    def delete_addresses(self, addresses: Iterable[Address]) -> int:
        """Delete rows that still have this port; how many."""
        return self._state.addresses.delete(addresses)

    def put_meter(self, meter: Meter) -> None:
        """Add or change a meter."""
        self._state.meters.put(meter)

    def delete_meter(self, number: int) -> None:
        """Delete a meter."""
        self._state.meters.delete(number)

    def counters(self) -> Counters:
        """What has been counted."""
        return Counters(**self._state.counts)

    def upcalls(self) -> list[Upcall]:
        """Copies to user space since the last call."""
        waiting, self._upcalls = self._upcalls, []
        return waiting

    def upcall_descriptor(self) -> int:
        """None."""
        return -1

    def report(self) -> ProgramReport:
        """No program runs."""
        return ProgramReport("reference")

    def close(self) -> None:
        """Nothing to let go of."""

    def destroy(self) -> None:
        """Nothing outlives this object."""
