"""Devices that bridges take as they appear. Pure.

Which port a device becomes depends on what is there, never on what came first. What was a port and
was let go by a person gets a mark, and is not taken again in this life; but what is in a facade is
taken, however often its port is deleted, for only releasing it there lets it go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.model.port import LinkLife
from hotswitch.ports.adoption import Fit, fit
from hotswitch.ports.members import Member, lives
from hotswitch.switch.adopted_ports import adopted, template
from hotswitch.switch.check import SwitchError, check_name
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.facades import master_of
from hotswitch.switch.layout import NOTHING, Layout, PortKey
from hotswitch.switch.making import is_own
from hotswitch.switch.marks import is_marked, let_go_mark
from hotswitch.switch.observed import Observed

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""


Strays: TypeAlias = Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is wanted with what has been adopted, and the ports that are new or have a new link.

    strays: devices in facades that can't be ports, by index; with the bridge, and why.
    """

    desired: Desired
    adopted: tuple[PortKey, ...] = ()
    strays: Strays = field(default_factory=lambda: MappingProxyType({}))


def adopt(
    desired: Desired,
    layout: Layout,
    before: Layout,
    observed: Observed,
    strays: Strays = MappingProxyType({}),
    *,
    is_start: bool,
) -> Adoption:
    """Take the devices that fit bridges' rules.

    layout: for what is wanted so far, made from `before`. is_start: what an earlier life has
    forwarding may have been adopted and not kept, so it is not taken for let go. strays: those of
    the last time.
    """
    if not any(each.rules for each in desired.bridges.values()):
        return Adoption(desired)
    had = _nobody if is_start else _had(before, observed)
    bridges = dict(desired.bridges)
    news: list[PortKey] = []
    left: dict[int, tuple[str, str]] = {}
    for link in _candidates(desired, layout, before, strays):
        is_in_facade = link.master in layout.facades.by_index
        if not is_in_facade and lives(had(link.index), link):
            owner = before.owner_of(link.index)
            if not (owner and has_moved(before.wanted.get(owner[1]), link, layout)):
                continue
        found = _fit(link, desired, layout) if _is_free(link, layout) else None
        if found is None:
            continue
        name, fitting = found
        if layout.claims.get(link.index, ("", ""))[0] == name:
            continue  # its port says what is the matter
        why_not = _why_not(link, layout, observed.owner, is_in_facade=is_in_facade)
        port = None if why_not else _port(bridges[name], fitting, link, layout)
        if port is None and is_in_facade:
            left[link.index] = name, _stray(link, layout, why_not)
        if port:
            ports = SharedMap(bridges[name].ports).having({port.name: port})
            bridges[name] = replace(bridges[name], ports=ports)
            news.append((name, port.name))
    if not news:
        return Adoption(desired, strays=left)
    return Adoption(Desired(MappingProxyType(bridges)), tuple(dict.fromkeys(news)), left)


def has_moved(port: DesiredPort | None, link: Link, layout: Layout) -> bool:
    """Whether the link has left the Linux bridge that its port was for, or has come into one.

    Such a port goes by itself: no person has let the link go, and another rule may take it.
    """
    return port is not None and port.master != master_of(link, layout.links, layout.facades)


def _candidates(desired: Desired, layout: Layout, before: Layout, strays: Strays) -> list[Link]:
    """The devices of which something has changed that matters, by name."""
    links = layout.links
    was = {name: each.bridge.rules for name, each in before.bridges.items()}
    now = {name: each.rules for name, each in desired.bridges.items()}
    if before is NOTHING or was != now or layout.facades.differing(before.facades):
        return sorted(links.by_index.values(), key=lambda link: link.name)
    indexes = set(links.by_index.differing(before.links.by_index)) | strays.keys()
    indexes |= layout.takers.differing(before.takers) | layout.claims.differing(before.claims)
    for name in layout.homes.differing(before.homes):
        if name in links.by_name:
            indexes.add(links.by_name[name].index)
    found = (links.by_index.get(index) for index in indexes)
    return sorted((link for link in found if link), key=lambda link: link.name)


def _nobody(index: int) -> LinkLife:
    return LinkLife(0)


def _had(before: Layout, observed: Observed) -> Callable[[int], LinkLife]:
    """Tells the life of the device with this index that a port has had until now, if one has."""
    if before is NOTHING:
        known = {
            life.ifindex: life
            for datapath in observed.datapaths.values()
            for port in datapath.ports.values()
            for life in port.ties
        }
        return lambda index: known.get(index) or _nobody(index)

    def life(index: int) -> LinkLife:
        link = before.links.by_index.get(index) if before.owner_of(index) else None
        return LinkLife(index, link.incarnation) if link else _nobody(index)

    return life


def _is_free(link: Link, layout: Layout) -> bool:
    """Whether no port has the device."""
    return (
        link.device_type == _ETHERNET
        and link.index not in layout.takers
        and link.index not in layout.gone
    )


def _why_not(link: Link, layout: Layout, owner: str, *, is_in_facade: bool) -> str:
    """Why a device that no port has must not be one: others' claims, or what a person has said."""
    if link.name in layout.bridges:
        return f"{link.name} is itself a bridge"
    if link.index in layout.facades.by_index:
        return f"{link.name} is a facade"
    if is_own(owner, layout.links, link) or any(map(is_marked, layout.links.ends(link))):
        return "it was made for a port"
    if not is_in_facade and let_go_mark(owner, link.index) in link.alternative_names:
        return "it was let go"
    facade = layout.facades.by_index.get(link.master)
    if facade and facade.error:
        return facade.error
    if key := layout.claims.get(link.index):
        return f"it is port {key[1]} of bridge {key[0]}"
    try:
        check_name("port", link.name)
    except SwitchError as error:
        return error.message
    return ""


def _stray(link: Link, layout: Layout, why_not: str) -> str:
    """What to say of a device in a facade that can't be a port."""
    if not why_not:
        port = layout.members.get(link.name, link.name)
        home = layout.homes.get(port)
        why_not = f"it is port {port} of bridge {home}" if home else "its name is a port's"
    facade = layout.facades.by_index[link.master].name
    return f"{link.name} in the facade {facade} is not taken: {why_not}"


def _fit(link: Link, desired: Desired, layout: Layout) -> tuple[str, Fit] | None:
    master = master_of(link, layout.links, layout.facades)
    for name, bridge in sorted(desired.bridges.items()):
        found = fit(bridge.rules, link, master) if bridge.rules else None
        if found:
            return name, found
    return None


def _port(bridge: DesiredBridge, found: Fit, link: Link, layout: Layout) -> DesiredPort | None:
    """The port with the device; None if its name is another one's."""
    there = bridge.ports.get(found.port)
    if not found.rule.is_vif:
        if there or _taken(link.name, layout):
            return None
        return adopted(found.rule, bridge, link.name)
    metadata = template(found.rule)[1]
    member = Member(link.name, preference=found.place, metadata=metadata)
    if there is None:
        if _taken(found.port, layout):
            return None
        port = adopted(found.rule, bridge, found.port)
        return replace(port, links=(member,), is_vif=True)
    if not there.is_vif or any(each.name == link.name for each in there.links):
        return None
    return replace(there, links=tuple(sorted((*there.links, member), key=lambda each: each.name)))


def _taken(name: str, layout: Layout) -> bool:
    """Whether a port is called so, or waits for a link that is."""
    return name in layout.wanted or name in layout.members
