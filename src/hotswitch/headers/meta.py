"""The fields that belong to no header: they are the packet's companions, not its bytes.

Each says where its first value comes from. To add one is to declare it here: it can then be
matched under masks, and set if it is settable, in every engine.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hotswitch.headers.declaration import Field, Oxm
from hotswitch.headers.text import DECIMAL, HEXADECIMAL, IPV4, IPV6, TextForm

NXM_1 = 0x0001
"""The OXM class of Nicira's own extensions (NXM_NX_*)."""

REGISTERS = 16


class Origin(enum.Enum):
    """Where a field beside the packet has its first value from; for people."""

    ZERO = "zero at the start"
    INGRESS = "the port that the packet came in by"
    PRIORITY = "the kernel's queueing priority of the packet, which is set with it (skb->priority)"
    MARK = "the kernel's mark of the packet, which is set with it (skb->mark)"
    PARSED = "what the parser found"
    TUNNEL = "the outer headers that a tunnel device has taken off the packet"
    OUT_TUNNEL = "zero at the start; the outer headers that a tunnel device puts on the packet"


KERNELS_OWN = frozenset({Origin.PRIORITY, Origin.MARK})
"""Those that the kernel keeps beside its packets. XDP can't see them: packets for which one is
looked at or set are left to tcx."""


@dataclass(frozen=True, slots=True)
class Test:
    """A header's field, a layer or a space's field is from `low` to `high`; one whose header is
    absent is not."""

    field: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Bit:
    """1 if any of `any_of` holds, and none of `none_of`."""

    any_of: tuple[Test, ...]
    none_of: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside(Field):
    """A field beside the packet.

    bits: of one that is PARSED, its bits, the least significant first. They are found out when
    the frame is parsed, and stay.
    """

    origin: Origin = Origin.ZERO
    bits: tuple[Bit, ...] = ()


_LATER_FRAGMENT = (
    Test("ipv4.fragment_offset", 1, 0x1FFF),
    Test("ipv6_fragment.fragment_offset", 1, 0x1FFF),
)
_FRAGMENT = (Test("ipv4.more_fragments", 1, 1), Test("ipv6_fragment", 1, 1))

TUNNEL_CHECKSUM, TUNNEL_HAS_ID, TUNNEL_DONT_FRAGMENT, TUNNEL_OAM = 1, 4, 0x100, 0x200
"""Bits of `tunnel_flags`: the kernel's TUNNEL_* (include/uapi/linux/if_tunnel.h)."""


def _outer_headers(prefix: str, origin: Origin, settable: bool) -> tuple[Beside, ...]:
    def field(name: str, width: int, doc: str, text: TextForm, code: Oxm | None = None) -> Beside:
        oxm = None if settable else code
        return Beside(f"{prefix}{name}", width, text, oxm, 0, settable, doc, origin)

    return (
        field("", 8, "the outer headers' IP version, 4 or 6; 0: there are none", DECIMAL),
        field("_tos", 8, "outer type of service or traffic class", HEXADECIMAL),
        field("_ttl", 8, "outer TTL or hop limit", DECIMAL),
        field("_flags", 16, "1: checksum; 4: has an id; 0x100: don't fragment", HEXADECIMAL),
        field("_id", 64, "the network's number (VXLAN's VNI)", DECIMAL, Oxm(38)),
        field("_src", 32, "outer IPv4 source", IPV4, Oxm(31, NXM_1)),
        field("_dst", 32, "outer IPv4 destination", IPV4, Oxm(32, NXM_1)),
        field("_ipv6_src", 128, "outer IPv6 source", IPV6, Oxm(109, NXM_1)),
        field("_ipv6_dst", 128, "outer IPv6 destination", IPV6, Oxm(110, NXM_1)),
    )


META: tuple[Beside, ...] = (
    Beside(
        "in_port",
        32,
        oxm=Oxm(0),
        settable=False,
        doc="the port the packet came in by",
        origin=Origin.INGRESS,
    ),
    Beside("metadata", 64, HEXADECIMAL, oxm=Oxm(2), doc="handed on from table to table"),
    *(
        Beside(f"reg{number}", 32, HEXADECIMAL, oxm=Oxm(number, NXM_1), doc="free for use")
        for number in range(REGISTERS)
    ),
    Beside(
        "priority",
        32,
        HEXADECIMAL,
        doc="the packet's queueing priority in the kernel",
        origin=Origin.PRIORITY,
    ),
    Beside(
        "skb_mark",
        32,
        HEXADECIMAL,
        oxm=Oxm(33, NXM_1),
        doc="the packet's mark in the kernel",
        origin=Origin.MARK,
    ),
    Beside(
        "recirc_id",
        32,
        HEXADECIMAL,
        oxm=Oxm(36, NXM_1),
        settable=False,
        doc="0: not recirculated",
    ),
    Beside(
        "dp_hash",
        32,
        HEXADECIMAL,
        oxm=Oxm(35, NXM_1),
        settable=False,
        doc="what a hash of the flow gave; 0: none was computed",
    ),
    Beside(
        "ip_fragment",
        3,
        settable=False,
        doc="0: none; 5: the first one; 6: a later one",
        origin=Origin.PARSED,
        bits=(
            Bit(_FRAGMENT, none_of=_LATER_FRAGMENT),
            Bit(_LATER_FRAGMENT),
            Bit((*_FRAGMENT, *_LATER_FRAGMENT)),
        ),
    ),
    Beside(
        "length_frame",
        1,
        settable=False,
        doc="1: a length (below 0x600) stands where others have an EtherType",
        origin=Origin.PARSED,
        bits=(Bit((Test("ethertype", 0, 0x5FF),)),),
    ),
    *_outer_headers("tunnel", Origin.TUNNEL, settable=False),
    *_outer_headers("out_tunnel", Origin.OUT_TUNNEL, settable=True),
)
