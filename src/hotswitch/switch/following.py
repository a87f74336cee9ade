"""What devices that come and go make of what is wanted: ports go with them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.model.port import Port
from hotswitch.ports.adoption import fit
from hotswitch.ports.lifecycle import Lifecycle, Memory, Missing, Policy, follow
from hotswitch.ports.members import lives
from hotswitch.switch.adopted_ports import adopted
from hotswitch.switch.binding import Binding
from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.facades import master_of
from hotswitch.switch.layout import Layout, PortKey, finder
from hotswitch.switch.making import is_own
from hotswitch.switch.observed import Observed


@dataclass(frozen=True, slots=True)
class Following:
    """What has become of what was wanted.

    departed: ports that went with their devices. deadline: when to look again, if at all.
    """

    desired: Desired
    departed: tuple[PortKey, ...]
    deadline: int | None
    memory: Memory[PortKey]


def follow_devices(
    desired: Desired,
    layout: Layout,
    before: Layout,
    observed: Observed,
    now: int,
    memory: Memory[PortKey],
) -> Following:
    """What is wanted without the ports that go with their devices.

    layout: for what is wanted so far, made from `before`. now: nanoseconds, as in `memory`.
    What is made for a port is made again if its datapath does not say that it has been there.
    """
    missing: dict[PortKey, Missing] = {}
    seen: set[PortKey] = set()
    remembered = {*memory.absent, *memory.seen}
    for name, bridge in layout.bridges.items():
        then = before.bridges.get(name)
        present = finder(then, observed.ports(name))
        names = _names(bridge, then) | {port for of, port in remembered if of == name}
        for wanted, lifecycle in _expirable(bridge, names):
            key = name, wanted.name
            port = present(wanted.name)
            bound = bridge.bound[wanted.name]
            if port and _lives_on(wanted, bridge.bridge, port, layout, observed.owner):
                if _is_taken_back(wanted, bridge.bridge, bound, layout):
                    missing[key] = Missing(lifecycle, had_one=True)
                elif not bound.link:  # it will be unbound, but it has had it
                    seen.add(key)
                continue
            was_bound = port is not None and _was_bound(
                wanted, port, layout, observed.owner, is_start=not memory.has_begun
            )
            goes_now = was_bound and lifecycle.policy is Policy.EPHEMERAL
            if not goes_now and _is_there(wanted, bridge.bridge, bound, layout):
                seen.add(key)
            else:
                is_new = bool(wanted.namespace) and name in observed.datapaths and not was_bound
                missing[key] = Missing(lifecycle, had_one=was_bound, is_new=is_new)
    outcome = follow(missing, frozenset(seen), now, memory)
    after = without(desired, outcome.expired)
    return Following(after, outcome.expired, outcome.deadline, outcome.memory)


def without(desired: Desired, ports: Iterable[PortKey]) -> Desired:
    """What is wanted without these ports, of which some may not be there."""
    bridges = dict(desired.bridges)
    for bridge, port in ports:
        if bridge in bridges and port in bridges[bridge].ports:
            rest = SharedMap(bridges[bridge].ports).having({}, [port])
            bridges[bridge] = replace(bridges[bridge], ports=rest)
    same = all(bridges[name] is each for name, each in desired.bridges.items())
    return desired if same else Desired(MappingProxyType(bridges))


def _names(bridge: BridgeLayout, then: BridgeLayout | None) -> set[str]:
    """The ports to look at."""
    if then is None:
        return set(bridge.ports)
    was, now = then.bridge, bridge.bridge
    if (was.lifecycle, was.rules) != (now.lifecycle, now.rules):
        return set(bridge.ports)
    return bridge.differing(then)


def _expirable(bridge: BridgeLayout, names: set[str]) -> Iterator[tuple[DesiredPort, Lifecycle]]:
    for name in sorted(names):
        port = bridge.ports.get(name)
        lifecycle = bridge.bridge.lifecycle_of(port) if port else None
        if port and lifecycle and lifecycle.policy is not Policy.STATIC:
            yield port, lifecycle


def _is_there(wanted: DesiredPort, bridge: DesiredBridge, bound: Binding, layout: Layout) -> bool:
    """Whether it has a device, or one is there that something else speaks against.

    What another port has is that port's device, whatever it is called.
    """
    if bound.is_without:
        return False
    if bound.link or not (bound.error and wanted.master):
        return bool(bound.link or bound.error)
    names = (layout.links.by_name.get(each.name) for each in wanted.members)
    return any(link and _is_in_place(wanted, bridge, link, layout) for link in names)


def _is_in_place(wanted: DesiredPort, bridge: DesiredBridge, link: Link, layout: Layout) -> bool:
    """Whether the link is in the Linux bridge that the port is for, and that still matters."""
    if not wanted.master:
        return True
    matters = any(rule.master == wanted.master for rule in bridge.rules)
    return matters and master_of(link, layout.links, layout.facades) == wanted.master


def _lives_on(
    wanted: DesiredPort, bridge: DesiredBridge, port: Port, layout: Layout, owner: str
) -> bool:
    """Whether a link that the port is bound to lives on, and may be its."""
    for life in port.ties:
        link = layout.links.by_index.get(life.ifindex)
        if not (link and lives(life, link)):
            continue
        if is_own(owner, layout.links, link):
            if wanted.namespace:
                return True
        elif _is_in_place(wanted, bridge, link, layout):
            for member in wanted.members:
                if member.follow_rename or member.finds_by.fits(link):
                    return True
    return False


def _is_taken_back(
    wanted: DesiredPort, bridge: DesiredBridge, bound: Binding, layout: Layout
) -> bool:
    """Whether somebody has put the device that it was adopted for into a bridge or bond.

    Nothing is lost with such a port: adoption would make it again just so. What a person has
    changed stays.
    """
    for link in bound.away.values():
        found = fit(bridge.rules, link, wanted.master) if link.master and not bound.link else None
        if (
            found
            and found.port == wanted.name
            and wanted == adopted(found.rule, bridge, wanted.name)
            and master_of(link, layout.links, layout.facades) != wanted.master
        ):
            return True
    return False


def _was_bound(
    wanted: DesiredPort, port: Port, layout: Layout, owner: str, *, is_start: bool
) -> bool:
    """Whether it had a device: one that was made for it if that is how it gets them, or another.

    is_start: also if it went while nobody looked.
    """
    link = layout.links.by_index.get(port.ifindex)
    if wanted.namespace and link and not any(lives(each, link) for each in port.ties):
        link = None
    is_such = link is None or is_own(owner, layout.links, link) == bool(wanted.namespace)
    had_one = port.ifindex > 0 or port.away or (is_start and port.incarnation > 0)
    return bool(had_one) and is_such
