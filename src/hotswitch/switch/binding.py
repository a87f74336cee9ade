"""Which number a port has, and which link is behind it. Pure; planning and status share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotswitch.kernel.links import Link
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Port
from hotswitch.switch.desired import Desired, DesiredBridge
from hotswitch.switch.observed import Observed
from hotswitch.switch.pipeline import LOCAL_PORT, all_ports

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A port's number and link. No link and no error: the port waits for its device."""

    number: int
    link: Link | None = None
    error: str = ""

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


def bindings(desired: Desired, observed: Observed) -> dict[str, dict[str, Binding]]:
    """For each bridge, each port's number and link.

    A link has one port at most. A port that has a link keeps it, through renames, for as long as
    the link is there; others find theirs by name.
    """
    numbers: dict[str, dict[str, int]] = {}
    held: dict[tuple[str, str], Link] = {}
    for name, wanted in desired.bridges.items():
        datapath = observed.datapaths.get(name)
        numbers[name] = port_numbers(wanted, datapath.ports if datapath else {})
        held.update({(name, port): link for port, link in _held(name, numbers[name], observed)})

    ours = {link.index: name for name, link in observed.insides.items()}
    owners = {link.index: owner for owner, link in held.items()}
    result: dict[str, dict[str, Binding]] = {name: {} for name in desired.bridges}
    for name, of_bridge in numbers.items():
        for port, number in of_bridge.items():
            if port == name:
                result[name][port] = _local(name, number, observed)
                continue
            link = held.get((name, port)) or observed.by_name.get(port)
            error = _refusal(link, observed, ours) if link else ""
            if link and not error:
                bridge, owner = owners.setdefault(link.index, (name, port))
                if (bridge, owner) != (name, port):
                    error = f"{link.name} is already port {owner} of bridge {bridge}"
            result[name][port] = Binding(number, None if error else link, error)
    return result


def _held(
    bridge: str, numbers: Mapping[str, int], observed: Observed
) -> Iterator[tuple[str, Link]]:
    """The ports that have a link which is still there, and that link."""
    datapath = observed.datapaths.get(bridge)
    for port in datapath.ports.values() if datapath else ():
        link = observed.by_index.get(port.ifindex)
        if link and port.name in numbers and port.name != bridge:
            yield port.name, link


def _refusal(link: Link, observed: Observed, ours: Mapping[int, str]) -> str:
    """Why the link cannot be taken, or nothing."""
    if link.master:
        master = observed.by_index.get(link.master)
        return f"{link.name} belongs to {master.name if master else f'link {link.master}'}"
    if link.device_type != _ETHERNET:
        return f"{link.name} is not an Ethernet device"
    for end in (link, observed.other_end(link)):
        if end and end.index in ours:
            return f"{link.name} is the local link of bridge {ours[end.index]}"
    return ""


def _local(bridge: str, number: int, observed: Observed) -> Binding:
    """The local port's link is the inner end of the pair that hotswitch makes, and no other."""
    inside = observed.insides.get(bridge)
    if inside:
        return Binding(number, inside)
    other = observed.by_name.get(bridge)
    if other:
        return Binding(number, None, f"there is a device {bridge} that hotswitch did not make")
    return Binding(number)
