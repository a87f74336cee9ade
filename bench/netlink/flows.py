"""The flows that are measured with: TCP connections over IPv4, all under one mask."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import Ethernet, Ipv4, Tcp
from hotswitch.netlink.flags import ACK, CREATE, ECHO, EXCLUSIVE, REQUEST
from hotswitch.netlink.message import Message

_MASK = Attributes(
    in_port=0xFFFFFFFF,
    ethernet=Ethernet.value(src=0, dst=0),
    ethertype=0xFFFF,
    ipv4=Ipv4.value(
        src=0xFFFFFFFF, dst=0xFFFFFFFF, protocol=0xFF, tos=0, ttl=0, fragment=0xFF
    ),
    tcp=Tcp.value(src=0xFFFF, dst=0xFFFF),
    tcp_flags=0,
)  # fmt: skip
_PAIR = struct.Struct("!II")
_MARK = _PAIR.pack(0x0A5AA5C3, 0x0BC33CA5)
_UFID = bytes(range(0x90, 0xA0))


class Ends(NamedTuple):
    """The two addresses of a flow."""

    source: int
    target: int


def ends(number: int) -> Ends:
    """Of the flow of this number."""
    return Ends(0x0A000000 + number, 0x0B000000 + (number * 7919 & 0xFFFFFF))


def installs(numbers: Sequence[int], datapath: int) -> list[bytes]:
    """Requests for new flows of these numbers."""
    source, target = _PAIR.unpack(_MARK)
    key = Attributes(
        in_port=1,
        ethernet=Ethernet.value(src=1, dst=2),
        ethertype=0x0800,
        ipv4=Ipv4.value(src=source, dst=target, protocol=6, tos=0, ttl=64, fragment=0),
        tcp=Tcp.value(src=1000, dst=80),
        tcp_flags=0,
    )
    said = Attributes(ufid=_UFID, key=key, mask=_MASK, actions=Attributes(output=2))
    flags = REQUEST | ACK | CREATE | EXCLUSIVE
    whole = Codec().encode(Message(FLOW, "new", said, datapath, flags))
    at, ufid_at = whole.index(_MARK), whole.index(_UFID)
    found = []
    for number in numbers:
        message = bytearray(whole)
        message[ufid_at : ufid_at + 16] = _ufid(number)
        _PAIR.pack_into(message, at, *ends(number))
        found.append(bytes(message))
    return found


def deletes(numbers: Sequence[int], datapath: int) -> list[bytes]:
    """Requests to delete them, answered by their last statistics."""
    said = Attributes(ufid=_UFID, ufid_flags=7)
    whole = Codec().encode(Message(FLOW, "del", said, datapath, REQUEST | ECHO))
    at = whole.index(_UFID)
    return [whole[:at] + _ufid(number) + whole[at + 16 :] for number in numbers]


def _ufid(number: int) -> bytes:
    return number.to_bytes(16, "big")


def text(number: int) -> str:
    """The flow in the syntax of `ovs-dpctl`."""
    pair = [".".join(map(str, each.to_bytes(4, "big"))) for each in ends(number)]
    return (
        "in_port(1),eth(),eth_type(0x0800),"
        f"ipv4(src={pair[0]},dst={pair[1]},proto=6,frag=no),tcp(src=1000,dst=80)"
    )
