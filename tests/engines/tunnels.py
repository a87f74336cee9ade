"""Packets with outer headers in and out of an engine: the reference is told them, the kernel finds
them on a wire below a VXLAN device and puts them there."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from hotswitch.base.clock import MonotonicClock
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.links import get_link
from tests.engines.kernel_harness import SECONDS, kernel_engine
from tests.engines.wires import Wire, wires
from tests.support.wait import until

WIRE, TUNNEL = 1, 2
"""Ports: a veth, and a VXLAN device."""
NEAR, FAR = "192.0.2.1", "192.0.2.2"
NEAR6, FAR6 = "2001:db8::1", "2001:db8::2"
_PORT = 4789
_NEAR_MAC, _FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"
_OUT = "out_tunnel"
_CHECKSUM, _HAS_ID, _DONT_FRAGMENT = 1, 4, 0x100

Outer: TypeAlias = Mapping[str, int]
"""Fields of outer headers, by name without "tunnel" or "out_tunnel"."""


@dataclass(frozen=True)
class Seen:
    """A frame that came out, and its outer headers."""

    port: int
    frame: bytes
    outer: Outer = field(default_factory=dict)


class TunnelHarness(Protocol):
    """A datapath with the ports `WIRE` and `TUNNEL`."""

    datapath: EntryDatapath

    def send(self, port: int, frame: bytes, outer: Outer, expected: int) -> list[Seen]:
        """Let a frame come in; what comes out, `expected` of them.

        outer: fields by name, without "tunnel".
        """


class InReference:
    """The reference engine is told."""

    def __init__(self, registry: Registry) -> None:
        self._engine = ReferenceEngine(registry, MonotonicClock())
        self.datapath = EntryDatapath("reference", registry, self._engine)
        for port in (WIRE, TUNNEL):
            self.datapath.add_port(f"p{port}", number=port, ifindex=port, incarnation=port)

    def send(self, port: int, frame: bytes, outer: Outer, expected: int) -> list[Seen]:
        beside = {f"tunnel{name}": value for name, value in outer.items()}
        done = self._engine.process(port, frame, beside=beside)
        seen = []
        for (number, out), fields in zip(done.outputs, done.beside, strict=True):
            other = "_ipv6_" if fields.get(_OUT) == 4 else ("_src", "_dst")
            said = {
                name.removeprefix(_OUT): value
                for name, value in fields.items()
                if name.startswith(_OUT) and not name.removeprefix(_OUT).startswith(other)
            }
            if number == WIRE:
                seen.append(Seen(number, out))
            elif said.get(""):  # else the device drops it
                seen.append(Seen(number, out, said))
        return seen


class InKernel:
    """The kernel engine, with a wire below the VXLAN device."""

    def __init__(self, datapath: EntryDatapath, wire: PacketSocket, below: PacketSocket) -> None:
        self.datapath = datapath
        self._wire = wire
        self._below = below

    def send(self, port: int, frame: bytes, outer: Outer, expected: int) -> list[Seen]:
        before = self.datapath.port_statistics()[port].rx_packets
        for each in (self._wire, self._below):
            while each.receive():
                pass
        if port == WIRE:
            self._wire.send(frame)
        else:
            self._below.send(wrap(frame, outer))
        seen: list[Seen] = []

        def done() -> bool:
            while taken := self._wire.receive():
                seen.append(Seen(WIRE, taken.data))
            while taken := self._below.receive():
                seen.extend(unwrap(taken.data))
            came_in = self.datapath.port_statistics()[port].rx_packets - before
            return came_in == 1 and len(seen) >= expected

        until(done, f"it comes in and {expected} come out; {seen}", SECONDS)
        return seen


@contextmanager
def in_kernel(registry: Registry) -> Iterator[InKernel]:
    """Made in a namespace of its own, which is this thread's until the end."""
    with wires((1, 2)) as made:
        datapath = None
        try:
            name = f"tunnels{os.getpid()}"
            datapath = EntryDatapath(name, registry, kernel_engine(name, registry, name, 16))
            index = _device_above(made[2])
            for port, link in ((WIRE, made[1].near), (TUNNEL, index)):
                datapath.add_port(f"p{port}", number=port, ifindex=link, incarnation=port)
            yield InKernel(datapath, made[1].far, made[2].far)
        finally:
            if datapath is not None:
                datapath.destroy()


