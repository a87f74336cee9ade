"""Which extension headers an IPv6 packet has, as a key says it (`ipv6_extensions`) and as a match
does: by the presence of layers.

The source is net/openvswitch/flow.c, get_ipv6_ext_hdrs; the bits are those of OpenFlow's
OXM_OF_IPV6_EXTHDR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from hotswitch.netlink.errors import NetlinkError, UnsupportedError

LAYERS: Mapping[str, int] = MappingProxyType(
    {
        "authentication": 0x04,
        "ipv6_destination": 0x08,
        "ipv6_fragment": 0x10,
        "ipv6_routing": 0x20,
        "ipv6_hop_by_hop": 0x40,
    }
)
"""The bit of each layer."""
FRAGMENT = LAYERS["ipv6_fragment"]

_PROTOCOLS = {0x01: 59, 0x02: 50}
"""Bits that are there with just this protocol: no next header, and ESP."""
_IRREGULAR = 0x180
"""Headers that are repeated, or out of order."""
_ALL = 0x1FF
NO_FIELD = "a field that says whether they are repeated or out of order, but for packets without"
NO_PROTOCOL = "ipv6.protocol under a mask of all bits beside it"


def presence(value: int, mask: int, protocol: int | None) -> Iterator[tuple[str, int]]:
    """The layers that such a key looks at, and whether they are there.

    protocol: that of the packet, None: not known. Raises NetlinkError for what no packet has, or
    can't be said.
    """
    value, mask = value & mask, mask & 0xFFFF
    if value & ~_ALL:
        raise NetlinkError(f"{value & ~_ALL:#x} stands for no extension headers")
    for bit, number in _PROTOCOLS.items():
        if not mask & bit:
            continue
        if protocol is None:
            raise UnsupportedError(NO_PROTOCOL)
        if bool(value & bit) != (protocol == number):
            raise NetlinkError(f"its bit {bit:#x} contradicts the protocol {protocol}")
    layers = sum(LAYERS.values())
    if mask & _IRREGULAR and (value or mask & layers != layers):
        raise UnsupportedError(NO_FIELD)
    for layer, bit in LAYERS.items():
        if mask & bit:
            yield layer, int(bool(value & bit))
