"""Which number a port has, and which link is behind it. Pure; planning and status share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from hotswitch.kernel.links import Link
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Port
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.making import Making, peer_missing, peer_wrong
from hotswitch.switch.marks import mark
from hotswitch.switch.observed import Observed
from hotswitch.switch.pipeline import LOCAL_PORT, all_ports

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A port's number and link. No link and no error: the port waits for its device.

    device: what people know the port by: of an internal port the host's end of the pair, or None
        if that is in another network namespace; of others the link.
    waits: `error` is only what it waits for.
    """

    number: int
    link: Link | None = None
    error: str = ""
    device: Link | None = None
    waits: bool = False

    @property
    def ifindex(self) -> int:
        return self.link.index if self.link else 0


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
    """For each bridge, each port's number and link.

    A link has one port at most. A port that has a link keeps it, through renames, for as long as
    the link is there; others find theirs by name.
    """
    observed = making.observed
    numbers: dict[str, dict[str, int]] = {}
    held: dict[tuple[str, str], Link] = {}
    for name, wanted in desired.bridges.items():
        datapath = observed.datapaths.get(name)
        numbers[name] = port_numbers(wanted, datapath.ports if datapath else {})
        held.update(((name, port), link) for port, link in _held(wanted, observed, making))

    takers = {link.index: taker for taker, link in held.items()}
    result: dict[str, dict[str, Binding]] = {name: {} for name in desired.bridges}
    for name, bridge in desired.bridges.items():
        for port in all_ports(bridge):
            number = numbers[name][port.name]
            match port.kind:
                case PortKind.SYSTEM:
                    found = held.get((name, port.name)) or making.by_name(port.name)
                    bound = _found(number, found, making)
                    if bound.link:
                        taker = takers.setdefault(bound.link.index, (name, port.name))
                        if taker != (name, port.name):
                            bound = Binding(number, error=_taken(bound.link, *taker))
                case PortKind.INTERNAL | PortKind.TAP:
                    bound = _made(number, port, making)
                case PortKind.PATCH:
                    bound = _patched(number, port, making)
                case _:
                    assert_never(port.kind)
            result[name][port.name] = bound
    return result


def _held(bridge: DesiredBridge, observed: Observed, making: Making) -> Iterator[tuple[str, Link]]:
    """The ports that have a link which hotswitch found and which is still there, and that link."""
    datapath = observed.datapaths.get(bridge.name)
    for port in datapath.ports.values() if datapath else ():
        link = observed.links.by_index.get(port.ifindex)
        wanted = bridge.ports.get(port.name)
        if link and link.index in making.gone:
            continue
        if link and wanted and wanted.kind is PortKind.SYSTEM and port.name != bridge.name:
            yield port.name, link


def _found(number: int, link: Link | None, making: Making) -> Binding:
    """A link that is there may be taken, unless something speaks against it."""
    observed = making.observed
    if link is None:
        return Binding(number)
    if link.master:
        master = observed.links.by_index.get(link.master)
        owner = master.name if master else f"link {link.master}"
        remedy = f"remove it there first: ip link set {link.name} nomaster"
        error = f"{link.name} belongs to {owner} ({remedy})"
    elif link.device_type != _ETHERNET:
        error = f"{link.name} is not an Ethernet device"
    elif link.index in making.owners:
        error = f"{link.name} was made for port {making.owners[link.index]}"
    else:
        return Binding(number, link, device=link)
    return Binding(number, error=error)


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
