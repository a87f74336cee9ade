"""The statuses of all bridges, from which the next ones are made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.base.shared import SharedMap
from hotswitch.switch.adopting import Strays
from hotswitch.switch.apply import Failure
from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.layout import NOTHING, Layout
from hotswitch.switch.status import BridgeStatus, PortStatus, port_status

_Texts: TypeAlias = Mapping[tuple[str, str], str]
_NO_PORTS: SharedMap[str, PortStatus] = SharedMap()


@dataclass(frozen=True)
class Statuses:
    """bridges: by name, their ports in no order.

    layout, errors, shortfalls: what they were made of; the latter two by bridge and port.
    """

    bridges: Mapping[str, BridgeStatus] = field(default_factory=lambda: MappingProxyType({}))
    layout: Layout = NOTHING
    errors: _Texts = field(default_factory=lambda: MappingProxyType({}))
    shortfalls: _Texts = field(default_factory=lambda: MappingProxyType({}))

    def after(self, layout: Layout, failures: Sequence[Failure], strays: Strays) -> Statuses:
        """Those of a layout, after these failures on the way to it, and with these strays."""
        errors = _texts(each for each in failures if not each.is_lesser)
        shortfalls = _texts(each for each in failures if each.is_lesser)
        differing = {
            key
            for before, now in ((self.errors, errors), (self.shortfalls, shortfalls))
            for key in {*before, *now}
            if before.get(key) != now.get(key)
        }
        bridges = {}
        for name, bridge in layout.bridges.items():
            then = self.layout.bridges.get(name)
            changed = bridge.differing(then or BridgeLayout(bridge.bridge))
            changed |= {port for of, port in differing if of == name}
            if then and then.bridge.lifecycle != bridge.bridge.lifecycle:
                changed |= set(bridge.ports)
            before = self.bridges.get(name)
            error = errors.get((name, ""), "")
            said = [text for of, text in strays.values() if of == name]
            facade = layout.facades.by_bridge.get(name)
            remarks = tuple(sorted([*said, facade.warning] if facade and facade.warning else said))
            if before is None or changed or (before.error, before.remarks) != (error, remarks):
                ports = _ports(before, bridge, changed, errors, shortfalls)
                before = BridgeStatus(name, ports, error, remarks)
            bridges[name] = before
        return Statuses(MappingProxyType(bridges), layout, errors, shortfalls)


def _texts(failures: Iterable[Failure]) -> _Texts:
    return {(each.step.bridge, each.step.port): str(each) for each in failures}


def _ports(
    before: BridgeStatus | None,
    bridge: BridgeLayout,
    changed: set[str],
    errors: _Texts,
    shortfalls: _Texts,
) -> SharedMap[str, PortStatus]:
    name = bridge.bridge.name
    there = SharedMap(before.ports) if before else _NO_PORTS
    made = {
        port: port_status(
            bridge.ports[port],
            bridge.bound[port],
            errors.get((name, port), ""),
            bridge.bridge.lifecycle_of(bridge.ports[port]),
            shortfalls.get((name, port), ""),
        )
        for port in changed
        if port in bridge.ports
    }
    return there.having(made, changed - made.keys())


def in_order(bridge: str, ports: Mapping[str, PortStatus]) -> dict[str, PortStatus]:
    """The local port first, the others by name."""
    return dict(sorted(ports.items(), key=lambda item: (item[0] != bridge, item[0])))


def differing(
    before: Mapping[str, BridgeStatus], now: Mapping[str, BridgeStatus]
) -> Iterator[tuple[tuple[str, str], PortStatus | None]]:
    """The ports that have changed, by their bridge's name and their own, and those that have gone.

    Both are as `Statuses` has them.
    """
    for name in {**before, **now}:
        there, then = (
            SharedMap(of[name].ports) if name in of else _NO_PORTS for of in (now, before)
        )
        for port in sorted(there.differing(then)):
            yield (name, port), there.get(port)
