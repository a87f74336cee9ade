"""A bridge on the reference engine, and frames for it."""

from __future__ import annotations

from dataclasses import dataclass

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.contract import Datapath, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference.engine import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.switch.desired import DesiredBridge
from hotswitch.switch.numbers import port_numbers
from hotswitch.switch.pipeline import all_ports, entries, meters

BROADCAST = 0xFFFFFFFFFFFF
PAYLOAD = bytes.fromhex("1234") + bytes(46)
"""An EtherType that nobody knows, and padding."""


@dataclass(frozen=True)
class Tag:
    """A VLAN tag."""

    vid: int
    pcp: int = 0
    dei: int = 0
    ethertype: int = 0x8100

    def __bytes__(self) -> bytes:
        control = self.pcp << 13 | self.dei << 12 | self.vid
        return self.ethertype.to_bytes(2, "big") + control.to_bytes(2, "big")


def frame(source: int, destination: int, *tags: Tag) -> bytes:
    """An Ethernet frame with these tags, outermost first."""
    addresses = destination.to_bytes(6, "big") + source.to_bytes(6, "big")
    return addresses + b"".join(map(bytes, tags)) + PAYLOAD


class Lab:
    """The bridge's datapath; all ports have a link."""

    def __init__(self, registry: Registry, bridge: DesiredBridge) -> None:
        self.clock = ManualClock(1_000_000_000_000)
        self.engine = ReferenceEngine(registry, self.clock, bridge.address_limit)
        self.datapath: Datapath = EntryDatapath(bridge.name, registry, self.engine)
        self.numbers = port_numbers(bridge, {})
        self._names = {number: name for name, number in self.numbers.items()}
        for port in all_ports(bridge):
            number = self.numbers[port.name]
            self.datapath.add_port(port.name, number=number, ifindex=number, hook=port.hook)
        for meter in meters(bridge, self.numbers).values():
            self.datapath.put_meter(meter)
        made = entries(bridge, self.numbers).values()
        self.datapath.change([PutEntry(entry) for entry in made])

    def send(self, port: str, sent: bytes) -> dict[str, bytes]:
        """A frame comes in by a port: what leaves, by port. No port gets it twice."""
        out: dict[str, bytes] = {}
        for number, received in self.engine.process(self.numbers[port], sent).outputs:
            assert self._names[number] not in out
            out[self._names[number]] = received
        return out

    def addresses(self) -> set[tuple[int, int, str]]:
        """The address table as (VLAN, address, port)."""
        rows = self.datapath.addresses()
        return {(row.vlan, row.mac, self._names[row.port]) for row in rows}