def _device_above(wire: Wire) -> int:
    Path("/proc/sys/net/ipv6/conf/near2/disable_ipv6").write_text("0")
    for words in (
        f"link set near2 address {_NEAR_MAC}",
        f"address add {NEAR}/24 dev near2",
        f"-6 address add {NEAR6}/64 dev near2 nodad",
        f"neighbour replace {FAR} lladdr {_FAR_MAC} dev near2 nud permanent",
        f"-6 neighbour replace {FAR6} lladdr {_FAR_MAC} dev near2 nud permanent",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    device = link_actions.create_vxlan("vx0", _PORT, mtu=65000)
    link_actions.set_up(device.index)

    def is_up() -> bool:
        link = get_link(device.index)
        return link is not None and link.up

    until(is_up, "vx0 is up")
    return device.index


def outer(version: int = 4, number: int = 5, **more: int) -> dict[str, int]:
    """Outer headers from the far end to the near one, as they arrive; `more` without "_"."""
    src, dst = (_number(FAR), _number(NEAR)) if version == 4 else (_number6(FAR6), _number6(NEAR6))
    middle = "" if version == 4 else "_ipv6"
    return {
        "": version,
        "_id": number,
        f"{middle}_src": src,
        f"{middle}_dst": dst,
        "_ttl": 64,
        "_flags": _CHECKSUM | _HAS_ID,
    } | {f"_{name}": value for name, value in more.items()}


def wrap(frame: bytes, fields: Outer) -> bytes:
    """The frame with these outer headers, on the wire."""
    checksum: Any = {} if fields["_flags"] & _CHECKSUM else {"chksum": 0}
    inside = UDP(sport=40000, dport=_PORT, **checksum) / _vxlan(fields["_id"], frame)
    network: Any
    if fields[""] == 4:
        network = IP(src=FAR, dst=NEAR, tos=fields.get("_tos", 0), ttl=fields["_ttl"])
    else:
        network = IPv6(src=FAR6, dst=NEAR6, tc=fields.get("_tos", 0), hlim=fields["_ttl"])
    return bytes(Ether(src=_FAR_MAC, dst=_NEAR_MAC) / network / inside)


def _vxlan(number: int, frame: bytes) -> Raw:
    """RFC 7348, 5. (scapy's own class says that it is VXLAN-GPE.)"""
    return Raw((8 << 24).to_bytes(4, "big") + (number << 8).to_bytes(4, "big") + frame)


def unwrap(data: bytes) -> Iterator[Seen]:
    """The frame in a packet on the wire, if it is VXLAN; and its outer headers."""
    packet = Ether(data)
    if UDP not in packet or packet[UDP].dport != _PORT:
        return
    vxlan = data.index(bytes(packet[UDP])[8:16])
    flags = _CHECKSUM if packet[UDP].chksum else 0
    found: dict[str, int] = {"_id": int.from_bytes(data[vxlan + 4 : vxlan + 7], "big")}
    network = packet.payload
    if isinstance(network, IP):
        found |= {"": 4, "_src": _number(network.src), "_dst": _number(network.dst)}
        found |= {"_tos": network.tos, "_ttl": network.ttl}
        flags |= _DONT_FRAGMENT if "DF" in network.flags else 0
    else:
        found |= {"": 6, "_ipv6_src": _number6(network.src), "_ipv6_dst": _number6(network.dst)}
        found |= {"_tos": network.tc, "_ttl": network.hlim}
    found["_flags"] = flags
    yield Seen(TUNNEL, data[vxlan + 8 :], {name: value for name, value in found.items() if value})


def _number(text: str) -> int:
    return int(IPv4Address(text))


def _number6(text: str) -> int:
    return int(IPv6Address(text))
