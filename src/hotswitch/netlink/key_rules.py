"""Which attributes of a flow key belong to each other, and what a mask may look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.keys import FRAGMENT_LATER
from hotswitch.netlink.places import (
    ADVERT,
    ARP,
    IPV4,
    IPV6,
    LAYER_4,
    MPLS,
    RARP,
    SOLICIT,
    is_zero,
)

EXACT = -1
"""A mask of all bits, whatever their number."""

_BOUND = frozenset({"arp", "mpls", "ipv4", "ipv6", "tcp_flags", "nd", *LAYER_4.values()})
"""Attributes that can be there only where another one says so."""


def mask_of(mask: Attributes | None, name: str) -> Any:
    """What a mask says of an attribute; all bits if there is no mask."""
    return EXACT if mask is None else mask.get(name)


def expected_in(key: Attributes, mask: Attributes | None) -> dict[str, bool]:
    """What such a key has to have, and whether a mask may look at it."""
    ethertype = key.get("ethertype")
    looked_at = not is_zero(mask_of(mask, "ethertype"))
    found: dict[str, bool] = {}
    if ethertype in (ARP, RARP):
        found["arp"] = looked_at
    elif ethertype in MPLS:
        found["mpls"] = looked_at
    elif ethertype in (IPV4, IPV6):
        name = "ipv4" if ethertype == IPV4 else "ipv6"
        found[name] = looked_at
        if name in key:
            found.update(_expected_above(key, mask, name))
    return found


def _expected_above(key: Attributes, mask: Attributes | None, name: str) -> dict[str, bool]:
    value = key[name]
    if value.fragment == FRAGMENT_LATER:
        return {}
    layer_4 = LAYER_4.get(value.protocol)
    if layer_4 is None or layer_4 == ("icmpv6" if name == "ipv4" else "icmp"):
        return {}
    looked_at = mask_of(mask, name)
    exact = looked_at == EXACT or (looked_at is not None and looked_at.protocol == 0xFF)
    found = {layer_4: exact}
    if layer_4 == "tcp":
        found["tcp_flags"] = exact
    icmp = key.get("icmpv6")
    if layer_4 == "icmpv6" and icmp is not None and icmp.type in (SOLICIT, ADVERT):
        icmp_mask = mask_of(mask, "icmpv6")
        found["nd"] = icmp_mask == EXACT or (icmp_mask is not None and icmp_mask.type == 0xFF)
    return found


def said_by(key: Attributes, name: str) -> str:
    """What says in such a key that packets have this attribute (of `expected_in`)."""
    if name in ("arp", "mpls", "ipv4", "ipv6"):
        return f"ethertype {key['ethertype']:#06x}"
    if name == "nd":
        return f"icmpv6.type {key['icmpv6'].type}"
    network = "ipv4" if key["ethertype"] == IPV4 else "ipv6"
    return f"{network}.protocol {key[network].protocol}"


def _condition(name: str) -> str:
    """What has to be matched before this attribute can be."""
    if name in _ETHERTYPES:
        return f"ethertype {_ETHERTYPES[name]}"
    if name == "nd":
        return f"icmpv6.type {SOLICIT} or {ADVERT}"
    layer_4 = "tcp" if name == "tcp_flags" else name
    return next(f"protocol {number}" for number, each in LAYER_4.items() if each == layer_4)


_ETHERTYPES = {
    "arp": f"{ARP:#06x} or {RARP:#06x}",
    "mpls": " or ".join(f"{each:#06x}" for each in MPLS),
    "ipv4": f"{IPV4:#06x}",
    "ipv6": f"{IPV6:#06x}",
}


def check_mask(key: Attributes, mask: Attributes | None, expected: Mapping[str, bool]) -> None:
    """Raise NetlinkError if a mask looks at what the key does not have, or what can't be there."""
    looked_at = key if mask is None else mask
    where = "key" if mask is None else "mask"
    for name, value in looked_at:
        if name in key and (name not in _BOUND or expected.get(str(name))):
            continue
        if mask is not None and is_zero(value):
            continue
        if name in _BOUND and not expected.get(str(name)):
            raise NetlinkError(
                "nothing that is matched says that it is there: "
                f"{_condition(str(name))}, under a mask of all bits",
                path=(where, str(name)),
            )
        if name not in key and name not in ("tunnel", "ethertype"):
            raise NetlinkError("the key does not have it", path=(where, str(name)))
