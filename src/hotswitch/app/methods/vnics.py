"""vnic/add, del, list, rename."""

from __future__ import annotations

import secrets
from typing import Any, Literal

import msgspec

from hotswitch.app.control.method import Method, Nothing, RequestError
from hotswitch.app.host_links import HostLinks, give_name
from hotswitch.app.link_references import with_device_name, with_device_named
from hotswitch.app.methods.links import rename_link
from hotswitch.app.service import Service, with_port, without_port
from hotswitch.app.vnic_names import VnicNames
from hotswitch.app.vnic_view import KINDS, Vnic, VnicView
from hotswitch.base.errors import HotswitchError
from hotswitch.headers.text import MAC
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link
from hotswitch.ports.selector import show_incarnation
from hotswitch.ports.vnics import Macvlan
from hotswitch.ports.vnics_macvlan import Macvlans, inside
from hotswitch.switch.check import check_name, check_namespace
from hotswitch.switch.desired import DesiredBridge, DesiredPort

_ATTEMPTS = 16
"""Names to try while somebody else takes them at the same moment."""
_GROUP_ADDRESS = 1 << 40
_LOCAL_ADDRESS = 1 << 41
"""Bits of a MAC address: one for many, and one that no manufacturer has given."""
_LOOPBACK = 772
_ETHERNET = 1
"""ARPHRD_LOOPBACK, ARPHRD_ETHER (include/uapi/linux/if_arp.h)."""


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new vNIC. over: a bridge, or a link by name or id; empty: the only bridge.

    type: empty: what fits. netns: by name or path; empty: the daemon's. name: empty: any.
    """

    over: str = ""
    type: Literal["", "veth", "tap", "macvlan"] = ""
    netns: str = ""
    mac: str = ""
    name: str = ""


class Which(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vNIC by name or link id."""

    vnic: str


