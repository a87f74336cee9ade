"""A fixture: a pipeline, frames in, and all that must be seen of it. Every engine runs all of them.

An entry is `TABLE PRIORITY MATCH ACTIONS`, the last two as in `hotswitch.model.text`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hotswitch.headers.registry import Registry
from hotswitch.model.entry import Entry
from hotswitch.model.port import Address, Meter, Upcall
from hotswitch.model.text import read_actions, read_match
from tests.engines.harness import PORTS, WIRES, Observed, Setup, port_of


@dataclass(frozen=True)
class Fixture:
    """frames: (wire, frame) in. out: (wire, frame) in their order for each wire.

    dropped: how many frames went nowhere. unlinked: how many were sent to the port without a
    link. hits: packets for each of `entries`. learned: (VLAN, MAC) to port, afterwards.
    flipped: port 2's standby link is the one that frames leave by.
    """

    name: str
    entries: Sequence[str]
    frames: Sequence[tuple[int, bytes]]
    out: Sequence[tuple[int, bytes]] = ()
    copies: Sequence[Upcall] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    unlinked: int = 0
    hits: Sequence[int] | None = None
    addresses: Sequence[Address] = ()
    learned: Mapping[tuple[int, int], int] = field(default_factory=dict)
    meters: Sequence[Meter] = ()
    flipped: bool = False

    def setup(self, registry: Registry) -> Setup:
        """The state before."""
        entries = [read_entry(registry, text) for text in self.entries]
        return Setup(entries, self.addresses, self.meters, self.flipped)

    def check(self, registry: Registry, seen: Observed) -> None:
        """Compare what is most telling first."""
        for wire in WIRES:
            expected = [frame.hex(" ") for number, frame in self.out if number == wire]
            assert [frame.hex(" ") for frame in seen.outputs[wire]] == expected, f"wire {wire}"
        assert seen.copies == list(self.copies)
        assert seen.counters == self.counters
        for port in PORTS:
            arrived = [frame for wire, frame in self.frames if port_of(wire) == port]
            sent = [frame for wire, frame in self.out if port_of(wire) == port]
            found = {"rx_dropped": 0} | dict(seen.ports[port])
            assert found.pop("rx_dropped") == (self.dropped if arrived else 0)
            expected_counts = {
                "rx_packets": len(arrived),
                "rx_bytes": sum(map(len, arrived)),
                "tx_packets": len(sent),
                "tx_bytes": sum(map(len, sent)),
            }
            assert found == {name: value for name, value in expected_counts.items() if value}
        assert sum(each.get("tx_dropped", 0) for each in seen.ports.values()) == self.unlinked
        if self.hits is not None:
            keys = [read_entry(registry, text).key for text in self.entries]
            assert [seen.entries[key][0] for key in keys] == list(self.hits)
        assert {key: port for key, (port, _) in seen.addresses.items()} == self.learned


def read_entry(registry: Registry, text: str) -> Entry:
    """An entry from its text; its cookie is its priority."""
    table, priority, match, actions = text.split()
    return Entry(
        int(table),
        int(priority),
        read_match(registry, match),
        read_actions(registry, actions),
        cookie=int(priority),
    )
