"""An embedded database, a switch over fakes, and the reconciler between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from hotswitch.base.clock import ManualClock
from hotswitch.base.errors import HotswitchError
from hotswitch.config.devices import Device
from hotswitch.config.operations import Operation, Update
from hotswitch.config.other_columns import Identity
from hotswitch.config.reconcile import Reconciler
from hotswitch.config.rows import Row, Tables, Uuid, embedded_tables
from hotswitch.headers.registry import Registry
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link
from hotswitch.ovsdb.database import Database
from hotswitch.switch.switch import Switch
from tests.config.tables import SCHEMA
from tests.switch.fakes import FakeWorld

IDENTITY = Identity("hotswitch 1.2.3", SCHEMA.version, "debian", "12")


class LabDatabase:
    """What the reconciler asks of a database, counting what it writes."""

    def __init__(self) -> None:
        self.engine = Database(SCHEMA)
        self._news: dict[str, set[str]] = {}
        self.written: list[list[Update]] = []
        self.refuses: HotswitchError | None = None
        self._tables = embedded_tables(self.engine)
        self.transact_json({"op": "insert", "table": "Open_vSwitch", "row": {}})

    is_current = True

    def news(self) -> dict[str, set[str]]:
        news, self._news = self._news, {}
        return news

    def tables(self) -> Tables:
        return self._tables

    async def transact(self, updates: Sequence[Update]) -> None:
        if self.refuses:
            raise self.refuses
        self.written.append(list(updates))
        self.transact_json(*(each.to_json() for each in updates))

    async def change(self, operations: Sequence[Operation]) -> None:
        if self.refuses:
            raise self.refuses
        self.transact_json(*operations)

    def transact_json(self, *operations: dict[str, Any]) -> list[Any]:
        """Commit; the results."""
        outcome = self.engine.transact(list(operations))
        for table, rows in (outcome.changes.tables if outcome.changes else {}).items():
            self._news.setdefault(table, set()).update(rows)
        results = outcome.results
        errors = [each for each in results if each and "error" in each]
        assert not errors, errors
        return results

    def row(self, table: str, name: str = "") -> Row:
        """The row of that name, or the first."""
        rows = self._tables[table].values()
        return next(row for row in rows if not name or row["name"] == name)

    def add_bridge(self, name: str, **columns: object) -> None:
        """As ovs-vsctl add-br."""
        self.transact_json(
            {"op": "insert", "table": "Bridge", "uuid-name": "bridge", "row": {"name": name}},
            self._mutate("Open_vSwitch", [], "bridges", "bridge"),
        )
        self.add_port(name, name, type="internal")
        if columns:
            self.set("Bridge", name, **columns)

    def add_port(self, bridge: str, name: str, **columns: object) -> None:
        """As ovs-vsctl add-port BRIDGE NAME -- set Interface NAME COLUMNS."""
        self._bump(
            {
                "op": "insert",
                "table": "Interface",
                "uuid-name": "interface",
                "row": {"name": name, **columns},
            },
            {
                "op": "insert",
                "table": "Port",
                "uuid-name": "port",
                "row": {"name": name, "interfaces": ["named-uuid", "interface"]},
            },
            self._mutate("Bridge", [["name", "==", bridge]], "ports", "port"),
        )

    def add_bond(self, bridge: str, name: str, *interfaces: str) -> None:
        """As ovs-vsctl add-bond."""
        self._bump(
            *(
                {
                    "op": "insert",
                    "table": "Interface",
                    "uuid-name": f"i{at}",
                    "row": {"name": interface},
                }
                for at, interface in enumerate(interfaces)
            ),
            {
                "op": "insert",
                "table": "Port",
                "uuid-name": "port",
                "row": {
                    "name": name,
                    "interfaces": [
                        "set",
                        [["named-uuid", f"i{at}"] for at in range(len(interfaces))],
                    ],
                },
            },
            self._mutate("Bridge", [["name", "==", bridge]], "ports", "port"),
        )

    def delete_port(self, bridge: str, name: str) -> None:
        """As ovs-vsctl del-port."""
        [uuid] = [key for key, row in self._tables["Port"].items() if row["name"] == name]
        self._bump(
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [["name", "==", bridge]],
                "mutations": [["ports", "delete", ["uuid", uuid]]],
            }
        )

    def set(self, table: str, name: str, **columns: object) -> None:
        """As ovs-vsctl set."""
        where = [["name", "==", name]] if name else []
        self._bump({"op": "update", "table": table, "where": where, "row": columns})

    def _mutate(self, table: str, where: list[Any], column: str, named: str) -> dict[str, Any]:
        mutation = [column, "insert", ["set", [["named-uuid", named]]]]
        return {"op": "mutate", "table": table, "where": where, "mutations": [mutation]}

    def _bump(self, *operations: dict[str, Any]) -> None:
        self.transact_json(
            *operations,
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["next_cfg", "+=", 1]],
            },
        )


class FakeDevices:
    """Devices that say what the test wants."""

    def __init__(self) -> None:
        self.counted: dict[int, LinkCounters] = {}

    def device(self, link: Link) -> Device:
        return Device(link.kind, "1.0", "", 10_000_000_000, "full")

    def counters(self) -> Mapping[int, LinkCounters]:
        return self.counted

    def host(self) -> Mapping[str, str]:
        return {"cpu": "64"}


class FakeDepartures:
    """Rows in memory."""

    def __init__(self) -> None:
        self.rows: frozenset[Uuid] = frozenset()

    def load(self) -> frozenset[Uuid]:
        return self.rows

    def keep(self, rows: Set[Uuid]) -> None:
        self.rows = frozenset(rows)


class Lab:
    """All of it. `links` are the kernel's."""

    def __init__(self, registry: Registry) -> None:
        self.world = FakeWorld(registry)
        self.links = self.world.kernel
        self.clock = ManualClock()
        self.switch = Switch(self.world, self.clock)
        self.database = LabDatabase()
        self.devices = FakeDevices()
        self.kept = FakeDepartures()
        self.reconciler = self.new_reconciler()

    def restart(self) -> None:
        """Another daemon finds what this one has left."""
        self.switch = Switch(self.world, self.clock)
        self.reconciler = self.new_reconciler()

    def new_reconciler(self) -> Reconciler:
        """As after a restart."""
        return Reconciler(self.database, self.switch, self.devices, self.clock, IDENTITY, self.kept)

    async def turn(self) -> None:
        """The database has changed."""
        self.reconciler.changed()
        await self.reconciler.turn()

    def interface(self, name: str) -> Row:
        return self.database.row("Interface", name)
