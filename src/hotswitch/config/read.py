"""From the tables to what is wanted. Pure; what is wrong with one row never stops the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hotswitch.config.assembly import Assembly, Place
from hotswitch.config.notes import Note
from hotswitch.config.read_bridge import BridgeReading, read_bridge
from hotswitch.config.read_port import PortReading, read_port
from hotswitch.config.rows import Row, Tables, Uuid, members, number, pairs, the_root
from hotswitch.config.settings import Remarker, boolean, whole_number
from hotswitch.switch.desired import Desired

_MILLISECOND = 1_000_000
_STATISTICS_PERIOD = 5000
"""Milliseconds; less is not had."""

_EMPTY: Mapping[Uuid, Row] = {}


@dataclass(frozen=True)
class Reading:
    """What the tables say.

    desired: what the switch is to be; it passes `switch.check`.
    notes: what of the tables is not in it.
    next_cfg: the configuration's number, for when it is in force.
    statistics_period: nanoseconds between two writings of statistics.
    counts_host: whether the host's statistics are wanted, too.
    bridges, ports, interfaces: the rows that a bridge in use refers to, in force or not.
    """

    desired: Desired = field(default_factory=Desired)
    notes: tuple[Note, ...] = ()
    next_cfg: int = 0
    statistics_period: int = _STATISTICS_PERIOD * _MILLISECOND
    counts_host: bool = False
    bridges: Mapping[Uuid, BridgeReading] = field(default_factory=dict)
    ports: frozenset[Uuid] = frozenset()
    interfaces: Mapping[Uuid, Place] = field(default_factory=dict)


class Reader:
    """Reads tables, and reads only those rows anew that are no longer the same objects."""

    def __init__(self) -> None:
        self._bridges: dict[Uuid, tuple[Row, BridgeReading]] = {}
        self._ports: dict[tuple[Uuid, Uuid], _RememberedPort] = {}

    def read(self, tables: Tables, hints: Mapping[str, int] = MappingProxyType({})) -> Reading:
        """What the tables say; `hints` are numbers that ports had once, by name."""
        root = the_root(tables)
        if root is None:
            return Reading()
        root_uuid, root_row = root
        remarks = Remarker("Open_vSwitch", root_uuid, "")
        remarks.look_through(root_row)
        period = _statistics_period(root_row, remarks)
        settings = pairs(root_row, "other_config")
        counts_host = remarks.setting(settings, "enable-statistics", boolean, False)
        rows = tables.get("Bridge", _EMPTY)
        bridges = self._read_bridges(rows, root_row)
        ports = {uuid: self._read_ports(tables, uuid, each) for uuid, each in bridges.items()}
        self._forget(bridges, ports)
        assembly = Assembly(bridges, hints)
        for uuid, of_bridge in ports.items():
            assembly.add(uuid, of_bridge)
        return Reading(
            Desired(MappingProxyType(assembly.desired)),
            (*remarks.notes, *assembly.notes, *_beside(tables, bridges)),
            number(root_row, "next_cfg") or 0,
            period * _MILLISECOND,
            counts_host,
            bridges,
            frozenset(uuid for of_bridge in ports.values() for uuid in of_bridge),
            assembly.interfaces,
        )

    def _read_bridges(self, rows: Mapping[Uuid, Row], root: Row) -> dict[Uuid, BridgeReading]:
        found = {}
        for uuid in members(root, "bridges"):
            row = rows.get(uuid)
            if row is None:
                continue
            known = self._bridges.get(uuid)
            if known is None or known[0] is not row:
                known = self._bridges[uuid] = row, read_bridge(uuid, row)
            found[uuid] = known[1]
        return dict(sorted(found.items(), key=lambda item: item[1].name))

    def _read_ports(
        self, tables: Tables, bridge_uuid: Uuid, bridge: BridgeReading
    ) -> dict[Uuid, PortReading]:
        rows = tables.get("Port", _EMPTY)
        interfaces = tables.get("Interface", _EMPTY)
        found = {}
        for uuid in members(tables["Bridge"][bridge_uuid], "ports"):
            row = rows.get(uuid)
            if row is None:
                continue
            key = bridge_uuid, uuid
            known = self._ports.get(key)
            if known is None or not known.holds(row, bridge.address, interfaces):
                reading = read_port(bridge.name, bridge.address, uuid, row, interfaces)
                used = {each: interfaces.get(each) for each in members(row, "interfaces")}
                known = self._ports[key] = _RememberedPort(row, used, bridge.address, reading)
            found[uuid] = known.reading
        return found

    def _forget(
        self,
        bridges: Mapping[Uuid, BridgeReading],
        ports: Mapping[Uuid, Mapping[Uuid, PortReading]],
    ) -> None:
        if len(self._bridges) > len(bridges):
            self._bridges = {uuid: self._bridges[uuid] for uuid in bridges}
        if len(self._ports) > sum(map(len, ports.values())):
            kept = [(bridge, port) for bridge, of_bridge in ports.items() for port in of_bridge]
            self._ports = {key: self._ports[key] for key in kept}


@dataclass(frozen=True, slots=True)
class _RememberedPort:
    row: Row
    interfaces: Mapping[Uuid, Row | None]
    address: int
    reading: PortReading

    def holds(self, row: Row, address: int, interfaces: Mapping[Uuid, Row]) -> bool:
        """Whether reading again would give the same."""
        return (
            self.row is row
            and self.address == address
            and all(interfaces.get(uuid) is each for uuid, each in self.interfaces.items())
        )


def _statistics_period(root: Row, remarks: Remarker) -> int:
    settings = pairs(root, "other_config")
    asked = remarks.setting(
        settings, "stats-update-interval", whole_number(0, 1 << 40), _STATISTICS_PERIOD
    )
    return max(asked, _STATISTICS_PERIOD)


def _beside(tables: Tables, bridges: Mapping[Uuid, BridgeReading]) -> Iterator[Note]:
    """Notes about rows that are in no bridge, and have no status themselves."""
    for row in tables.get("Flow_Sample_Collector_Set", _EMPTY).values():
        for uuid in members(row, "bridge"):
            if uuid in bridges:
                text = f"Flow_Sample_Collector_Set {number(row, 'id')}"
                yield Note("Bridge", uuid, bridges[uuid].name, text)
