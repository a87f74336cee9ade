"""How tests drive any engine: the same ports, the same questions, comparable answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from hotswitch.base.clock import MonotonicClock
from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Address, Hook, LinkLife, Meter, Side, Upcall

PORTS = (1, 2, 3)
"""Ports with a link; frames can come in by them. A port's wire has its number."""

STANDBY = 12
"""The wire behind the other link of port 2, a standby link unless a setup is flipped."""

WIRES = (*PORTS, STANDBY)
"""A link's incarnation is its wire's number."""

NO_LINK = 4
"""A port without one. Port 5 and above do not exist."""

ADDRESS_LIMIT = 16


@dataclass(frozen=True)
class Setup:
    """What the datapath holds before frames come in."""

    entries: Sequence[Entry] = ()
    addresses: Sequence[Address] = ()
    meters: Sequence[Meter] = ()
    flipped: bool = False


@dataclass(frozen=True)
class Observed:
    """All that can be seen of an engine from outside. Numbers are differences.

    outputs: frames by wire. ports: (name of the statistic) to value, by port; zeros left out.
    entries: packets, bytes, ever used, TCP flags. addresses: (VLAN, MAC) to port and whether
        static.
    """

    outputs: Mapping[int, list[bytes]]
    copies: list[Upcall]
    ports: Mapping[int, Mapping[str, int]]
    counters: Mapping[str, int]
    entries: Mapping[EntryKey, tuple[int, int, bool, int]]
    addresses: Mapping[tuple[int, int], tuple[int, bool]]


class Harness(Protocol):
    """A datapath with `PORTS` and `NO_LINK`, and a way to send frames into it.

    Its address table has room for `ADDRESS_LIMIT` rows.
    """

    datapath: EntryDatapath

    def send(self, frames: Sequence[tuple[int, bytes]]) -> Mapping[int, list[bytes]]:
        """Let (wire, frame)s come in, in order; what went out by each of `WIRES`."""


@dataclass
class ReferenceHarness:
    """Runs the reference engine directly."""

    registry: Registry
    datapath: EntryDatapath = field(init=False)

    def __post_init__(self) -> None:
        self.engine = ReferenceEngine(self.registry, MonotonicClock(), ADDRESS_LIMIT)
        self.datapath = EntryDatapath("reference", self.registry, self.engine)
        add_ports(self.datapath, {wire: wire for wire in WIRES})

    def send(self, frames: Sequence[tuple[int, bytes]]) -> Mapping[int, list[bytes]]:
        sent: dict[int, list[bytes]] = {wire: [] for wire in WIRES}
        for wire, frame in frames:
            for port, out in self.engine.receive(wire, frame).outputs:
                sent[self.datapath.ports()[port].ifindex].append(out)
        return sent


def add_ports(
    datapath: EntryDatapath,
    links: Mapping[int, int],
    hook: Hook = Hook.AUTO,
    side: Side = Side.WIRE,
) -> None:
    """Add `PORTS` and `NO_LINK`. links: by wire; on the host's side there is no `STANDBY`."""
    for number in PORTS:
        has_two = number == port_of(STANDBY) and side is Side.WIRE
        standby = (LinkLife(links[STANDBY], STANDBY),) if has_two else ()
        datapath.add_port(
            f"port{number}", number=number, ifindex=links[number], hook=hook,
            incarnation=number, standby=standby, side=side,
        )  # fmt: skip
    datapath.add_port("unlinked", number=NO_LINK)


def port_of(wire: int) -> int:
    """The port whose link a wire is behind."""
    return 2 if wire == STANDBY else wire


def flip(datapath: EntryDatapath, flipped: bool) -> None:
    """Let port 2 have `STANDBY` as the wire that frames leave by, or its own."""
    port = datapath.ports()[port_of(STANDBY)]
    links = sorted(port.links, key=lambda each: each.incarnation, reverse=flipped)
    active, *standby = links
    datapath.set_port(
        replace(
            port, ifindex=active.ifindex, incarnation=active.incarnation, standby=tuple(standby)
        )
    )


def install(datapath: EntryDatapath, setup: Setup) -> None:
    """Replace everything in the datapath; all entries count from zero."""
    deletes: list[Change] = [DeleteEntry(key) for key in datapath.entries()]
    puts: list[Change] = [PutEntry(entry) for entry in setup.entries]
    datapath.change(deletes + puts)
    datapath.delete_addresses(datapath.addresses())
    for address in setup.addresses:
        datapath.put_address(address)
    for number in list(datapath.meters()):
        datapath.delete_meter(number)
    for meter in setup.meters:
        datapath.put_meter(meter)
    flip(datapath, setup.flipped)
    datapath.upcalls()


def observe(harness: Harness, setup: Setup, frames: Sequence[tuple[int, bytes]]) -> Observed:
    """Install, send, and look at everything."""
    datapath = harness.datapath
    install(datapath, setup)
    ports, counters = datapath.port_statistics(), datapath.counters()
    outputs = harness.send(frames)
    return Observed(
        outputs,
        datapath.upcalls(),
        {
            number: _difference(ports[number], after)
            for number, after in datapath.port_statistics().items()
        },
        _difference(counters, datapath.counters()),
        {
            key: (each.packets, each.bytes, each.last_used > 0, each.tcp_flags)
            for key, each in datapath.entry_statistics().items()
        },
        {(row.vlan, row.mac): (row.port, row.static) for row in datapath.addresses()},
    )


def _difference(before: Any, after: Any) -> dict[str, int]:
    found = {
        each.name: getattr(after, each.name) - getattr(before, each.name) for each in fields(after)
    }
    return {name: value for name, value in found.items() if value}
