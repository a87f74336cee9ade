"""What can be done to links. All in this thread's network namespace; all raise KernelError."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import NamedTuple

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import (
    IFLA_ADDRESS,
    IFLA_ALT_IFNAME,
    IFLA_IFNAME,
    IFLA_INFO_DATA,
    IFLA_INFO_KIND,
    IFLA_LINK,
    IFLA_LINKINFO,
    IFLA_MASTER,
    IFLA_MTU,
    IFLA_PROP_LIST,
    RTM_DELLINK,
    RTM_NEWLINK,
    Link,
    check_name,
    get_link,
    information,
    target,
)
from hotswitch.kernel.netlink import NetlinkSocket, Request

_RTM_SETLINK = 19
_RTM_NEWLINKPROP = 108
_RTM_DELLINKPROP = 109
_IFLA_AF_SPEC = 26
_IFLA_NET_NS_FD = 28
_IFLA_INET6_ADDR_GEN_MODE = 8
_IN6_ADDR_GEN_MODE_NONE = 1
_VETH_INFO_PEER = 1
_VXLAN_LEARNING = 7
_VXLAN_PORT = 15
_VXLAN_ZERO_CHECKSUM_6_RX = 20
_VXLAN_COLLECT_METADATA = 25
_UP = 1
_PROMISCUOUS = 0x100
_UP_OR_DOWN, _ON_OR_OFF = ("down", "up"), ("off", "on")


def create(
    name: str,
    kind: str,
    *,
    mtu: int = 0,
    data: bytes = b"",
    base: int = 0,
    index: int = 0,
    address: int = 0,
) -> Link:
    """Make a link of a kind ("dummy", "bridge"); `data` is the kind's own attributes.

    base: the index of the link below it (a macvlan's), or 0. index: its own, or 0 for a free one.
    address: its MAC address, 48 bits, or 0 for the usual.
    """
    check_name(name)
    details = netlink.attribute(IFLA_INFO_KIND, kind.encode())
    if data:
        details += netlink.nested(IFLA_INFO_DATA, data)
    body = (
        information.pack(socket.AF_UNSPEC, 0, index, 0, 0)
        + netlink.text(IFLA_IFNAME, name)
        + (netlink.u32(IFLA_MTU, mtu) if mtu else b"")
        + (netlink.u32(IFLA_LINK, base) if base else b"")
        + (netlink.attribute(IFLA_ADDRESS, address.to_bytes(6, "big")) if address else b"")
        + netlink.nested(IFLA_LINKINFO, details)
    )
    flags = netlink.CREATE | netlink.EXCLUSIVE
    _request(RTM_NEWLINK, body, f"make the {kind} {name}", flags)
    link = get_link(name)
    if link is None:
        raise KernelError(f"make the {kind} {name}: it went at once")
    return link


def create_veth(
    name: str,
    peer: str,
    *,
    mtu: int = 0,
    peer_namespace: int | None = None,
    index: int = 0,
    address: int = 0,
) -> Link:
    """Make a pair of links; the peer in the namespace of a descriptor (netns.open_namespace).

    index, address: of the one called `name`, as `create` has them.
    """
    check_name(peer)
    other = information.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + netlink.text(IFLA_IFNAME, peer)
    if mtu:
        other += netlink.u32(IFLA_MTU, mtu)
    if peer_namespace is not None:
        other += netlink.u32(_IFLA_NET_NS_FD, peer_namespace)
    peers = netlink.attribute(_VETH_INFO_PEER, other)
    return create(name, "veth", mtu=mtu, data=peers, index=index, address=address)


def create_vxlan(name: str, port: int, *, mtu: int, address: int = 0) -> Link:
    """Make a VXLAN device whose outer headers are said and told packet by packet ("external").

    port: UDP, 0 for the kernel's own choice. It also takes IPv6 underlays' packets without UDP
    checksums, as those of Open vSwitch do (IFLA_VXLAN_*, include/uapi/linux/if_link.h).
    """
    data = (
        netlink.attribute(_VXLAN_LEARNING, b"\0")
        + netlink.attribute(_VXLAN_PORT, port.to_bytes(2, "big"))
        + netlink.attribute(_VXLAN_ZERO_CHECKSUM_6_RX, b"\1")
        + netlink.attribute(_VXLAN_COLLECT_METADATA, b"\1")
    )
    return create(name, "vxlan", mtu=mtu, data=data, address=address)


def delete(index: int, namespace: int = -1) -> None:
    """Delete a link; a veth's peer goes with it. namespace: that it is in, as of `list_links`."""
    body = information.pack(socket.AF_UNSPEC, 0, index, 0, 0) + target(namespace)
    _request(RTM_DELLINK, body, f"delete the link {index}")


def set_up(index: int, up: bool = True) -> None:
    """Set a link up or down."""
    _change_flags(FlagChange(index, up=up))


def set_promiscuous(index: int, promiscuous: bool) -> None:
    """Let a link take frames for all addresses, or no longer."""
    _change_flags(FlagChange(index, promiscuous=promiscuous))


class FlagChange(NamedTuple):
    """A link that is to be up or not, promiscuous or not; None: as it is."""

    ifindex: int
    up: bool | None = None
    promiscuous: bool | None = None


def change_flags(changes: Sequence[FlagChange]) -> list[KernelError | None]:
    """Do what `set_up` and `set_promiscuous` do for many links; for each why it failed, or None."""
    with NetlinkSocket(netlink.ROUTE) as asker:
        answers = asker.requests([_flag_request(each) for each in changes])
    return [each if isinstance(each, KernelError) else None for each in answers]


def _change_flags(change: FlagChange) -> None:
    for error in filter(None, change_flags([change])):
        raise error


def _flag_request(change: FlagChange) -> Request:
    flags = (_UP if change.up else 0) | (_PROMISCUOUS if change.promiscuous else 0)
    mask = (change.up is not None) * _UP | (change.promiscuous is not None) * _PROMISCUOUS
    words = [] if change.up is None else [f"set the link {change.ifindex} {_UP_OR_DOWN[change.up]}"]
    if change.promiscuous is not None:
        state = _ON_OR_OFF[change.promiscuous]
        words.append(f"turn promiscuous mode of the link {change.ifindex} {state}")
    body = information.pack(socket.AF_UNSPEC, 0, change.ifindex, flags, mask)
    return Request(_RTM_SETLINK, 0, body, " and ".join(words))


def set_address(index: int, address: int) -> None:
    """Set the MAC address (48 bits)."""
    value = address.to_bytes(6, "big")
    _set(index, netlink.attribute(IFLA_ADDRESS, value), f"set the address of the link {index}")


def set_mtu(index: int, mtu: int) -> None:
    """Set the largest packet's size in bytes, without Ethernet header."""
    _set(index, netlink.u32(IFLA_MTU, mtu), f"set the MTU of the link {index} to {mtu}")


def take_no_addresses(index: int) -> None:
    """Have the kernel give the link no IPv6 address, so that it sends nothing by itself."""
    mode = netlink.attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_IN6_ADDR_GEN_MODE_NONE]))
    families = netlink.nested(_IFLA_AF_SPEC, netlink.nested(socket.AF_INET6, mode))
    try:
        _set(index, families, f"keep the link {index} without addresses")
    except KernelError as error:
        if error.errno != errno.EAFNOSUPPORT:  # a kernel without IPv6
            raise


