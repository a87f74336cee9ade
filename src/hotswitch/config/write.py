"""From what is so to the changes that make the database say it: only what differs is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from hotswitch.config.devices import Device
from hotswitch.config.interface_columns import InterfaceFacts, interface_columns, statistics
from hotswitch.config.notes import NONE, by_row
from hotswitch.config.operations import Update, update
from hotswitch.config.other_columns import (
    Identity,
    bridge_columns,
    bridge_facts,
    controller_columns,
    port_columns,
    root_columns,
)
from hotswitch.config.read import Reading
from hotswitch.config.rows import Row, Tables, Uuid, Value, the_root
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link
from hotswitch.model.port import PortStatistics
from hotswitch.switch.status import BridgeStatus, PortStatus

_Facts = TypeVar("_Facts")
_NOTHING = PortStatistics()


@dataclass(frozen=True, slots=True)
class Picture:
    """How the switch is.

    status: of all bridges, by name. device: what is known of a link. resets: by interface name,
    how often its carrier was seen to come or go.
    """

    status: Mapping[str, BridgeStatus]
    device: Callable[[Link], Device]
    resets: Mapping[str, int]

    def port(self, bridge: str, name: str) -> PortStatus | None:
        """The port, if the switch has it."""
        found = self.status.get(bridge)
        return found.ports.get(name) if found else None


class Writer:
    """Finds what to write; of rows that were right and have not changed it does so quickly."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._right: dict[Uuid, tuple[Row, object]] = {}

    def updates(
        self, tables: Tables, reading: Reading, picture: Picture, in_force: int | None
    ) -> list[Update]:
        """What brings all columns but `Interface.statistics` to what is.

        in_force: the number of the configuration that is, or None to leave it.
        """
        found = _Found(tables, self._right)
        remarks = by_row(reading.notes)
        for uuid, bridge in reading.bridges.items():
            status = picture.status.get(bridge.name)
            facts = bridge_facts(bridge, self._identity.version, status, remarks.get(uuid, NONE))
            found.bring("Bridge", uuid, facts, bridge_columns)
        for uuid in reading.ports:
            found.bring("Port", uuid, remarks.get(uuid, NONE), port_columns)
        for uuid, place in reading.interfaces.items():
            status = picture.status.get(place.bridge)
            port = picture.port(place.bridge, place.name)
            interface = InterfaceFacts(
                port,
                status.error if status else "",
                remarks.get(uuid, NONE),
                resets=picture.resets.get(place.link, 0),
                name=place.link,
            )
            if link := interface.link:
                interface = replace(interface, device=picture.device(link))
            found.bring("Interface", uuid, interface, interface_columns)
        for uuid in tables.get("Controller", {}):
            found.bring("Controller", uuid, None, controller_columns)
        root = the_root(tables)
        if root:
            columns = root_columns(root[1], self._identity, in_force, reading.counts_host)
            made = update("Open_vSwitch", *root, columns)
            found.updates += [made] if made else []
        self._right = found.right
        return found.updates


class _Found:
    """What has been found to write.

    before: rows that were right the last time, and for which facts. right: those that are now.
    """

    def __init__(self, tables: Tables, before: Mapping[Uuid, tuple[Row, object]]) -> None:
        self.updates: list[Update] = []
        self.right: dict[Uuid, tuple[Row, object]] = {}
        self._tables = tables
        self._before = before

    def bring(
        self,
        table: str,
        uuid: Uuid,
        facts: _Facts,
        columns: Callable[[_Facts], Mapping[str, Value]],
    ) -> None:
        """Have a row say what the facts are."""
        row = self._tables[table].get(uuid)
        if row is None:
            return
        before = self._before.get(uuid)
        if not (before and before[0] is row and before[1] == facts):
            made = update(table, uuid, row, columns(facts))
            if made:
                self.updates.append(made)
                return
            before = row, facts
        self.right[uuid] = before


def statistics_updates(
    tables: Tables,
    reading: Reading,
    picture: Picture,
    counted: Mapping[str, Mapping[str, PortStatistics]],
    counters: Mapping[int, LinkCounters],
) -> list[Update]:
    """What brings `Interface.statistics` to what is.

    counted: by the switch, by bridge and port; nothing is written for bridges that are not in it.
    counters: by the kernel, by link.
    """
    interfaces = tables.get("Interface", {})
    found = []
    for uuid, place in reading.interfaces.items():
        row = interfaces.get(uuid)
        port = picture.port(place.bridge, place.name)
        if row is None or (port and place.bridge not in counted):
            continue
        wanted: dict[str, int] = {}
        # A row that is refused has no port of its own, even if another's has its name.
        if port and row.get("ofport") not in (None, -1):
            mine = counted[place.bridge].get(place.name, _NOTHING)
            wanted = statistics(port, mine, counters.get(_index(port, place.link)))
        made = update("Interface", uuid, row, {"statistics": wanted})
        found += [made] if made else []
    return found


def host_updates(tables: Tables, said: Mapping[str, str]) -> list[Update]:
    """What brings `Open_vSwitch.statistics` to what is said of the host."""
    root = the_root(tables)
    made = update("Open_vSwitch", *root, {"statistics": dict(said)}) if root else None
    return [made] if made else []


def _index(port: PortStatus, name: str) -> int:
    """The index of the link that an interface of the port has, or 0."""
    links = {each.name: each.link.index for each in port.links if each.link}
    return links.get(name, 0) if port.links else port.ifindex
