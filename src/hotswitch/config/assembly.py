"""Puts bridges and ports together, of which each is possible for itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hotswitch.config.notes import Note
from hotswitch.config.numbers import with_numbers
from hotswitch.config.read_bridge import BridgeReading, with_ports
from hotswitch.config.read_port import PortReading
from hotswitch.config.rows import Uuid
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.switch.desired import DesiredBridge

MOST_PORTS = MAXIMUM_PORT - 2
"""Numbers that there are beside the local port's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an interface is: its bridge's name, that of the switch's port, and its own.

    But for a VIF's interfaces, the last two are the same. port: the row of Port that it is in.
    """

    bridge: str
    name: str
    link: str
    port: Uuid = ""


class Assembly:
    """All bridges, one after another; who comes first has a name that two want."""

    def __init__(self, bridges: Mapping[Uuid, BridgeReading], hints: Mapping[str, int]) -> None:
        self.desired: dict[str, DesiredBridge] = {}
        self.notes: list[Note] = []
        self.interfaces: dict[Uuid, Place] = {}
        self._bridges = bridges
        self._hints = hints
        self._ports: dict[Uuid, Uuid] = {}
        self._names: dict[str, Uuid] = {}
        for uuid, each in bridges.items():
            if each.bridge:
                self._names.setdefault(each.name, uuid)
        self._facades = {
            each.bridge.facade: each.name
            for each in bridges.values()
            if each.bridge and each.bridge.facade
        }
        self._takers: dict[str, tuple[Uuid, Uuid]] = {}

    def add(self, uuid: Uuid, ports: Mapping[Uuid, PortReading]) -> None:
        """Add the next bridge and its ports."""
        reading = self._bridges[uuid]
        self.notes += reading.notes
        in_force = self._names.get(reading.name) == uuid
        if reading.bridge and not in_force:
            text = f"there is another bridge {reading.name}"
            self.notes.append(Note("Bridge", uuid, reading.name, text, refused=True))
        found = [
            port
            for port_uuid, port in sorted(ports.items(), key=_name)
            if self._place(uuid, port_uuid, port)
        ]
        if not reading.bridge or not in_force:
            for port in found:
                self._refuse(port, f"bridge {reading.name} is not in force")
            return
        granted = [port for port in found if port.port and self._take(reading.name, port)]
        for port in granted[MOST_PORTS:]:
            self._refuse(port, f"bridge {reading.name} has no number left")
        wanted = with_numbers(
            reading.name, granted[:MOST_PORTS], self._hints, self._has_lost_its_number
        )
        self.desired[reading.name] = with_ports(reading, MappingProxyType(wanted))

    def _place(self, uuid: Uuid, port_uuid: Uuid, port: PortReading) -> bool:
        """Note where rows are; whether this is the first bridge that has the port."""
        bridge = self._bridges[uuid].name
        owner = self._ports.setdefault(port_uuid, uuid)
        if owner != uuid:
            text = f"ports (port {_name((port_uuid, port))[0]} is another bridge's too)"
            self.notes.append(Note("Bridge", uuid, bridge, text))
            return False
        self.notes += port.notes
        for interface, name in port.interfaces:
            self.interfaces.setdefault(interface, Place(bridge, port.place(name), name, port_uuid))
        return True

    def _take(self, bridge: str, port: PortReading) -> bool:
        """Whether the port's names are free for it."""
        assert port.port
        names = {name: interface for interface, name in port.interfaces}
        names.setdefault(port.port.name, port.interfaces[0][0])
        for name in names:
            if name in self._names and name != bridge:
                self._refuse(port, f"{name} is itself a bridge")
                return False
            if name in self._facades and name != bridge:
                self._refuse(port, f"{name} is the facade of bridge {self._facades[name]}")
                return False
        mine = {name: (port.uuid, interface) for name, interface in names.items()}
        for name, claim in mine.items():
            taker = self._takers.get(name, claim)
            if taker == claim:
                continue
            text = f"interface {name} is another port's too"
            if taker[1] == claim[1]:  # the interface works, for that other port
                self.notes.append(Note("Port", port.uuid, name, text, refused=True))
            else:
                self._refuse(port, text)
            return False
        self._takers |= mine
        return True

    def _refuse(self, port: PortReading, text: str) -> None:
        for uuid, name in port.interfaces:
            self.notes.append(Note("Interface", uuid, name, text, refused=True))

    def _has_lost_its_number(self, port: PortReading, owner: str) -> None:
        assert port.port
        for uuid, name in port.interfaces:
            text = f"ofport_request ({port.port.number} is port {owner}'s)"
            self.notes.append(Note("Interface", uuid, name, text))


def _name(item: tuple[Uuid, PortReading]) -> tuple[str, Uuid]:
    uuid, port = item
    return port.interfaces[0][1] if port.interfaces else "", uuid
