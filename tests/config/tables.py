"""Tables as dictionaries, and short ways to fill them."""

from __future__ import annotations

from typing import Any

from hotswitch.config.rows import plain
from hotswitch.ovsdb.schema import TableSchema
from hotswitch.ovsdb.schemas import load

SCHEMA = load("Open_vSwitch")
COLUMNS = ("_uuid", "_version")


def default(table: TableSchema) -> dict[str, Any]:
    """A row in which nothing is set."""
    return {
        column.name: plain(column.type, column.type.default)
        for column in table.columns
        if column.name not in COLUMNS
    }


class TestTables(dict[str, dict[str, dict[str, Any]]]):
    """All tables, with one row in Open_vSwitch; rows are named by what is in them."""

    __test__ = False

    def __init__(self, **root: object) -> None:
        super().__init__({name: {} for name in SCHEMA.tables})
        self.put("Open_vSwitch", "root", **root)

    def put(self, table: str, uuid: str, **values: object) -> dict[str, Any]:
        """Add a row, or change one: then it is another object."""
        known = self[table].get(uuid) or default(SCHEMA.tables[table])
        unknown = values.keys() - known.keys()
        assert not unknown, f"{table} has no columns {unknown}"
        self[table][uuid] = known | values
        return self[table][uuid]

    def bridge(self, name: str, **values: object) -> str:
        """Add a bridge with its local port; its row's UUID."""
        uuid = f"bridge {name}"
        self.put("Bridge", uuid, name=name, **values)
        root = self["Open_vSwitch"]["root"]
        self.put("Open_vSwitch", "root", bridges=(*root["bridges"], uuid))
        self.port(name, name, type="internal")
        return uuid

    def port(
        self,
        bridge: str,
        name: str,
        *,
        options: dict[str, str] | None = None,
        other_config: dict[str, str] | None = None,
        **values: object,
    ) -> str:
        """Add a port with one interface; columns go to the table that has them."""
        of_interface = {k: v for k, v in values.items() if k in SCHEMA.tables["Interface"].by_name}
        of_port = {k: v for k, v in values.items() if k not in of_interface}
        settings = {"options": options or {}, "other_config": other_config or {}}
        self.put("Interface", f"interface {name}", name=name, **of_interface, **settings)
        return self.attach(bridge, name, f"interface {name}", **of_port)

    def attach(self, bridge: str, name: str, *interfaces: str, **values: object) -> str:
        """Add a port with these rows of Interface."""
        uuid = f"port {name}"
        self.put("Port", uuid, name=name, interfaces=interfaces, **values)
        ports = self["Bridge"][f"bridge {bridge}"]["ports"]
        self.put("Bridge", f"bridge {bridge}", ports=(*ports, uuid))
        return uuid
