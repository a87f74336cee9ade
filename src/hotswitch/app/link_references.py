"""What of the configuration names a link, and how it follows a rename. Pure."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from hotswitch.app.control.method import RequestError
from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.ports.adoption import Rule
from hotswitch.ports.members import Member
from hotswitch.ports.patterns import Pattern, read_pattern
from hotswitch.ports.selector import By, Selector
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import ports_marked


def check_rename(
    link: Link, name: str, links: LinkTable, desired: Desired, owner: str, port: str
) -> None:
    """Refuse a new name that can't be. Raises RequestError.

    port: that has the link, or nothing.
    """
    hidden = [of for kind, of in ports_marked(owner, link) if kind is not PortKind.TAP]
    if hidden:
        raise RequestError(f"{link.name} is the hidden end of port {hidden[0]}; it has no use here")
    if link.name == "lo":
        raise RequestError("the loopback device lo keeps its name")
    taken = links.by_name.get(name)
    if taken and taken.index != link.index:
        also = "" if taken.name == name else ", as an alternative name"
        raise RequestError(f"{name} is taken: link {taken.name} has it{also}")
    for bridge in desired.bridges.values():
        if name == bridge.name and port != name:
            raise RequestError(f"{name} is taken: it is a bridge")
        for each in bridge.ports.values():
            if each.name != port and _waits_for(each, name, is_port=bool(port)):
                raise RequestError(
                    f"{name} is taken: port {each.name} of bridge {bridge.name} asks for it",
                    remedy="rename or delete that first",
                )


def _waits_for(port: DesiredPort, name: str, *, is_port: bool) -> bool:
    """Whether a link of this name would be in the way of another port."""
    if port.kind is not PortKind.SYSTEM:
        return port.kind is not PortKind.PATCH and port.name == name
    return is_port and any(each.finds_by == Selector(By.NAME, name) for each in port.members)


def renamed(desired: Desired, old: str, new: str) -> Desired:
    """What is wanted with `new` in the place of `old` wherever a link is meant by that name.

    In a rule for adoption that is a pattern that is just this name. Raises PortTextError if none
    can be called `new`.
    """
    bridges = {name: _bridge(each, old, new) for name, each in desired.bridges.items()}
    if all(bridges[name] is each for name, each in desired.bridges.items()):
        return desired
    return Desired(MappingProxyType(bridges))


def _bridge(bridge: DesiredBridge, old: str, new: str) -> DesiredBridge:
    changed = {
        name: port
        for name, before in bridge.ports.items()
        if (port := _port(before, old, new)) is not before
    }
    adopt = tuple(_rule(each, old, new) for each in bridge.adopt)
    facade = new if bridge.facade == old else bridge.facade
    if not changed and (adopt, facade) == (bridge.adopt, bridge.facade):
        return bridge
    ports = SharedMap(bridge.ports).having(changed)
    return replace(bridge, ports=ports, adopt=adopt, facade=facade)


def _rule(rule: Rule, old: str, new: str) -> Rule:
    if rule.master == old:
        rule = replace(rule, master=new)
    if Pattern(old) not in rule.patterns:
        return rule
    named = (read_pattern(new) if each == Pattern(old) else each for each in rule.patterns)
    return replace(rule, patterns=tuple(named))


def with_device_named(desired: Desired, port: str, name: str) -> Desired:
    """What is wanted with another name for the device that is made for a port, if it is."""
    for bridge in desired.bridges.values():
        made = bridge.ports.get(port)
        is_made = made and made.kind in (PortKind.INTERNAL, PortKind.TAP) and port != bridge.name
        if made and is_made:
            ports = SharedMap(bridge.ports).having({port: with_device_name(made, name)})
            bridges = {**desired.bridges, bridge.name: replace(bridge, ports=ports)}
            return Desired(MappingProxyType(bridges))
    return desired


def with_device_name(port: DesiredPort, name: str) -> DesiredPort:
    """The port with another name for its device."""
    return replace(port, device_name="" if name == port.name else name)


def _port(port: DesiredPort, old: str, new: str) -> DesiredPort:
    if port.kind is not PortKind.SYSTEM:
        return port
    if port.master == old:
        port = replace(port, master=new)
    links = tuple(_member(each, old, new) for each in port.members)
    if links == port.members:
        return port
    return replace(port, links=() if links == (Member(port.name),) else links)


def _member(member: Member, old: str, new: str) -> Member:
    if member.finds_by != Selector(By.NAME, old):
        return member
    return replace(member, selector=None if new == member.name else Selector(By.NAME, new))
