"""Which link is behind a port. Pure; planning and status share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import assert_never

from hotswitch.datapath.limits import STANDARD
from hotswitch.kernel.links import Link
from hotswitch.model.port import LinkLife, Port, Side
from hotswitch.ports.members import Member, ranked
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.facades import Facade, master_of
from hotswitch.switch.making import Making, peer_missing, peer_wrong
from hotswitch.switch.marks import mark

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""
_OPEN_VSWITCH_KINDS = ("tun", "openvswitch")
"""Of the internal ports that an Open vSwitch leaves (lib/netdev-linux.c, lib/dpif-netlink.c)."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A port's number and links. No link and no error: the port waits for its device.

    link: the one that forwards. standby: the other links of a VIF, the next best first.
    members: of a system port, by the members' names, all links that it has.
    away: likewise, the links that stay its and that it can't use now; `error` says why.
    last: while there is no link, which life the last one had; 0: not known.
    device: what people know the port by: of an internal port the host's end of the pair, or None
        if that is in another network namespace; of others the link.
    waits: `error` is only what it waits for.
    is_without: `error` is only that the links that it would find are other ports'.
    """

    number: int
    link: Link | None = None
    error: str = ""
    device: Link | None = None
    waits: bool = False
    is_without: bool = False
    standby: tuple[Link, ...] = ()
    members: Mapping[str, Link] = field(default_factory=lambda: MappingProxyType({}))
    away: Mapping[str, Link] = field(default_factory=lambda: MappingProxyType({}))
    last: int = 0

    @property
    def ifindex(self) -> int:
        return self.link.index if self.link else 0

    @property
    def links(self) -> tuple[Link, ...]:
        """All of them, the one that forwards first."""
        return (self.link, *self.standby) if self.link else ()

    def port(self, port: DesiredPort, there: Port | None) -> Port:
        """What the datapath is to have; `there`: what it has under the number."""
        known = {each.ifindex: each.incarnation for each in there.ties} if there else {}

        def lives(links: Iterable[Link]) -> list[LinkLife]:
            return [
                LinkLife(link.index, link.incarnation or known.get(link.index, 0)) for link in links
            ]

        first, *standby = lives(self.links) or [LinkLife(0, self.last)]
        away = sorted(lives(self.away.values()), key=lambda each: each.ifindex)
        return Port(
            self.number,
            port.name,
            first.ifindex,
            port.hook,
            first.incarnation,
            tuple(standby),
            port.side,
            tuple(away[: STANDARD.standby - len(standby)]),  # as many as can be noted
        )


def bind(
    bridge: str,
    number: int,
    port: DesiredPort,
    held: Mapping[str, Link],
    there: Port | None,
    making: Making,
    taker: Callable[[Link], tuple[str, str] | None],
) -> Binding:
    """The port with its links.

    held: by member, the ones that it has and keeps. there: what the datapath has. taker: tells
    which other port, of which bridge, has a link; if none has it, this one does from then on.
    """
    last = there.incarnation if there else 0
    match port.kind:
        case PortKind.SYSTEM if port.side is Side.HOST:
            facade = making.facades.by_bridge[bridge]
            found = _host_side(number, port, facade, taker)
        case PortKind.SYSTEM:
            links, away, errors, others = _links(bridge, port, held, making, taker)
            current = there.ifindex if there else 0
            found = _bound(number, port, links, "; ".join((*errors, *others)), current)
            is_without = bool(others) and not (errors or links or away)
            found = replace(found, away=away, is_without=is_without)
        case PortKind.INTERNAL | PortKind.TAP:
            return _made(bridge, number, port, making)
        case PortKind.PATCH:
            return _patched(number, port, making)
        case _:
            assert_never(port.kind)
    return found if found.link else replace(found, last=last)


def lives_of(port: Port) -> tuple[LinkLife, ...]:
    """The lives of links that a port has, the one that forwards first."""
    active = (LinkLife(port.ifindex, port.incarnation),) if port.ifindex else ()
    return (*active, *port.standby)


def _links(
    bridge: str,
    port: DesiredPort,
    held: Mapping[str, Link],
    making: Making,
    taker: Callable[[Link], tuple[str, str] | None],
) -> tuple[dict[str, Link], dict[str, Link], list[str], list[str]]:
    """The links that the port has or can have, by member; those that are its and can't be used;
    what speaks against them and others; and which others are other ports'.

    What is in the Linux bridge that the port is for is its, even if it never could be used.
    """
    links: dict[str, Link] = {}
    away: dict[str, Link] = {}
    errors: list[str] = []
    others: list[str] = []
    for member in port.members:
        link, error = held.get(member.name), ""
        if link is None:
            link, error = _find(member, making)
            if link in held.values():  # it is called so now, and stays another member's
                link = None
        if link and (maker := making.made_for(link)):
            others.append(f"{link.name} was made for port {maker}")
            continue
        if link:
            error = _unusable(link, port.master, bridge, making)
        is_unusable = bool(error)
        if link and (not error or member.name in held or _is_in_place(link, port, making)):
            if other := taker(link):
                others.append(_taken(link, *other))
                continue
            if link in (*links.values(), *away.values()):
                error = f"{link.name} is already its link {member.name}"
            else:
                (away if is_unusable else links)[member.name] = link
        if error:
            errors.append(error)
    return links, away, errors, others


def _is_in_place(link: Link, port: DesiredPort, making: Making) -> bool:
    """Whether the link is in the Linux bridge that the port is for."""
    return bool(port.master) and master_of(link, making.links, making.facades) == port.master


def _find(member: Member, making: Making) -> tuple[Link | None, str]:
    if member.has_usual_name:
        return making.by_name(member.name), ""
    found = making.find(member.finds_by)
    if len(found) > 1:
        names = ", ".join(sorted(link.name for link in found)[:4])
        return None, f"{member.finds_by} fits several devices: {names}"
    return (found[0] if found else None), ""


def _bound(
    number: int, port: DesiredPort, links: Mapping[str, Link], error: str, current: int
) -> Binding:
    if not links:
        return Binding(number, error=error)
    link, *standby = (links[name] for name in ranked(port.members, links, current))
    return Binding(number, link, device=link, standby=tuple(standby), members=links)


def _host_side(
    number: int,
    port: DesiredPort,
    facade: Facade,
    taker: Callable[[Link], tuple[str, str] | None],
) -> Binding:
    """The facade's device, for the local port."""
    link = facade.link
    if link is None:
        return Binding(number, error=f"there is no Linux bridge {facade.name} yet", waits=True)
    if other := taker(link):
        return Binding(number, error=_taken(link, *other))
    if facade.error:
        return Binding(number, error=facade.error, away={port.members[0].name: link})
    return Binding(number, link, device=link, members={port.members[0].name: link})


