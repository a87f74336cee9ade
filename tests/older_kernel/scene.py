"""A pipeline with all kinds of lookups and most actions, and frames for it.

An emulated machine takes long to load scapy or to compile much: frames are made without it, and
one of each kind of action must do.
"""

from __future__ import annotations

from hotswitch.headers.registry import Registry
from hotswitch.model.port import Meter
from tests.engines.fixture import read_entry
from tests.engines.harness import Setup

_ENTRIES = (
    "0 9 ipv4.dst=10.9.0.0/16 set:ipv4.src=192.0.2.7,set:tcp.dst=99,decrement_ttl:ipv4.ttl,goto:1",
    "0 8 ipv4.dst=10.0.0.0/8 copy_to_user:reason=7:length=40,goto:1",
    "0 7 vlan.vid=10 pop_vlan,set:reg2=5,goto:1",
    "0 6 ipv6,in_port=2 copy_to_user,output:3",
    "0 5 ethernet.type=0x88b5 limit:7,output:3",
    "0 1 any learn,goto:1",
    "1 5 reg2=5 outputs:1+2+3",
    "1 1 any learn,lookup,goto:2",
    "2 5 reg1=0 outputs:1+2+3+4",
    "2 5 reg1=1 output:1",
    "2 5 reg1=2 output:2",
    "2 5 reg1=3 output:3",
)
_METER = Meter(7, 1, 1)


def setup(registry: Registry) -> Setup:
    """The state before."""
    return Setup([read_entry(registry, text) for text in _ENTRIES], meters=[_METER])


def _ethernet(target: int, source: int, rest: str) -> bytes:
    return bytes.fromhex(f"02000000000{target:x} 02000000000{source:x} {rest}")


def _ipv4(address: str) -> str:
    """A TCP segment over IPv4. Its checksums are wrong, and are updated as if right."""
    header = f"4500 002d 1234 4000 4006 abcd 0a000001 {address}"
    return f"0800 {header} 03e8 0050 00000007 00000001 5018 01f4 beef 0000 68656c6c6f"


_IPV6 = (
    "86dd 6000 0000 0010 1140 20010db8000000000000000000000001 20010db8000000000000000000000002"
    "03e8 0035 0010 c0de 7175657374696f6e"
)

FRAMES = [
    (1, _ethernet(0xB, 0xA, "0806" + "00" * 46)),  # unknown: flooded
    (2, _ethernet(0xA, 0xB, _ipv4("0a000009"))),  # copied up; known: to port 1
    (1, _ethernet(0xB, 0xA, _ipv4("0a090009"))),  # rewritten
    (3, _ethernet(0xA, 0xC, "8100 600a" + _ipv4("0a000009"))),  # tagged: other table, flooded
    (1, _ethernet(0xB, 0xA, "8100 000a 0806" + "00" * 46)),
    (2, _ethernet(0xA, 0xB, _IPV6)),
    *[(1, _ethernet(0xB, 0xA, "88b5" + "55" * 50))] * 3,  # more than the meter lets through
    (3, _ethernet(0xB, 0xA, "88b6" + "00" * 46)),  # it has moved
    (2, _ethernet(0xA, 0xB, "0800 4500")),  # cut off
]
"""(port, frame)"""
