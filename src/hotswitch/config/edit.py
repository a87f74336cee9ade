"""From a change of what is wanted to the operations that make the database want it. Pure.

Only what differs is touched: rows and columns that mean nothing to the switch stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.base.shared import SharedMap
from hotswitch.config.operations import Update, datum
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid, Value, members, the_root
from hotswitch.config.unheeded import Refused
from hotswitch.headers.text import MAC
from hotswitch.model.port import Hook
from hotswitch.ports.adoption import show_rules
from hotswitch.ports.members import Member
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind

Operation = dict[str, Any]
Settings = dict[str, str | None]
Maps = dict[str, Settings]
"""Settings by the column that they are in."""

_DEFAULT = DesiredBridge("")


class EditError(HotswitchError):
    """What is to be changed is not in the tables."""


def edit(tables: Tables, reading: Reading, after: Desired) -> list[Operation]:
    """What brings the tables from `reading.desired` to `after`; nothing if they are the same.

    Raises EditError if the tables are no longer those that were read, and it matters.
    """
    root = the_root(tables)
    if root is None:
        if after == reading.desired:
            return []
        raise EditError("the database has no Open_vSwitch row", remedy="make it: ovs-vsctl init")
    found = list(_Edit(tables, reading, root[0]).operations(after))
    if found:
        found.append(mutate("Open_vSwitch", root[0], ["next_cfg", "+=", 1]))
    return found


def discard(tables: Tables, refused: Refused) -> list[Operation]:
    """What deletes a row that is not in force. Raises EditError."""
    root = the_root(tables)
    if root is None:
        raise EditError("the database has no Open_vSwitch row", remedy="make it: ovs-vsctl init")
    if refused.port:
        operation = mutate("Bridge", refused.holder, _delete("ports", refused.row))
    else:
        operation = mutate("Open_vSwitch", root[0], _delete("bridges", refused.row))
    return [operation, mutate("Open_vSwitch", root[0], ["next_cfg", "+=", 1])]


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
            yield mutate("Open_vSwitch", self._root, _delete("bridges", self._rows[name]))
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
        settings = {key: value for key, value in _bridge_settings(bridge).items() if value}
        row = {
            "name": bridge.name,
            "ports": ["set", [["named-uuid", each] for each in names]],
            "other_config": datum(settings),
        }
        yield {"op": "insert", "table": "Bridge", "uuid-name": named, "row": row}
        yield mutate("Open_vSwitch", self._root, _insert("bridges", named))

    def _changed_bridge(self, old: DesiredBridge, new: DesiredBridge) -> Iterator[Operation]:
        uuid = self._rows[old.name]
        if uuid not in self._tables["Bridge"]:
            raise EditError(f"bridge {old.name} has been deleted meanwhile")
        yield from _set(
            "Bridge", uuid, "other_config", _bridge_settings(old), _bridge_settings(new)
        )
        changed = sorted(SharedMap(new.ports).differing(SharedMap(old.ports)))
        for name in changed:
            if name not in new.ports:
                yield mutate("Bridge", uuid, _delete("ports", self._port(old.name, name)[0]))
        for name in changed:
            port, known = new.ports.get(name), old.ports.get(name)
            if port and known:
                yield from self._changed_port(old.name, known, port)
            elif port:
                named, operations = self._new_port(new.name, port)
                yield from operations
                yield mutate("Bridge", uuid, _insert("ports", named))

    def _new_port(self, bridge: str, port: DesiredPort) -> tuple[str, list[Operation]]:
        of_port = self._name()
        interfaces = [self._new_interface(bridge, port, member) for member in port.members]
        row: dict[str, Any] = {
            "name": port.name,
            **{column: datum(value) for column, value in _port_columns(port).items()},
            **_set_maps(_port_settings(port)),
            "interfaces": ["set", [["named-uuid", named] for named, _ in interfaces]],
        }
        insert = {"op": "insert", "table": "Port", "uuid-name": of_port, "row": row}
        return of_port, [*(operation for _, operation in interfaces), insert]

    def _new_interface(
        self, bridge: str, port: DesiredPort, member: Member
    ) -> tuple[str, Operation]:
        named = self._name()
        columns = _interface_columns(port)
        if port.name == bridge:
            columns |= {"type": str(PortKind.INTERNAL), "mac": None}
        row = {
            "name": member.name,
            **{column: datum(value) for column, value in columns.items()},
            **_set_maps(_interface_settings(port, member)),
        }
        return named, {"op": "insert", "table": "Interface", "uuid-name": named, "row": row}

    def _changed_port(self, bridge: str, old: DesiredPort, new: DesiredPort) -> Iterator[Operation]:
        port, interfaces = self._port(bridge, old.name)
        yield from _changed("Port", port, _port_columns(old), _port_columns(new))
        settings = _port_settings(old)
        if old.lifecycle != new.lifecycle:
            settings["other_config"] |= {"transient": ""}  # it would speak up for itself again
        yield from _changed_maps("Port", port, settings, _port_settings(new))
        before = {member.name: member for member in old.members}
        after = {member.name: member for member in new.members}
        for name, member in after.items():
            if name not in before:
                named, insert = self._new_interface(bridge, new, member)
                yield insert
                yield mutate("Port", port, _insert("interfaces", named))
                continue
            columns = _interface_columns(old), _interface_columns(new)
            if new.name == bridge:
                for each in columns:
                    del each["mac"]  # the bridge's `hwaddr` says it
            yield from _changed("Interface", interfaces[name], *columns)
            had, has = (
                _interface_settings(old, before[name]),
                _interface_settings(new, member),
            )
            yield from _changed_maps("Interface", interfaces[name], had, has)
        # At no time may it have none.
        for name in before.keys() - after.keys():
            yield mutate("Port", port, _delete("interfaces", interfaces[name]))

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


def _bridge_settings(bridge: DesiredBridge) -> Settings:
    never = bridge.ageing_time == 0
    usual = bridge.ageing_time in (0, _DEFAULT.ageing_time)
    local = bridge.local
    return {
        "mac-aging": "false" if never else None,
        "mac-aging-time": None if usual else str(bridge.ageing_time),
        "mac-table-size": None
        if bridge.address_limit == _DEFAULT.address_limit
        else str(bridge.address_limit),
        "forward-bpdu": "true" if bridge.forward_reserved else None,
        "default-lifecycle": str(bridge.lifecycle) if bridge.lifecycle else None,
        "adopt": show_rules(bridge.adopt) or None,
        "facade": bridge.facade or None,
        "hwaddr": MAC.show(local.mac) if local.mac else None,
    }


def _port_columns(port: DesiredPort) -> dict[str, Value]:
    return {
        "tag": port.tag,
        "trunks": port.trunks,
        "vlan_mode": str(port.mode) if port.mode else None,
    }


def _interface_columns(port: DesiredPort) -> dict[str, Value]:
    return {
        "type": "" if port.kind is PortKind.SYSTEM else str(port.kind),
        "mac": MAC.show(port.mac) if port.mac else None,
        "mtu_request": port.mtu or None,
        "ofport_request": port.number or None,
    }


def _port_settings(port: DesiredPort) -> Maps:
    return {
        "other_config": {
            "storm-limit": str(port.storm_limit or "") or None,
            "lifecycle": str(port.lifecycle) if port.lifecycle else None,
            "vif": "true" if port.is_vif else None,
            "master": port.master or None,
        },
        "external_ids": dict(port.metadata),
    }


def _interface_settings(port: DesiredPort, member: Member) -> Maps:
    return {
        "other_config": {
            "hook": None if port.hook is Hook.AUTO else str(port.hook),
            "link": str(member.selector) if member.selector else None,
            "follow-rename": None if member.follow_rename else "false",
            "netns": port.namespace or None,
            "device-name": port.device_name or None,
            "vif-preference": str(member.preference or "") or None,
        },
        "options": {"peer": port.peer or None},
        "external_ids": dict(member.metadata),
    }


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


def mutate(table: str, uuid: Uuid, *mutations: list[Any]) -> Operation:
    """Change columns of one row (RFC 7047 section 5.2.4)."""
    where = [["_uuid", "==", ["uuid", uuid]]]
    return {"op": "mutate", "table": table, "where": where, "mutations": list(mutations)}


def _delete(column: str, uuid: Uuid) -> list[Any]:
    return [column, "delete", ["uuid", uuid]]


def _insert(column: str, named: str) -> list[Any]:
    return [column, "insert", ["named-uuid", named]]