class Rename(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A vNIC by name or link id, and the name that it is to have."""

    vnic: str
    name: str


def methods(service: Service, host: HostLinks, macvlans: Macvlans) -> tuple[Method, ...]:
    """The methods of this noun."""
    names = VnicNames(service, host, macvlans)
    view = VnicView(service, host, macvlans)

    async def add(asked: Add) -> str:
        macvlans.forget_gone()
        bridge, base = _under(service, host, asked.over)
        kind = asked.type or ("macvlan" if base else "veth")
        _check_type(kind, bridge, base, asked.netns)
        mac, namespace = _address(asked.mac), _namespace(asked.netns)
        for _ in range(_ATTEMPTS):
            with names.reserved(asked.name, namespace) as (name, device):
                try:
                    if base:
                        macvlans.add(device, base, namespace, mac)
                    else:
                        port = DesiredPort(name, kind=KINDS[kind], mac=mac, namespace=namespace)
                        await _add_port(service, bridge, with_device_name(port, device))
                    host.kernel.look()  # its id is known from now on
                    return device
                except HotswitchError:
                    if asked.name or names.is_free(name, namespace):
                        raise
        raise RequestError("each free name is taken before it can be had", remedy="give --name")

    async def delete(asked: Which) -> None:
        vnic = view.find(asked.vnic)
        if isinstance(vnic.of, Macvlan):
            macvlans.delete(vnic.of)
        else:
            await service.change(vnic.of.name, lambda bridge: without_port(bridge, vnic.name))

    def listing(_: Nothing) -> list[dict[str, Any]]:
        return [_row(each) for each in view.all()]

    async def rename(asked: Rename) -> None:
        vnic = view.find(asked.vnic)
        if vnic.link is None:
            raise RequestError(f"vNIC {vnic.name} has no device that can be seen just now")
        if vnic.namespace:
            await _rename_there(service, macvlans, vnic, vnic.link, asked.name)
        else:
            await rename_link(service, host, macvlans, host.find(vnic.link.name), asked.name)

    return (
        Method("vnic/add", add, Add),
        Method("vnic/del", delete, Which),
        Method("vnic/list", listing),
        Method("vnic/rename", rename, Rename),
    )


async def _add_port(service: Service, bridge: str, port: DesiredPort) -> None:
    def with_new_port(before: DesiredBridge) -> DesiredBridge:
        if port.name in before.ports:  # a client of the database was quicker
            raise RequestError(f"{port.name} is taken: port {port.name} of bridge {bridge} has it")
        return with_port(before, port)

    await service.change(bridge, with_new_port, port.name)


def _under(service: Service, host: HostLinks, over: str) -> tuple[str, Link | None]:
    """The bridge or the link that is meant. Raises RequestError."""
    bridges = sorted(service.desired.bridges)
    if not over:
        if len(bridges) == 1:
            return bridges[0], None
        there = f"there are {len(bridges)} bridges" if bridges else "there is no bridge"
        raise RequestError(there, remedy="say which bridge or link: --over NAME")
    if over in bridges:
        return over, None
    base = host.find(over, what="bridge and no link")
    for name, bridge in service.switch.statuses().items():
        for port in bridge.ports.values():
            if base.index in {port.ifindex, *(each.link.index for each in port.links if each.link)}:
                raise RequestError(
                    f"{base.name} is port {port.name} of bridge {name}", remedy=f"--over {name}"
                )
    host.refuse_another_s(base, "make the vNIC there, or take another link")
    return "", base


def _check_type(kind: str, bridge: str, base: Link | None, namespace: str) -> None:
    if base is None and kind == "macvlan":
        raise RequestError(
            f"{bridge} is a bridge, and a macvlan is over a link", remedy="take veth or tap"
        )
    if base and kind != "macvlan":
        raise RequestError(
            f"{base.name} is a link, and a {kind} is over a bridge", remedy="take macvlan"
        )
    if base and base.device_type != _ETHERNET:
        what = "the loopback device" if base.device_type == _LOOPBACK else "no Ethernet device"
        raise RequestError(f"{base.name} is {what}", remedy="take a bridge, or another link")
    if namespace and kind == "tap":
        raise RequestError(
            "a tap stays where the switch is, for a program to open it",
            remedy="take veth for a namespace",
        )


def _address(text: str) -> int:
    """A vNIC keeps its address, so one is chosen now if none is asked for. Raises RequestError."""
    if not text:
        return secrets.randbits(48) & ~_GROUP_ADDRESS | _LOCAL_ADDRESS
    try:
        mac = MAC.read(text)
    except ValueError:
        remedy = "such as 02:00:00:00:00:01"
        raise RequestError(f"{text[:40]!r} is no MAC address", remedy=remedy) from None
    if mac & _GROUP_ADDRESS:
        raise RequestError(
            f"{MAC.show(mac)} is a group address", remedy="take one whose first byte is even"
        )
    if not mac:
        raise RequestError(f"{MAC.show(mac)} is nobody's address", remedy="leave it out for any")
    return mac


def _namespace(given: str) -> str:
    """The namespace's name or path; nothing for the daemon's own. Raises HotswitchError."""
    if not given:
        return ""
    check_namespace("--netns", given)
    try:
        with netns.inside(given):
            there = netns.identity()
    except KernelError:
        remedy = "see `ip netns list`"
        raise RequestError(f"there is no network namespace {given}", remedy=remedy) from None
    return "" if there == netns.identity() else given


async def _rename_there(
    service: Service, macvlans: Macvlans, vnic: Vnic, link: Link, name: str
) -> None:
    """Rename a device in another namespace, or change nothing. Raises HotswitchError."""
    if name == link.name:
        return
    check_name("vNIC", name)
    with inside(vnic.namespace):
        undo = give_name(link_actions, link, name)
    try:
        if isinstance(vnic.of, Macvlan):
            macvlans.renamed(vnic.of, name)
        else:
            await service.rewrite(lambda desired: with_device_named(desired, vnic.name, name))
    except HotswitchError:
        with inside(vnic.namespace):
            undo()
        raise


def _row(vnic: Vnic) -> dict[str, Any]:
    link = vnic.link
    return {
        "name": vnic.known_as,
        "port": "" if isinstance(vnic.of, Macvlan) else vnic.name,
        "type": vnic.type,
        "over": vnic.over,
        "netns": vnic.namespace,
        "id": link.id or None if link else None,
        "ifindex": link.index if link else 0,
        "incarnation": show_incarnation(link.incarnation) if link and link.incarnation else "",
        "mac": MAC.show(link.address) if link else "",
        "mtu": link.mtu if link else 0,
        "state": ("up" if link.up else "down") if link else "missing",
        "error": vnic.error,
    }
