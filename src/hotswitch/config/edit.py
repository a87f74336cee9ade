"""From a change of what is wanted to the operations that make the database want it. Pure.

Only what differs is touched: rows and columns that mean nothing to the switch stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.config.operations import Update, datum
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid, Value, members, the_root
from hotswitch.headers.text import MAC
from hotswitch.model.port import Hook
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind

Operation = dict[str, Any]
Settings = Mapping[str, str | None]

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
        found.append(_mutate("Open_vSwitch", root[0], ["next_cfg", "+=", 1]))
    return found


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
            yield _mutate("Open_vSwitch", self._root, _delete("bridges", self._rows[name]))
        for name, bridge in after.bridges.items():
            old = before.bridges.get(name)
            if old is None:
                yield from self._new_bridge(bridge)
            elif old is not bridge and old != bridge:
                yield from self._changed_bridge(old, bridge)

    def _new_bridge(self, bridge: DesiredBridge) -> Iterator[Operation]:
        local = bridge.ports.get(bridge.name, DesiredPort(bridge.name, kind=PortKind.INTERNAL))
        names = []
        for port in {**bridge.ports, bridge.name: local}.values():
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
        yield _mutate("Open_vSwitch", self._root, _insert("bridges", named))

    def _changed_bridge(self, old: DesiredBridge, new: DesiredBridge) -> Iterator[Operation]:
        uuid = self._rows[old.name]
        if uuid not in self._tables["Bridge"]:
            raise EditError(f"bridge {old.name} has been deleted meanwhile")
        yield from _set(
            "Bridge", uuid, "other_config", _bridge_settings(old), _bridge_settings(new)
        )
        for name in old.ports.keys() - new.ports.keys():
            yield _mutate("Bridge", uuid, _delete("ports", self._port(uuid, name)[0]))
        for name, port in new.ports.items():
            known = old.ports.get(name)
            if known is None:
                named, operations = self._new_port(new.name, port)
                yield from operations
                yield _mutate("Bridge", uuid, _insert("ports", named))
            elif known is not port and known != port:
                yield from self._changed_port(old.name, known, port)

    def _new_port(self, bridge: str, port: DesiredPort) -> tuple[str, list[Operation]]:
        of_interface, of_port = self._name(), self._name()
        rows: dict[str, dict[str, Value]] = {
            "Interface": {"name": port.name, **_interface_columns(port)},
            "Port": {"name": port.name, **_port_columns(port)},
        }
        if port.name == bridge:
            rows["Interface"] |= {"type": str(PortKind.INTERNAL), "mac": None}
        for (table, column), settings in _port_settings(port).items():
            rows[table][column] = {key: value for key, value in settings.items() if value}
        encoded = {
            table: {column: datum(value) for column, value in row.items()}
            for table, row in rows.items()
        }
        encoded["Port"]["interfaces"] = ["named-uuid", of_interface]
        return of_port, [
            {"op": "insert", "table": table, "uuid-name": named, "row": encoded[table]}
            for table, named in (("Interface", of_interface), ("Port", of_port))
        ]

    def _changed_port(self, bridge: str, old: DesiredPort, new: DesiredPort) -> Iterator[Operation]:
        found = self._port(self._rows[bridge], old.name)
        rows = dict(zip(("Port", "Interface"), found, strict=True))
        for table, columns in (("Port", _port_columns), ("Interface", _interface_columns)):
            before, after = columns(old), columns(new)
            changed = {
                name: value
                for name, value in after.items()
                if before[name] != value
                if not (name == "mac" and new.name == bridge)  # the bridge's `hwaddr` says it
            }
            if changed:
                yield Update(table, rows[table], changed).to_json()
        before_settings = _port_settings(old)
        for (table, column), settings in _port_settings(new).items():
            before_column = before_settings[table, column]
            yield from _set(table, rows[table], column, before_column, settings)

    def _port(self, bridge: Uuid, name: str) -> tuple[Uuid, Uuid]:
        """The rows of Port and Interface of a port that is in force."""
        ports = self._tables["Port"]
        places = self._reading.interfaces
        for port in members(self._tables["Bridge"].get(bridge, {}), "ports"):
            for interface in members(ports.get(port, {}), "interfaces"):
                if interface in places and places[interface].name == name:
                    return port, interface
        raise EditError(f"port {name} has been deleted meanwhile")

    def _name(self) -> str:
        self._count += 1
        return f"row{self._count}"


def _bridge_settings(bridge: DesiredBridge) -> Settings:
    never = bridge.ageing_time == 0
    usual = bridge.ageing_time in (0, _DEFAULT.ageing_time)
    local = bridge.ports.get(bridge.name)
    return {
        "mac-aging": "false" if never else None,
        "mac-aging-time": None if usual else str(bridge.ageing_time),
        "mac-table-size": None
        if bridge.address_limit == _DEFAULT.address_limit
        else str(bridge.address_limit),
        "forward-bpdu": "true" if bridge.forward_reserved else None,
        "hwaddr": MAC.show(local.mac) if local and local.mac else None,
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


def _port_settings(port: DesiredPort) -> dict[tuple[str, str], Settings]:
    return {
        ("Port", "other_config"): {"storm-limit": str(port.storm_limit or "") or None},
        ("Interface", "other_config"): {"hook": None if port.hook is Hook.AUTO else str(port.hook)},
        ("Interface", "options"): {"peer": port.peer or None},
    }


def _set(
    table: str, uuid: Uuid, column: str, before: Settings, after: Settings
) -> Iterator[Operation]:
    """Change those keys of a map that differ."""
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    if changed:
        given = {key: value for key, value in changed.items() if value is not None}
        yield _mutate(
            table,
            uuid,
            [column, "delete", ["set", list(changed)]],
            [column, "insert", datum(given)],
        )


def _mutate(table: str, uuid: Uuid, *mutations: list[Any]) -> Operation:
    where = [["_uuid", "==", ["uuid", uuid]]]
    return {"op": "mutate", "table": table, "where": where, "mutations": list(mutations)}


def _delete(column: str, uuid: Uuid) -> list[Any]:
    return [column, "delete", ["uuid", uuid]]


def _insert(column: str, named: str) -> list[Any]:
    return [column, "insert", ["named-uuid", named]]
