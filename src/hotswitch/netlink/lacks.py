"""What the model of matches and actions can't say yet, and what it would take.

Refusals name these reasons, and docs/netlink.md lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "ct_state": "connection tracking",
        "ct_zone": "connection tracking",
        "ct_mark": "connection tracking",
        "ct_labels": "connection tracking, and a field of 128 bits beside the packet",
        "ct_tuple_ipv4": "connection tracking",
        "ct_tuple_ipv6": "connection tracking",
        "nsh": "a declaration of the NSH header (RFC 8300)",
        "packet_type": "frames without Ethernet; the kernel refuses it too",
        "nd_extensions": "options and flags of neighbour discovery; the kernel refuses it too",
        "tunnel_info": "nothing: it is the kernel's own",
    }
)
"""Key attributes. Those that are zero in every packet here may be matched as zero."""

ALWAYS_ZERO = frozenset(
    {
        "ct_state",
        "ct_zone",
        "ct_mark",
        "ct_labels",
        "ct_tuple_ipv4",
        "ct_tuple_ipv6",
    }
)
"""Of these, what no packet here has: a match on zero holds for all."""

_NO_PORTS = "a kernel that tells programs the UDP ports of outer headers, and takes them"
_NO_OPTIONS = "fields beside the packet for what a tunnel has beyond its id"

TUNNELS: Mapping[str, str] = MappingProxyType(
    {
        "src_port": _NO_PORTS,
        "dst_port": _NO_PORTS,
        "geneve_options": _NO_OPTIONS,
        "vxlan_options": _NO_OPTIONS,
        "erspan_options": _NO_OPTIONS,
        "ipv4_info_bridge": "tunnel devices as bridge ports",
    }
)
"""Attributes of tunnel keys. A `dst_port` can be set all the same: to that of the port's device."""

OAM = "a kernel that takes this flag from programs; it can be matched"

NO_OPTION = "a link-layer address that is 0 where the option is absent"

ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "ct": "connection tracking, address translation included",
        "ct_clear": "connection tracking",
        "push_eth": "frames without Ethernet",
        "pop_eth": "frames without Ethernet",
        "push_nsh": "a declaration of the NSH header, and an action that puts one on",
        "pop_nsh": "a declaration of the NSH header, and an action that takes it off",
        "add_mpls": "a label before the Ethernet header",
        "psample": "copies to the kernel's psample groups",
    }
)
"""Actions, where they can't be said as something that the model has."""