def _unusable(link: Link, wanted_in: str, bridge: str, making: Making) -> str:
    """What speaks against having the link for a port of the bridge, or nothing."""
    master = master_of(link, making.links, making.facades)
    facade = making.facades.by_index.get(link.master)
    is_in_facade = facade is not None and facade is making.facades.by_bridge.get(bridge)
    if wanted_in and master != wanted_in:
        return f"{link.name} is not in {wanted_in}"
    if facade and is_in_facade and facade.error:
        return facade.error
    if master != wanted_in and not is_in_facade:
        remedy = f"remove it there first: ip link set {link.name} nomaster"
        return f"{link.name} belongs to {master} ({remedy})"
    if link.device_type != _ETHERNET:
        return f"{link.name} is not an Ethernet device"
    return ""


def _taken(link: Link, bridge: str, port: str) -> str:
    remedy = f"remove it there first: hotswitch port del {port}"
    return f"{link.name} is already port {port} of bridge {bridge} ({remedy})"


def _made(bridge: str, number: int, port: DesiredPort, making: Making) -> Binding:
    """The link that hotswitch makes for the port, and no other."""
    link = making.kept(port)
    if link and port.kind is PortKind.INTERNAL:
        return Binding(number, link, device=making.links.other_end(link))
    if link:
        return Binding(number, link, device=link)
    for name in (port.made_as, mark(making.owner, port.kind, port.name)):
        if foreign := making.by_name(name):
            return Binding(number, error=_foreign(foreign, name, is_local=port.name == bridge))
    return Binding(number)


def _foreign(link: Link, name: str, *, is_local: bool) -> str:
    """That a link has the name of one that is to be made, and what can be done."""
    remedy = f"rename it, or delete it: ip link del {name}"
    if link.kind in _OPEN_VSWITCH_KINDS:
        remedy = f"ovs-appctl exit --cleanup, if it is Open vSwitch's; else ip link del {name}"
    elif link.kind == "bridge" and is_local:
        remedy = f"rename it, delete it (ip link del {name}), or have it as facade: facade {name}"
    return f"there is a device {name} that hotswitch did not make ({remedy})"


def _patched(number: int, port: DesiredPort, making: Making) -> Binding:
    """The near end of the cable to the peer, if that is one."""
    wrong = peer_wrong(port, making.wanted)
    missing = peer_missing(port, making.wanted)
    if wrong or missing:
        return Binding(number, error=wrong or missing, waits=not wrong)
    link = making.kept(port)
    return Binding(number, link, device=link)
