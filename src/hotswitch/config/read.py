"""From the tables to what is wanted. What is wrong with one row never stops the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.base.shared import SharedMap
from hotswitch.config.assembly import MOST_PORTS, Assembly
from hotswitch.config.claims import Claims
from hotswitch.config.follow import News, follow
from hotswitch.config.notes import Note
from hotswitch.config.read_bridge import BridgeReading, read_bridge, refused, without_rules
from hotswitch.config.read_port import PortReading, read_port
from hotswitch.config.reading import STATISTICS_PERIOD, Reading
from hotswitch.config.rows import Row, Tables, Uuid, members, number, pairs, the_root
from hotswitch.config.settings import Remarker, boolean, whole_number
from hotswitch.switch.adopted_ports import overlapping
from hotswitch.switch.desired import Desired, DesiredBridge

_MILLISECOND = 1_000_000
_EMPTY: Mapping[Uuid, Row] = {}


class Reader:
    """Reads tables, and reads only those rows anew that are no longer the same objects."""

    def __init__(self) -> None:
        self._bridges: dict[Uuid, tuple[Row, BridgeReading]] = {}
        self._ports: dict[tuple[Uuid, Uuid], _RememberedPort] = {}
        self._members: tuple[Uuid, ...] = ()
        self._claims: Claims | None = None
        self._last = Reading()

    def read(
        self,
        tables: Tables,
        hints: Mapping[str, int] = MappingProxyType({}),
        news: News | None = None,
    ) -> Reading:
        """What the tables say.

        hints: numbers that ports had once, by name. news: the rows that have changed since the
        last time; None: not known. The outcome is the same without them.
        """
        root = the_root(tables)
        if root is None:
            self._claims = None
            return Reading()
        found = None
        if news is not None and not hints and members(root[1], "bridges") == self._members:
            found = follow(self._last, self._claims, tables, news) if self._claims else None
        if found is None:
            found = self._read_all(tables, root[1], hints)
        self._last = _with_root(found, tables, *root)
        return self._last

    def _read_all(self, tables: Tables, root: Row, hints: Mapping[str, int]) -> Reading:
        self._members = members(root, "bridges")
        bridges = self._read_bridges(tables.get("Bridge", _EMPTY), root)
        ports = {uuid: self._read_ports(tables, uuid, each) for uuid, each in bridges.items()}
        self._forget(bridges, ports)
        assembly = Assembly(bridges, hints)
        for uuid, of_bridge in ports.items():
            assembly.add(uuid, of_bridge)
        self._claims = None if hints else _claims(tables, bridges, ports)
        rows: dict[tuple[str, str], tuple[Uuid, ...]] = {}
        for uuid, place in assembly.interfaces.items():
            key = place.bridge, place.name
            rows[key] = (*rows.get(key, ()), uuid)
        first: dict[Uuid, PortReading] = {}  # a port is the first bridge's that has it
        for of_bridge in ports.values():
            for uuid, each in of_bridge.items():
                first.setdefault(uuid, each)
        apart = self._claims is not None
        last = self._last.desired.bridges
        return Reading(
            Desired(
                MappingProxyType(
                    {name: _shared(each, last) for name, each in assembly.desired.items()}
                )
            ),
            bridge_notes=tuple(note for each in bridges.values() for note in each.notes)
            if apart
            else tuple(assembly.notes),
            port_notes={
                uuid: each.notes
                for of_bridge in ports.values()
                for uuid, each in of_bridge.items()
                if each.notes and apart
            },
            bridges=bridges,
            ports=SharedMap(first),
            interfaces=SharedMap(assembly.interfaces),
            rows=SharedMap(rows),
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
        return _apart(dict(sorted(found.items(), key=lambda item: item[1].name)))

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
            if known is None or not known.holds(row, bridge.of_local_port, interfaces):
                reading = read_port(bridge, uuid, row, interfaces)
                used = {each: interfaces.get(each) for each in members(row, "interfaces")}
                known = self._ports[key] = _RememberedPort(row, used, bridge.of_local_port, reading)
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
    of_local_port: tuple[int, bool]
    reading: PortReading

    def holds(
        self, row: Row, of_local_port: tuple[int, bool], interfaces: Mapping[Uuid, Row]
    ) -> bool:
        """Whether reading again would give the same."""
        return (
            self.row is row
            and self.of_local_port == of_local_port
            and all(interfaces.get(uuid) is each for uuid, each in self.interfaces.items())
        )


def _apart(bridges: dict[Uuid, BridgeReading]) -> dict[Uuid, BridgeReading]:
    """The bridges, of which each device fits the rules of one at most: the first."""
    with_rules: list[DesiredBridge] = []
    names = {each.name for each in bridges.values()}
    facades: dict[str, str] = {}
    for uuid, reading in bridges.items():
        bridge = reading.bridge
        if bridge is None or not bridge.rules:
            continue
        facade = bridge.facade
        if facade and facade in names - {bridge.name}:
            bridges[uuid] = refused(reading, uuid, f"{facade} is itself a bridge")
            continue
        if facade and (other := facades.setdefault(facade, bridge.name)) != bridge.name:
            bridges[uuid] = refused(reading, uuid, f"{facade} is the facade of bridge {other}")
            continue
        wrong = next(filter(None, (overlapping(bridge, each) for each in with_rules)), "")
        if wrong:
            bridges[uuid] = without_rules(reading, uuid, wrong)
        else:
            with_rules.append(bridge)
    return bridges


def _with_root(found: Reading, tables: Tables, uuid: Uuid, root: Row) -> Reading:
    """The reading with what the row of Open_vSwitch says, and what is beside all bridges."""
    remarks = Remarker("Open_vSwitch", uuid, "")
    remarks.look_through(root)
    settings = pairs(root, "other_config")
    period = remarks.setting(
        settings,
        "stats-update-interval",
        whole_number(STATISTICS_PERIOD // _MILLISECOND, 1 << 40),
        STATISTICS_PERIOD // _MILLISECOND,
    )
    counts_host = remarks.setting(settings, "enable-statistics", boolean, False)
    return replace(
        found,
        next_cfg=number(root, "next_cfg") or 0,
        statistics_period=period * _MILLISECOND,
        counts_host=counts_host,
        root_notes=(*remarks.notes, *_beside(tables, found.bridges)),
    )


def _claims(
    tables: Tables,
    bridges: Mapping[Uuid, BridgeReading],
    ports: Mapping[Uuid, Mapping[Uuid, PortReading]],
) -> Claims | None:
    """What each port has for itself, or None if several want the same or something is missing."""
    claims = Claims(bridges)
    if not claims.are_distinct:
        return None
    for bridge, of_bridge in ports.items():
        claims.members[bridge] = frozenset(members(tables["Bridge"][bridge], "ports"))
        if len(of_bridge) > MOST_PORTS or claims.members[bridge] != of_bridge.keys():
            return None
        for uuid, reading in of_bridge.items():
            if not claims.add(bridge, tables["Port"][uuid], reading):
                return None
    return claims


def _shared(bridge: DesiredBridge, last: Mapping[str, DesiredBridge]) -> DesiredBridge:
    """The same; the same object as the last time if nothing differs."""
    bridge = replace(bridge, ports=SharedMap(bridge.ports))
    then = last.get(bridge.name)
    return then if then == bridge else bridge


def _beside(tables: Tables, bridges: Mapping[Uuid, BridgeReading]) -> Iterator[Note]:
    """Notes about rows that are in no bridge, and have no status themselves."""
    for row in tables.get("Flow_Sample_Collector_Set", _EMPTY).values():
        for uuid in members(row, "bridge"):
            if uuid in bridges:
                text = f"Flow_Sample_Collector_Set {number(row, 'id')}"
                yield Note("Bridge", uuid, bridges[uuid].name, text)
