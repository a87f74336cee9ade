"""Devices that bridges take as they appear. Pure.

Which port a device becomes depends on what is there, never on what came first. What was a port and
was let go by a person gets a mark, and is not taken again in this life.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.model.port import LinkLife
from hotswitch.ports.adoption import Fit, fit
from hotswitch.ports.members import Member, lives
from hotswitch.switch.binding import lives_of, master_of
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.layout import NOTHING, Layout, PortKey
from hotswitch.switch.making import is_own
from hotswitch.switch.marks import is_marked, let_go_mark
from hotswitch.switch.observed import Observed
from hotswitch.switch.template import adopted, template

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is wanted with what has been adopted, and the ports that are new or have a new link."""

    desired: Desired
    adopted: tuple[PortKey, ...] = ()


def adopt(
    desired: Desired, layout: Layout, before: Layout, observed: Observed, *, is_start: bool
) -> Adoption:
    """Take the devices that fit bridges' rules.

    layout: for what is wanted so far, made from `before`. is_start: what an earlier life has
    forwarding may have been adopted and not kept, so it is not taken for let go.
    """
    if not any(each.adopt for each in desired.bridges.values()):
        return Adoption(desired)
    had = _nobody if is_start else _had(before, observed)
    bridges = dict(desired.bridges)
    news: list[PortKey] = []
    for link in _candidates(desired, layout, before):
        if lives(had(link.index), link) or not _is_free(link, layout, observed.owner):
            continue
        found = _fit(link, desired, layout)
        if found is None:
            continue
        name, fitting = found
        port = _port(bridges[name], fitting, link, layout)
        if port:
            ports = SharedMap(bridges[name].ports).having({port.name: port})
            bridges[name] = replace(bridges[name], ports=ports)
            news.append((name, port.name))
    if not news:
        return Adoption(desired)
    return Adoption(Desired(MappingProxyType(bridges)), tuple(dict.fromkeys(news)))


def rule_fits(bridge: DesiredBridge, link: Link, layout: Layout) -> bool:
    """Whether the bridge would take the device."""
    return fit(bridge.adopt, link, master_of(link, layout.links)) is not None


def _candidates(desired: Desired, layout: Layout, before: Layout) -> list[Link]:
    """The devices of which something has changed that matters, by name."""
    links = layout.links
    was = {name: each.bridge.adopt for name, each in before.bridges.items()}
    now = {name: each.adopt for name, each in desired.bridges.items()}
    if before is NOTHING or was != now:
        return sorted(links.by_index.values(), key=lambda link: link.name)
    indexes = set(links.by_index.differing(before.links.by_index))
    indexes |= layout.takers.differing(before.takers)
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
            for life in lives_of(port)
        }
        return lambda index: known.get(index) or _nobody(index)

    def life(index: int) -> LinkLife:
        link = before.links.by_index.get(index) if index in before.takers else None
        return LinkLife(index, link.incarnation) if link else _nobody(index)

    return life


def _is_free(link: Link, layout: Layout, owner: str) -> bool:
    """Whether nobody has the device or has made it, and no person has let it go."""
    return (
        link.device_type == _ETHERNET
        and link.index not in layout.takers
        and link.index not in layout.gone
        and link.name not in layout.bridges
        and not is_own(owner, layout.links, link)
        and not any(is_marked(end) for end in layout.links.ends(link))
        and let_go_mark(owner, link.index) not in link.alternative_names
    )


def _fit(link: Link, desired: Desired, layout: Layout) -> tuple[str, Fit] | None:
    master = master_of(link, layout.links)
    for name, bridge in sorted(desired.bridges.items()):
        found = fit(bridge.adopt, link, master) if bridge.adopt else None
        if found:
            return name, found
    return None


def _port(bridge: DesiredBridge, found: Fit, link: Link, layout: Layout) -> DesiredPort | None:
    """The port with the device; None if its name is another one's."""
    metadata = template(found.rule)[1]
    there = bridge.ports.get(found.port)
    if not found.rule.is_vif:
        if there or _taken(link.name, layout):
            return None
        port = adopted(found.rule, bridge, link.name)
        links = (Member(link.name, metadata=metadata),) if metadata else ()
        return replace(port, links=links)
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
