"""Which number a port has, and which link is behind it. Pure; planning and status share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import assert_never

from hotswitch.kernel.links import Link
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import LinkLife, Port
from hotswitch.ports.members import Member, active, keep, lives
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.making import Making, peer_missing, peer_wrong
from hotswitch.switch.marks import mark
from hotswitch.switch.observed import Observed
from hotswitch.switch.pipeline import LOCAL_PORT, all_ports

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A port's number and links. No link and no error: the port waits for its device.

    link: the one that forwards. standby: the other links of a VIF, by index.
    members: of a system port, by the members' names, all links that it has.
    device: what people know the port by: of an internal port the host's end of the pair, or None
        if that is in another network namespace; of others the link.
    waits: `error` is only what it waits for.
    """

    number: int
    link: Link | None = None
    error: str = ""
    device: Link | None = None
    waits: bool = False
    standby: tuple[Link, ...] = ()
    members: Mapping[str, Link] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def ifindex(self) -> int:
        return self.link.index if self.link else 0

    @property
    def links(self) -> tuple[Link, ...]:
        """All of them, the one that forwards first."""
        return (self.link, *self.standby) if self.link else ()

    def port(self, port: DesiredPort, there: Port | None) -> Port:
        """What the datapath is to have; `there`: what it has under the number."""
        known = {each.ifindex: each.incarnation for each in lives_of(there)} if there else {}
        lives = [
            LinkLife(link.index, link.incarnation or known.get(link.index, 0))
            for link in self.links
        ]
        first = lives[0] if lives else LinkLife(0)
        return Port(
            self.number, port.name, first.ifindex, port.hook, first.incarnation, tuple(lives[1:])
        )


def port_numbers(bridge: DesiredBridge, there: Mapping[int, Port]) -> dict[str, int]:
    """A number for each port: the one asked for, else the one it has, else the lowest free."""
    wanted = {port.name: port.number for port in all_ports(bridge) if port.number}
    wanted.setdefault(bridge.name, LOCAL_PORT)
    taken = set(wanted.values())
    names = {port.name for port in all_ports(bridge)}
    for number, present in sorted(there.items()):
        if present.name in names and present.name not in wanted and number not in taken:
            wanted[present.name] = number
            taken.add(number)
    free = (number for number in range(1, MAXIMUM_PORT + 1) if number not in taken)
    for port in all_ports(bridge):
        if port.name not in wanted:
            wanted[port.name] = next(free)
    return wanted


def bindings(desired: Desired, making: Making) -> dict[str, dict[str, Binding]]:
    """For each bridge, each port's number and links.

    A link has one port at most. A port that has a link keeps it, through renames unless it is not
    to follow them, for as long as that life of the link lasts; others look for theirs.
    """
    observed = making.observed
    numbers: dict[str, dict[str, int]] = {}
    held: dict[tuple[str, str], Mapping[str, Link]] = {}
    for name, wanted in desired.bridges.items():
        datapath = observed.datapaths.get(name)
        numbers[name] = port_numbers(wanted, datapath.ports if datapath else {})
        held.update(((name, port), links) for port, links in _held(wanted, observed, making))

    takers = {link.index: taker for taker, links in held.items() for link in links.values()}
    result: dict[str, dict[str, Binding]] = {name: {} for name in desired.bridges}
    for name, bridge in desired.bridges.items():
        for port in all_ports(bridge):
            number = numbers[name][port.name]
            match port.kind:
                case PortKind.SYSTEM:
                    key = name, port.name
                    links, error = _links(port, key, held.get(key, {}), takers, making)
                    bound = _bound(number, port, links, error, _current(name, port, observed))
                case PortKind.INTERNAL | PortKind.TAP:
                    bound = _made(number, port, making)
                case PortKind.PATCH:
                    bound = _patched(number, port, making)
                case _:
                    assert_never(port.kind)
            result[name][port.name] = bound
    return result


def lives_of(port: Port) -> tuple[LinkLife, ...]:
    """The lives of links that a port has, the one that forwards first."""
    active = (LinkLife(port.ifindex, port.incarnation),) if port.ifindex else ()
    return (*active, *port.standby)


def lost_links(port: Port, observed: Observed) -> bool:
    """Whether the port has links whose lives are over, all of them."""
    lives_on = (lives(life, observed.links.by_index.get(life.ifindex)) for life in lives_of(port))
    return bool(port.ifindex) and not any(lives_on)


