"""Where the members of flow keys are in hotswitch's headers.

One table for both directions, for matches and for set actions. What needs more than a table
(tags, fragments, neighbour discovery) is in `flows.py` and `keys.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hotswitch.headers.meta import META, Origin
from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.types import Masked

TAGS = (0x8100, 0x88A8)
IPV4, IPV6, ARP, RARP = 0x0800, 0x86DD, 0x0806, 0x8035
MPLS = (0x8847, 0x8848)
SOLICIT, ADVERT = 135, 136
FIRST_ETHERTYPE = 0x600

LABELS = ("mpls", "mpls2", "mpls3")
BESIDE = ("priority", "skb_mark", "recirc_id", "dp_hash")
"""The fields beside the packet that are a key's attributes of the same name."""

COPIED = (
    *BESIDE,
    *(each.name for each in META if each.origin is Origin.TUNNEL),
)
"""The fields beside the packet that a key has, so that copies to user space have to carry them."""

NUMBER = ""
"""The member of an attribute that is a number, not a structure."""

PLACES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "in_port": {NUMBER: ("in_port",)},
        "ethernet": {"src": ("ethernet.src",), "dst": ("ethernet.dst",)},
        "ethertype": {NUMBER: ("ethertype",)},
        "ipv4": {
            "src": ("ipv4.src",),
            "dst": ("ipv4.dst",),
            "protocol": ("ipv4.protocol",),
            "tos": ("ipv4.dscp", "ipv4.ecn"),
            "ttl": ("ipv4.ttl",),
        },
        "ipv6": {
            "src": ("ipv6.src",),
            "dst": ("ipv6.dst",),
            "label": ("ipv6.flow_label",),
            # The kernel looks behind extension headers, too.
            "protocol": ("ip_protocol",),
            "traffic_class": ("ipv6.dscp", "ipv6.ecn"),
            "hop_limit": ("ipv6.hop_limit",),
        },
        "arp": {
            "sender_ip": ("arp.sender_ip",),
            "target_ip": ("arp.target_ip",),
            "operation": ("arp.operation",),
            "sender_mac": ("arp.sender_mac",),
            "target_mac": ("arp.target_mac",),
        },
        "tcp": {"src": ("tcp.src",), "dst": ("tcp.dst",)},
        "tcp_flags": {NUMBER: ("tcp.flags",)},
        "udp": {"src": ("udp.src",), "dst": ("udp.dst",)},
        "sctp": {"src": ("sctp.src",), "dst": ("sctp.dst",)},
        "icmp": {"type": ("icmp.type",), "code": ("icmp.code",)},
        "icmpv6": {"type": ("icmpv6.type",), "code": ("icmpv6.code",)},
        "priority": {NUMBER: ("priority",)},
        "skb_mark": {NUMBER: ("skb_mark",)},
        "dp_hash": {NUMBER: ("dp_hash",)},
        "recirc_id": {NUMBER: ("recirc_id",)},
        "ct_state": {NUMBER: ("ct_state",)},
        "ct_zone": {NUMBER: ("ct_zone",)},
        "ct_mark": {NUMBER: ("ct_mark",)},
    }
)
"""For each attribute's members, the fields that stand there, the most significant first."""

LAYER_4 = MappingProxyType({6: "tcp", 17: "udp", 132: "sctp", 1: "icmp", 58: "icmpv6"})
"""The attribute of an upper layer by its protocol's number."""


def label_fields(place: int) -> tuple[str, ...]:
    """The fields of a label stack entry."""
    layer = LABELS[place]
    return (f"{layer}.label", f"{layer}.traffic_class", f"{layer}.bottom", f"{layer}.ttl")


def has_field(registry: Registry, name: str) -> bool:
    """Whether there is a field of that name."""
    return name in _names(registry)


@functools.lru_cache(maxsize=4)
def _names(registry: Registry) -> frozenset[str]:
    return frozenset(info.name for info in registry.fields())


def spread(registry: Registry, fields: tuple[str, ...], number: int) -> dict[str, int]:
    """The bits of a number, field by field. Raises NetlinkError for bits that no field takes."""
    found = {}
    for name in reversed(fields):
        info = registry.field(name)
        found[name] = number & info.mask
        number >>= info.width
    if number:
        raise NetlinkError(f"{' and '.join(fields)} can't hold that much")
    return found


def gather(registry: Registry, fields: tuple[str, ...], values: Mapping[str, int]) -> int:
    """The number that fields are together; those without a value count as 0."""
    number = 0
    for name in fields:
        number = number << registry.field(name).width | values.get(name, 0)
    return number


def width(registry: Registry, fields: tuple[str, ...]) -> int:
    """The bits of all fields together."""
    return sum(registry.field(name).width for name in fields)


def members(value: Any) -> Mapping[str, int]:
    """The members of a structure, or of a number."""
    return {NUMBER: value} if isinstance(value, int) else value._asdict()


def is_zero(value: Any) -> bool:
    """Whether all bits of a value are zero; None is nothing, so it is."""
    if not value:
        return True
    if isinstance(value, int):
        return False
    if isinstance(value, tuple):
        return all(map(is_zero, value[:1] if isinstance(value, Masked) else value))
    if isinstance(value, bytes):
        return not value.strip(b"\0")
    return isinstance(value, Attributes) and all(is_zero(each) for _, each in value)
