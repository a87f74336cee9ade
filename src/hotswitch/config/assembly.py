"""Puts bridges and ports together, of which each is possible for itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.config.notes import Note
from hotswitch.config.numbers import with_numbers
from hotswitch.config.read_bridge import BridgeReading
from hotswitch.config.read_port import PortReading
from hotswitch.config.rows import Uuid
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.switch.desired import DesiredBridge

MOST_PORTS = MAXIMUM_PORT - 2
"""Numbers that there are beside the local port's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an interface is: its bridge's name, and its own, which is that of the switch's port."""

    bridge: str
    name: str


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
        self.desired[reading.name] = replace(reading.bridge, ports=MappingProxyType(wanted))

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
            self.interfaces.setdefault(interface, Place(bridge, name))
        return True

    def _take(self, bridge: str, port: PortReading) -> bool:
        """Whether the port's name is free for it."""
        [(interface, name)] = port.interfaces
        if name in self._names and name != bridge:
            self._refuse(port, f"{name} is itself a bridge")
            return False
        taker = self._takers.setdefault(name, (port.uuid, interface))
        if taker == (port.uuid, interface):
            return True
        text = f"interface {name} is another port's too"
        if taker[1] == interface:  # the interface works, for that other port
            self.notes.append(Note("Port", port.uuid, name, text, refused=True))
        else:
            self._refuse(port, text)
        return False

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