def _held(
    bridge: DesiredBridge, observed: Observed, making: Making
) -> Iterator[tuple[str, Mapping[str, Link]]]:
    """The ports that keep links which hotswitch found, and these by member."""
    datapath = observed.datapaths.get(bridge.name)
    for port in datapath.ports.values() if datapath else ():
        wanted = bridge.ports.get(port.name)
        if wanted is None or wanted.kind is not PortKind.SYSTEM or port.name == bridge.name:
            continue
        there = [
            link
            for life in lives_of(port)
            if (link := observed.links.by_index.get(life.ifindex))
            and lives(life, link)
            and link.index not in making.gone
        ]
        if there:
            yield port.name, keep(wanted.members, there)


def _links(
    port: DesiredPort,
    key: tuple[str, str],
    held: Mapping[str, Link],
    takers: dict[int, tuple[str, str]],
    making: Making,
) -> tuple[dict[str, Link], str]:
    """The links that the port has or can have, by member; and what speaks against others."""
    links: dict[str, Link] = {}
    errors: list[str] = []
    for member in port.members:
        link = held.get(member.name)
        error = ""
        if link is None:
            link, error = _find(member, making)
        if link:
            error = _unusable(link, making)
            if not error and (taker := takers.setdefault(link.index, key)) != key:
                error = _taken(link, *taker)
            elif not error and link in links.values():
                error = f"{link.name} is already its link {member.name}"
        if error:
            errors.append(error)
        elif link:
            links[member.name] = link
    return links, "; ".join(errors)


def _find(member: Member, making: Making) -> tuple[Link | None, str]:
    if member.has_usual_name:
        return making.by_name(member.name), ""
    found = making.find(member.finds_by)
    if len(found) > 1:
        names = ", ".join(sorted(link.name for link in found)[:4])
        return None, f"{member.finds_by} fits several devices: {names}"
    return (found[0] if found else None), ""


def _current(bridge: str, port: DesiredPort, observed: Observed) -> int:
    """The index of the link that forwards for a VIF now, or 0."""
    datapath = observed.datapaths.get(bridge)
    if not port.is_vif or datapath is None:
        return 0
    return next((each.ifindex for each in datapath.ports.values() if each.name == port.name), 0)


def _bound(
    number: int, port: DesiredPort, links: Mapping[str, Link], error: str, current: int
) -> Binding:
    name = active(port.members, links, current)
    if not name:
        return Binding(number, error=error)
    link = links[name]
    standby = sorted(
        (each for each in links.values() if each is not link), key=lambda each: each.index
    )
    return Binding(number, link, device=link, standby=tuple(standby), members=links)


def _unusable(link: Link, making: Making) -> str:
    """What speaks against having the link for a port, or nothing."""
    if link.master:
        master = making.observed.links.by_index.get(link.master)
        owner = master.name if master else f"link {link.master}"
        remedy = f"remove it there first: ip link set {link.name} nomaster"
        return f"{link.name} belongs to {owner} ({remedy})"
    if link.device_type != _ETHERNET:
        return f"{link.name} is not an Ethernet device"
    if link.index in making.owners:
        return f"{link.name} was made for port {making.owners[link.index]}"
    return ""


def _taken(link: Link, bridge: str, port: str) -> str:
    remedy = f"remove it there first: hotswitch port del {port}"
    return f"{link.name} is already port {port} of bridge {bridge} ({remedy})"


def _made(number: int, port: DesiredPort, making: Making) -> Binding:
    """The link that hotswitch makes for the port, and no other."""
    link = making.kept.get(port.name)
    if link and port.kind is PortKind.INTERNAL:
        return Binding(number, link, device=making.observed.links.other_end(link))
    if link:
        return Binding(number, link, device=link)
    for name in (port.name, mark(making.observed.owner, port.kind, port.name)):
        if making.by_name(name):
            return Binding(number, error=f"there is a device {name} that hotswitch did not make")
    return Binding(number)


def _patched(number: int, port: DesiredPort, making: Making) -> Binding:
    """The near end of the cable to the peer, if that is one."""
    wrong = peer_wrong(port, making.wanted)
    missing = peer_missing(port, making.wanted)
    if wrong or missing:
        return Binding(number, error=wrong or missing, waits=not wrong)
    link = making.kept.get(port.name)
    return Binding(number, link, device=link)
