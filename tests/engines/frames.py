"""Frames for fixtures, made by scapy, which knows nothing of our code: what is expected is
built anew, with checksums computed in full."""

from __future__ import annotations

from typing import Any

from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.headers.packets import CASES

A, B = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
MAC_A, MAC_B = 0x02000000000A, 0x02000000000B


def tcp(**given: Any) -> Packet:
    """A TCP segment from port 1000 to port 80."""
    fields = {"sport": 1000, "dport": 80, "seq": 7, "flags": "PA", "window": 500} | given
    return TCP(**fields) / Raw(b"hello")


def udp(**given: Any) -> Packet:
    """A UDP datagram from port 1000 to port 53."""
    return UDP(**{"sport": 1000, "dport": 53} | given) / Raw(b"question")


def ethernet(inner: Packet | bytes, *tags: Packet, src: str = A, dst: str = B) -> bytes:
    """A frame with tags (Dot1Q, Dot1AD) or labels before its inner part."""
    packet: Packet = Ether(src=src, dst=dst)
    for tag in tags:
        packet = packet / tag
    return bytes(packet / inner)


def ip4(part: Packet, **given: Any) -> Packet:
    """IPv4 from 10.0.0.1 to 10.0.0.2."""
    return IP(**{"src": "10.0.0.1", "dst": "10.0.0.2", "id": 1} | given) / part


def ip6(part: Packet, **given: Any) -> Packet:
    """IPv6 from fd00::1 to fd00::2."""
    return IPv6(**{"src": "fd00::1", "dst": "fd00::2"} | given) / part


def tcp4(*tags: Packet, **ip: Any) -> bytes:
    """TCP over IPv4, whose fields may be given."""
    return ethernet(ip4(tcp(), **ip), *tags)


def udp4(*tags: Packet, **ip: Any) -> bytes:
    """UDP over IPv4, whose fields may be given."""
    return ethernet(ip4(udp(), **ip), *tags)


def tcp6(*tags: Packet, **ip: Any) -> bytes:
    """TCP over IPv6, whose fields may be given."""
    return ethernet(ip6(tcp(), **ip), *tags)


def case(name: str) -> bytes:
    """One of the headers' own test packets."""
    return bytes(CASES[name].packet)


def c_tag(vlan: int, prio: int = 0, dei: int = 0) -> Packet:
    """An 802.1Q tag."""
    return Dot1Q(vlan=vlan, prio=prio, dei=dei)


def s_tag(vlan: int, prio: int = 0) -> Packet:
    """An 802.1ad service tag."""
    return Dot1AD(vlan=vlan, prio=prio)


def label(number: int, ttl: int = 9, bottom: int = 0, cos: int = 0) -> Packet:
    """An MPLS label."""
    return MPLS(label=number, ttl=ttl, s=bottom, cos=cos)


def swapped(frame: bytes, at: int, new: bytes) -> bytes:
    """The frame with other bytes at an offset."""
    return frame[:at] + new + frame[at + len(new) :]
