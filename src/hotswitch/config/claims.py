"""What each port alone has of what several could want: rows, names, numbers.

As long as nobody wants what another one has, a port can be read without regard to the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from hotswitch.config.read_bridge import BridgeReading
from hotswitch.config.read_port import PortReading
from hotswitch.config.rows import Row, Uuid, members


@dataclass
class Claims:
    """bridges: those that there are, all in force.

    members: by bridge, the ports that its row names. homes: by port, its bridge.
    """

    bridges: Mapping[Uuid, BridgeReading]
    members: dict[Uuid, frozenset[Uuid]] = field(default_factory=dict)
    homes: dict[Uuid, Uuid] = field(default_factory=dict)
    readings: dict[Uuid, PortReading] = field(default_factory=dict)
    users: dict[Uuid, Uuid] = field(default_factory=dict)
    _used: dict[Uuid, Collection[Uuid]] = field(default_factory=dict)
    _names: dict[str, Uuid] = field(default_factory=dict)
    _numbers: dict[tuple[Uuid, int], Uuid] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._bridge_names = {each.name for each in self.bridges.values()}
        self._facades = {
            each.bridge.facade
            for each in self.bridges.values()
            if each.bridge and each.bridge.facade
        }

    @property
    def are_distinct(self) -> bool:
        """Whether all bridges can be had beside one another."""
        return len(self._bridge_names) == len(self.bridges) and all(
            each.bridge for each in self.bridges.values()
        )

    def add(self, bridge: Uuid, row: Row, reading: PortReading) -> bool:
        """Let a port have what it wants; whether nobody else has any of it."""
        port = reading.uuid
        if port in self.homes:
            return False
        used = members(row, "interfaces")
        names = _names(reading)
        own = self.bridges[bridge].name
        wanted = reading.port.number if reading.port else 0
        if (
            len({name for _, name in reading.interfaces}) < len(reading.interfaces)
            or not self.users.keys().isdisjoint(used)
            or not self._names.keys().isdisjoint(names)
            or not self._bridge_names.isdisjoint(names - {own})
            or not self._facades.isdisjoint(names - {own})
            or (bridge, wanted) in self._numbers
        ):
            return False
        self.homes[port] = bridge
        self.readings[port] = reading
        self._used[port] = used
        self.users.update(dict.fromkeys(used, port))
        self._names.update(dict.fromkeys(names, port))
        if wanted:
            self._numbers[bridge, wanted] = port
        return True

    def remove(self, port: Uuid) -> PortReading | None:
        """Let a port that may be there have nothing any more; what it was."""
        bridge = self.homes.pop(port, None)
        if bridge is None:
            return None
        reading = self.readings.pop(port)
        for each in self._used.pop(port):
            del self.users[each]
        for name in _names(reading):
            del self._names[name]
        if reading.port and reading.port.number:
            del self._numbers[bridge, reading.port.number]
        return reading


def _names(reading: PortReading) -> set[str]:
    """Those of its interfaces, and its own."""
    own = {reading.port.name} if reading.port else set()
    return own | {name for _, name in reading.interfaces}
