"""What devices that come and go make of what is wanted: ports expire with them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.kernel.links import Link
from hotswitch.model.port import Port
from hotswitch.ports.lifecycle import Lifecycle, Memory, Missing, Policy, follow
from hotswitch.ports.members import Member, lives
from hotswitch.ports.selector import Finder
from hotswitch.switch.binding import lives_of
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.observed import Observed

Place: TypeAlias = tuple[str, str]
"""A bridge's name and a port's."""


@dataclass(frozen=True, slots=True)
class Following:
    """What has become of what was wanted.

    expired: ports that went with their devices. deadline: when to look again, if at all.
    """

    desired: Desired
    expired: tuple[Place, ...]
    deadline: int | None
    memory: Memory[Place]


def follow_devices(
    desired: Desired, observed: Observed, now: int, memory: Memory[Place]
) -> Following:
    """What is wanted without the ports that expire at the time `now`, in nanoseconds."""
    missing: dict[Place, Missing] = {}
    seen: set[Place] = set()
    finder = Finder(observed.links.by_index.values())
    for bridge in desired.bridges.values():
        datapath = observed.datapaths.get(bridge.name)
        there = {port.name: port for port in datapath.ports.values()} if datapath else {}
        for wanted, lifecycle in _expirable(bridge):
            place = bridge.name, wanted.name
            port = there.get(wanted.name)
            link = _own_link(wanted, port, observed) if port else None
            if link:
                if link.master:  # it will be unbound, but it has had it
                    seen.add(place)
                continue
            was_bound = port is not None and port.ifindex > 0 and port.ifindex not in observed.own
            goes_now = was_bound and lifecycle.policy is Policy.EPHEMERAL
            if not goes_now and _finds(wanted.members, finder, observed):
                seen.add(place)
            else:
                missing[place] = Missing(lifecycle, had_one=was_bound)
    outcome = follow(missing, frozenset(seen), now, memory)
    return Following(
        without(desired, outcome.expired), outcome.expired, outcome.deadline, outcome.memory
    )


def without(desired: Desired, places: tuple[Place, ...]) -> Desired:
    """What is wanted without these ports, of which some may not be there."""
    bridges = dict(desired.bridges)
    for bridge, port in places:
        if bridge in bridges and port in bridges[bridge].ports:
            rest = {name: each for name, each in bridges[bridge].ports.items() if name != port}
            bridges[bridge] = replace(bridges[bridge], ports=MappingProxyType(rest))
    return Desired(MappingProxyType(bridges)) if places else desired


def _expirable(bridge: DesiredBridge) -> Iterator[tuple[DesiredPort, Lifecycle]]:
    for port in bridge.ports.values():
        lifecycle = bridge.lifecycle_of(port)
        if lifecycle and lifecycle.policy is not Policy.STATIC and port.name != bridge.name:
            yield port, lifecycle


def _own_link(wanted: DesiredPort, port: Port, observed: Observed) -> Link | None:
    """A link that the port is bound to, that lives on, and that may be its."""
    for life in lives_of(port):
        link = observed.links.by_index.get(life.ifindex)
        if link and lives(life, link) and link.index not in observed.own:
            for member in wanted.members:
                if member.follow_rename or member.finds_by.fits(link):
                    return link
    return None


def _finds(members: tuple[Member, ...], finder: Finder, observed: Observed) -> bool:
    """Whether there is a device for one of them; one that was made for a port is none."""
    for member in members:
        if member.has_usual_name:
            link = observed.links.by_name.get(member.name)
            found = [link] if link else []
        else:
            found = finder.find(member.finds_by)
        if any(link.index not in observed.own for link in found):
            return True
    return False
