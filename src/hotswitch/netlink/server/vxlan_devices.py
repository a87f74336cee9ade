"""VXLAN devices that are made for vports.

Each has a mark, an alternative name that says which daemon made it and for which vport. It gets
that after it was made; if the work breaks off in between, the device is known by its MAC address,
which it is made with and which follows from its owner and its name.
"""

from __future__ import annotations

import hashlib

from hotswitch.kernel import link_actions
from hotswitch.kernel.links import Link

KIND = "vxlan"

_MTU = 65000
"""Bytes. Larger packets than the underlay takes are its business, as with ovs-vswitchd
(lib/dpif-netlink-rtnl.c)."""
_LOCAL, _GROUP = 0x02 << 40, 0x01 << 40


def create(owner: str, name: str, port: int) -> Link:
    """Make one without a mark, which is not up yet. Raises KernelError."""
    return link_actions.create_vxlan(name, port, mtu=_MTU, address=address_of(owner, name))


def mark(owner: str, name: str) -> str:
    """Its alternative name."""
    return f"hotswitch-{owner}-vxlan-{name}"


def is_made(owner: str, link: Link) -> bool:
    """Whether the link was made here under this owner."""
    if link.kind != KIND:
        return False
    prefix = mark(owner, "")
    marked = any(name.startswith(prefix) for name in link.alternative_names)
    return marked or link.address == address_of(owner, link.name)


def tunnel_port(link: Link) -> int:
    """The UDP port, if outer headers are said and told packet by packet; else 0."""
    details = dict(link.details)
    external = link.kind == KIND and details.get("collect_metadata")
    return details.get("port", 0) if external else 0


def address_of(owner: str, name: str) -> int:
    """The MAC address that it is made with: unicast, locally administered."""
    digest = hashlib.sha256(f"vxlan/{owner}/{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") & ~_GROUP | _LOCAL
