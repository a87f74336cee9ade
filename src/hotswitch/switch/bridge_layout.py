"""One bridge's part of a layout (`layout`): its ports, their numbers and links, and their VLANs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hotswitch.base.shared import SharedMap
from hotswitch.model.port import Port, Side
from hotswitch.switch.addresses import lent
from hotswitch.switch.binding import Binding
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.floods import Floods
from hotswitch.switch.numbers import Numbers, port_numbers
from hotswitch.switch.pipeline import local_port
from hotswitch.switch.vlans import PortVlans, port_vlans


@dataclass(frozen=True)
class BridgeLayout:
    """What a bridge is to be. It is made in three turns, from what it was before.

    ports: all of them by name, the local one too, as they are to be made.
    floods: where their frames go. limited: how many have a storm limit.
    outward: how many ports to elsewhere have links of which MTU, in bytes.
    lent: how many ports lend the bridge which Ethernet address (`addresses`).
    """

    bridge: DesiredBridge
    ports: SharedMap[str, DesiredPort] = field(default_factory=SharedMap)
    numbers: Numbers = field(default_factory=Numbers)
    bound: SharedMap[str, Binding] = field(default_factory=SharedMap)
    floods: Floods = field(default_factory=Floods)
    limited: int = 0
    outward: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    lent: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def mtu(self) -> int:
        """That of internal ports, in bytes: the smallest of the links to elsewhere; 0: any."""
        return min(self.outward, default=0)

    @property
    def address(self) -> int:
        """The local device's, 48 bits: the smallest that a port lends; 0: none does."""
        return min(self.lent, default=0)

    def differing(self, other: BridgeLayout) -> set[str]:
        """The ports that are not the same in both."""
        return self.ports.differing(other.ports) | self.bound.differing(other.bound)


def wanting(bridge: DesiredBridge, before: BridgeLayout | None) -> BridgeLayout:
    """The first turn: the ports that are wanted."""
    if before is None:
        before = BridgeLayout(bridge)
    elif before.bridge is bridge:
        return before
    ports = SharedMap(bridge.ports).having({bridge.name: local_port(bridge)})
    return replace(before, bridge=bridge, ports=ports)


def numbered(
    now: BridgeLayout, before: BridgeLayout | None, there: Mapping[int, Port]
) -> BridgeLayout:
    """The second turn: their numbers. there: what the datapath has."""
    numbers = None
    if before is not None:
        changed = now.ports.differing(before.ports)
        if not changed:
            return now
        numbers = before.numbers.having(now.bridge.name, now.ports, changed)
    if numbers is None:
        numbers = Numbers.of(port_numbers(now.bridge, there))
    return replace(now, numbers=numbers)


def bound(
    now: BridgeLayout, before: BridgeLayout | None, bindings: Mapping[str, Binding]
) -> BridgeLayout:
    """The third turn: these ports' links, and what follows from all of it."""
    then = before or BridgeLayout(now.bridge)
    left = [name for name in then.ports.differing(now.ports) if name not in now.ports]
    after = replace(now, bound=then.bound.having(bindings, left))
    changed = after.differing(then)
    if not changed:
        return after
    other = [
        name
        for name in changed
        if then.ports.get(name) != after.ports.get(name)
        or then.numbers.by_name.get(name) != after.numbers.by_name.get(name)
    ]
    return replace(
        after,
        floods=then.floods.having(_vlans(then, other), _vlans(after, other)),
        limited=then.limited - _limited(then, other) + _limited(after, other),
        outward=_counted(then.outward, _outward(then, changed), _outward(after, changed)),
        lent=_counted(then.lent, _lent(then, changed), _lent(after, changed)),
    )


def _counted(
    before: Mapping[int, int], gone: Iterable[int], come: Iterable[int]
) -> Mapping[int, int]:
    counter = Counter(before)
    counter.subtract(gone)
    counter.update(come)
    return MappingProxyType(+counter)


def _lent(bridge: BridgeLayout, names: set[str]) -> Iterator[int]:
    for name in names:
        is_another = name in bridge.bound and name != bridge.bridge.name
        if is_another and (address := lent(bridge.ports[name], bridge.bound[name])):
            yield address


def _outward(bridge: BridgeLayout, names: set[str]) -> Iterator[int]:
    for name in names:
        if name not in bridge.bound or bridge.ports[name].side is Side.HOST:
            continue
        if bridge.ports[name].kind in (PortKind.SYSTEM, PortKind.TAP):
            yield from (link.mtu for link in bridge.bound[name].links)


def _vlans(bridge: BridgeLayout, names: list[str]) -> dict[int, PortVlans]:
    return {
        bridge.numbers.by_name[name]: port_vlans(bridge.ports[name])
        for name in names
        if name in bridge.ports
    }


def _limited(bridge: BridgeLayout, names: list[str]) -> int:
    return sum(1 for name in names if name in bridge.ports and bridge.ports[name].storm_limit)
