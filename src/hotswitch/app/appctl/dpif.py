"""dpif/show and dpif/dump-dps: bridges with their ports and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hotswitch.app.appctl.names import datapath_name, openflow_number, port_type
from hotswitch.app.service import Service
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.switch.desired import PortKind
from hotswitch.switch.status import BridgeStatus


def register(commands: Commands, service: Service) -> None:
    """Add the commands."""

    def names(_: Sequence[str]) -> str:
        return "".join(f"{datapath_name(each.name)}\n" for each in service.forwarding())

    def show(_: Sequence[str]) -> str:
        lines = []
        statuses = service.switch.status()
        for bridge in service.forwarding():
            hit, missed = lookups(service, bridge.name)
            lines.append(f"{datapath_name(bridge.name)}: hit:{hit} missed:{missed}")
            lines.append(f"  {bridge.name}:")
            lines += _ports(service, statuses[bridge.name])
        return "".join(f"{line}\n" for line in lines)

    commands.add("dpif/show", "", 0, 0, show)
    commands.add("dpif/dump-dps", "", 0, 0, names)


def lookups(service: Service, bridge: str) -> tuple[int, int]:
    """Packets that found an entry, and that found none. Raises HotswitchError."""
    counters = service.switch.datapath(bridge).counters()
    received = sum(each.rx_packets for each in service.switch.statistics(bridge).values())
    return max(0, received - counters.missed - counters.malformed), counters.missed


def _ports(service: Service, status: BridgeStatus) -> Iterator[str]:
    there = service.switch.datapath(status.name).ports()
    for name, port in sorted(status.ports.items()):
        if port.number not in there or not port.is_in_force:
            continue
        kind = port_type(status.name, port)
        peer = f": peer={service.port(name)[1].peer}" if kind == PortKind.PATCH else ""
        yield f"    {name} {openflow_number(port.number)}/{port.number}: ({kind}{peer})"
