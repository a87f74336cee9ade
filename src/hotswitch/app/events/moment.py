"""A switch at one moment, as far as events are made of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hotswitch.app.rows import port_row
from hotswitch.base.shared import SharedMap
from hotswitch.config.unheeded import BridgeAndPort, Refused
from hotswitch.switch.desired import Desired, DesiredPort
from hotswitch.switch.status import BridgeStatus, PortStatus
from hotswitch.switch.statuses import differing


@dataclass(frozen=True, slots=True)
class Device:
    """A port's device. index: the kernel's; incarnation: which life, 0 if that is not known."""

    name: str
    index: int
    incarnation: int = 0

    def is_the_same(self, other: Device) -> bool:
        """Whether it is still that one, whatever it is called."""
        return (self.index, self.incarnation) == (other.index, other.incarnation)


@dataclass(frozen=True, slots=True)
class Moment:
    """What is wanted, and how it is.

    bridges: as `Switch.statuses` has them. refused: rows that are not in force, by bridge and port;
        the port is empty for a bridge's own.
    """

    desired: Desired = field(default_factory=Desired)
    bridges: Mapping[str, BridgeStatus] = field(default_factory=lambda: MappingProxyType({}))
    refused: Mapping[BridgeAndPort, Refused] = field(default_factory=lambda: MappingProxyType({}))

    def status(self, bridge: str, port: str) -> PortStatus | None:
        """A port's status, if there is such a port."""
        return self.bridges[bridge].ports.get(port) if bridge in self.bridges else None

    def wanted(self, bridge: str, port: str) -> DesiredPort:
        """What is wanted of a port; a local port need not be mentioned."""
        return self.desired.bridges[bridge].ports.get(port) or DesiredPort(port)


def by_place(refused: Iterable[Refused]) -> dict[BridgeAndPort, Refused]:
    """By bridge and port; of several rows of one name the first."""
    found: dict[BridgeAndPort, Refused] = {}
    for each in refused:
        found.setdefault((each.bridge, each.port), each)
    return found


def changed_ports(before: Moment, now: Moment) -> Iterator[tuple[str, str]]:
    """Ports that may differ, by bridge and name, sorted. What both moments share is not looked at.

    The work grows with what has changed.
    """
    found = {key for key, _ in differing(before.bridges, now.bridges)}
    for name, bridge in now.desired.bridges.items():
        then = before.desired.bridges.get(name)
        if then is None or then.ports is bridge.ports or name not in now.bridges:
            continue
        wanted, there = SharedMap(bridge.ports), SharedMap(now.bridges[name].ports)
        different = wanted.differing(SharedMap(then.ports))
        found.update((name, port) for port in different if port in wanted or port in there)
    yield from sorted(found)


def devices(port: PortStatus) -> dict[str, Device]:
    """A port's devices: of a VIF, all of its links that are there, by their configured names; of
    another port, whose link may be configured by any name, by the port's.
    """
    if port.is_vif:
        links = ((each.name, each.link) for each in port.links)
        return {
            name: Device(link.name, link.index, link.incarnation) for name, link in links if link
        }
    if not port.ifindex:
        return {}
    device = port.device
    if device is None:  # the host's end is in another network namespace
        return {port.name: Device(port.link, port.ifindex)}
    return {port.name: Device(device.name, device.index, device.incarnation)}


def forwarding(port: PortStatus) -> str:
    """Which of `devices` forwards; empty if there is none."""
    of_vif = next((each.name for each in port.links if each.forwards), "")
    return of_vif if port.is_vif else (port.name if port.ifindex else "")


_TOLD_OTHERWISE = frozenset(
    (
        "name",
        "bridge",
        "state",
        "reason",
        "device",
        "link",
        "ifindex",
        "incarnation",
        "lost_incarnations",
        "links",
        "vlan",
        "metadata_in_force",
    )
)
_OF_THE_DEVICE = frozenset(("mac", "mtu"))


def port_attributes(
    bridge: str, port: PortStatus, wanted: DesiredPort, *, same_device: bool
) -> dict[str, Any]:
    """What can change about a port and has no event of its own, under the keys of `port show`.

    Of its links only which there are, and their metadata.
    """
    left_out = _TOLD_OTHERWISE if same_device else _TOLD_OTHERWISE | _OF_THE_DEVICE
    row = port_row(bridge, wanted, port)
    found = {key: value for key, value in row.items() if key not in left_out}
    return found | {"links": {each.name: dict(each.metadata) for each in port.links}}
