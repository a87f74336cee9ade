"""From a change of what is wanted to the operations that make the database want it. Pure.

Only what differs is touched: rows and columns that mean nothing to the switch stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.base.shared import SharedMap
from hotswitch.config.operations import Operation, Update, datum, mutate, put_in, take_out
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid, Value, members, the_root
from hotswitch.config.unheeded import Refused
from hotswitch.config.wanted_columns import (
    Maps,
    Settings,
    bridge_settings,
    interface_columns,
    interface_settings,
    port_columns,
    port_settings,
)
from hotswitch.ports.members import Member
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind


class EditError(HotswitchError):
    """What is to be changed is not in the tables."""


def edit(tables: Tables, reading: Reading, after: Desired) -> list[Operation]:
    """What brings the tables from `reading.desired` to `after`; nothing if they are the same.

    Raises EditError if the tables are no longer those that were read, and it matters.
    """
    if the_root(tables) is None and after == reading.desired:
        return []
    root = _root(tables)
    found = list(_Edit(tables, reading, root).operations(after))
    if found:
        found.append(_count(root))
    return found


def discard(tables: Tables, refused: Refused) -> list[Operation]:
    """What deletes a row that is not in force. Raises EditError."""
    root = _root(tables)
    if refused.port:
        operation = mutate("Bridge", refused.holder, take_out("ports", refused.row))
    else:
        operation = mutate("Open_vSwitch", root, take_out("bridges", refused.row))
    return [operation, _count(root)]


def _root(tables: Tables) -> Uuid:
    """The row that all bridges hang from. Raises EditError."""
    found = the_root(tables)
    if found is None:
        raise EditError("the database has no Open_vSwitch row", remedy="make it: ovs-vsctl init")
    return found[0]


def _count(root: Uuid) -> Operation:
    """Say that something else is wanted: ovs-vsctl waits for this number."""
    return mutate("Open_vSwitch", root, ["next_cfg", "+=", 1])


class _Edit:
    def __init__(self, tables: Tables, reading: Reading, root: Uuid) -> None:
        self._tables = tables
        self._reading = reading
        self._root = root
        self._rows = {
            each.name: uuid
            for uuid, each in reading.bridges.items()
            if each.name in reading.desired.bridges
        }
        self._count = 0

    def operations(self, after: Desired) -> Iterator[Operation]:
        before = self._reading.desired
        for name in before.bridges.keys() - after.bridges.keys():
            yield mutate("Open_vSwitch", self._root, take_out("bridges", self._rows[name]))
        for name, bridge in after.bridges.items():
            old = before.bridges.get(name)
            if old is None:
                yield from self._new_bridge(bridge)
            elif old is not bridge and old != bridge:
                yield from self._changed_bridge(old, bridge)

    def _new_bridge(self, bridge: DesiredBridge) -> Iterator[Operation]:
        names = []
        for port in {**bridge.ports, bridge.name: bridge.local}.values():
            name, operations = self._new_port(bridge.name, port)
            names.append(name)
            yield from operations
        named = self._name()
        settings = {key: value for key, value in bridge_settings(bridge).items() if value}
        row = {
            "name": bridge.name,
            "ports": ["set", [["named-uuid", each] for each in names]],
            "other_config": datum(settings),
        }
        yield {"op": "insert", "table": "Bridge", "uuid-name": named, "row": row}
        yield mutate("Open_vSwitch", self._root, put_in("bridges", named))

    def _changed_bridge(self, old: DesiredBridge, new: DesiredBridge) -> Iterator[Operation]:
        uuid = self._rows[old.name]
        if uuid not in self._tables["Bridge"]:
            raise EditError(f"bridge {old.name} has been deleted meanwhile")
        yield from _set("Bridge", uuid, "other_config", bridge_settings(old), bridge_settings(new))
        changed = sorted(SharedMap(new.ports).differing(SharedMap(old.ports)))
        for name in changed:
            if name not in new.ports:
                yield mutate("Bridge", uuid, take_out("ports", self._port(old.name, name)[0]))
        for name in changed:
            port, known = new.ports.get(name), old.ports.get(name)
            if port and known:
                yield from self._changed_port(old.name, known, port)
            elif port:
                named, operations = self._new_port(new.name, port)
                yield from operations
                yield mutate("Bridge", uuid, put_in("ports", named))

    def _new_port(self, bridge: str, port: DesiredPort) -> tuple[str, list[Operation]]:
        of_port = self._name()
        interfaces = [self._new_interface(bridge, port, member) for member in port.members]
        row: dict[str, Any] = {
            "name": port.name,
            **{column: datum(value) for column, value in port_columns(port).items()},
            **_set_maps(port_settings(port)),
            "interfaces": ["set", [["named-uuid", named] for named, _ in interfaces]],
        }
        insert = {"op": "insert", "table": "Port", "uuid-name": of_port, "row": row}
        return of_port, [*(operation for _, operation in interfaces), insert]

    def _new_interface(
        self, bridge: str, port: DesiredPort, member: Member
    ) -> tuple[str, Operation]:
        named = self._name()
        columns = interface_columns(port)
        if port.name == bridge:
            columns |= {"type": str(PortKind.INTERNAL), "mac": None}
        row = {
            "name": member.name,
            **{column: datum(value) for column, value in columns.items()},
            **_set_maps(interface_settings(port, member)),
        }
        return named, {"op": "insert", "table": "Interface", "uuid-name": named, "row": row}

    def _changed_port(self, bridge: str, old: DesiredPort, new: DesiredPort) -> Iterator[Operation]:
        port, interfaces = self._port(bridge, old.name)
        yield from _changed("Port", port, port_columns(old), port_columns(new))
        settings = port_settings(old)
        if old.lifecycle != new.lifecycle:
            settings["other_config"] |= {"transient": ""}  # it would speak up for itself again
        yield from _changed_maps("Port", port, settings, port_settings(new))
        before = {member.name: member for member in old.members}
        after = {member.name: member for member in new.members}
        for name, member in after.items():
            if name not in before:
                named, insert = self._new_interface(bridge, new, member)
                yield insert
                yield mutate("Port", port, put_in("interfaces", named))
                continue
            columns = interface_columns(old), interface_columns(new)
            if new.name == bridge:
                for each in columns:
                    del each["mac"]  # the bridge's `hwaddr` says it
            yield from _changed("Interface", interfaces[name], *columns)
            had, has = (
                interface_settings(old, before[name]),
                interface_settings(new, member),
            )
            yield from _changed_maps("Interface", interfaces[name], had, has)
        # At no time may it have none.
        for name in before.keys() - after.keys():
            yield mutate("Port", port, take_out("interfaces", interfaces[name]))

    def _port(self, bridge: str, name: str) -> tuple[Uuid, Mapping[str, Uuid]]:
        """The row of Port of a port that is in force, and those of its interfaces by name."""
        places, ports = self._reading.interfaces, self._tables["Port"]
        for interface in self._reading.rows.get((bridge, name), ()):
            port = places[interface].port
            there = members(ports.get(port, {}), "interfaces")
            mine = {
                places[each].link: each
                for each in there
                if each in places and places[each].name == name
            }
            if mine:
                return port, mine
        raise EditError(f"port {name} has been deleted meanwhile")

    def _name(self) -> str:
        self._count += 1
        return f"row{self._count}"


def _set_maps(maps: Maps) -> dict[str, Any]:
    """The columns of a new row."""
    given = {
        column: {key: value for key, value in settings.items() if value is not None}
        for column, settings in maps.items()
    }
    return {column: datum(settings) for column, settings in given.items() if settings}


def _changed(
    table: str, uuid: Uuid, before: Mapping[str, Value], after: Mapping[str, Value]
) -> Iterator[Operation]:
    """Set those columns that differ."""
    columns = {name: value for name, value in after.items() if before[name] != value}
    if columns:
        yield Update(table, uuid, columns).to_json()


def _changed_maps(table: str, uuid: Uuid, before: Maps, after: Maps) -> Iterator[Operation]:
    for column, settings in after.items():
        yield from _set(table, uuid, column, before[column], settings)


def _set(
    table: str, uuid: Uuid, column: str, before: Settings, after: Settings
) -> Iterator[Operation]:
    """Change those keys of a map that differ."""
    changed = {
        key: after.get(key)
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    }
    if changed:
        given = {key: value for key, value in changed.items() if value is not None}
        yield mutate(
            table,
            uuid,
            [column, "delete", ["set", list(changed)]],
            [column, "insert", datum(given)],
        )