def set_master(index: int, master: int) -> None:
    """Put a link into a bridge or bond, or with 0 out of it."""
    _set(index, netlink.u32(IFLA_MASTER, master), f"set the master of the link {index}")


def rename(index: int, name: str) -> None:
    """Rename a link; before Linux 6.3 it must be down."""
    check_name(name)
    _set(index, netlink.text(IFLA_IFNAME, name), f"rename the link {index} to {name}")


def move(index: int, namespace: int, name: str = "") -> None:
    """Move a link to the network namespace of a descriptor; its index there may be another.

    name: that it has there; if it is taken, the link is there with its old one. Empty: as it is.
    """
    where, attempt = netlink.u32(_IFLA_NET_NS_FD, namespace), f"move the link {index}"
    if name:
        check_name(name)
        where, attempt = where + netlink.text(IFLA_IFNAME, name), f"{attempt} as {name}"
    _set(index, where, attempt)


def add_alternative_name(index: int, name: str) -> None:
    """Give a link one more name, of up to 127 bytes."""
    add_alternative_names(index, (name,))


def add_alternative_names(index: int, names: Sequence[str]) -> None:
    """Give a link more names in one request; those before one that can't be had it keeps."""
    text = ", ".join(names)
    _alternative_names(_RTM_NEWLINKPROP, index, names, f"give the link {index} the name {text}")


def delete_alternative_name(index: int, name: str) -> None:
    """Take an alternative name away."""
    _alternative_names(_RTM_DELLINKPROP, index, (name,), f"take the name {name} from a link")


def delete_alternative_names(index: int, names: Sequence[str]) -> None:
    """Take those of these alternative names away that the link has."""
    for name in names:
        try:
            delete_alternative_name(index, name)
        except KernelError as error:
            if error.errno != errno.ENOENT:
                raise


def _alternative_names(kind: int, index: int, names: Sequence[str], attempt: str) -> None:
    texts = b"".join(netlink.text(IFLA_ALT_IFNAME, name) for name in names)
    flags = netlink.CREATE | netlink.EXCLUSIVE if kind == _RTM_NEWLINKPROP else 0
    body = information.pack(socket.AF_UNSPEC, 0, index, 0, 0)
    _request(kind, body + netlink.nested(IFLA_PROP_LIST, texts), attempt, flags)


def _set(index: int, attributes: bytes, attempt: str) -> None:
    body = information.pack(socket.AF_UNSPEC, 0, index, 0, 0) + attributes
    _request(_RTM_SETLINK, body, attempt)


def _request(kind: int, body: bytes, attempt: str, flags: int = 0) -> None:
    with NetlinkSocket(netlink.ROUTE) as asker:
        asker.request(kind, flags, body, attempt)
