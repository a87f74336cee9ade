"""A server with a random schema, asked at random, beside a model that is too simple to be wrong.

Two clients: one changes, the other follows by a monitor. Now and then the server ends and starts
again from its file, or writes the file anew.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hotswitch.base.clock import ManualClock
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.jsonrpc import Framer
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.session import Session
from hotswitch.ovsdb.storage import Storage
from tests.ovsdb.model import Datum, Kind, Model, ModelError, Row, TableKind

NAME = "Random"
UUIDS = {
    table: [f"{number:08x}-0000-4000-8000-00000000000{place}" for number in range(1, 8)]
    for place, table in enumerate("ABC")
}
"""Those that rows can have: few, so that they meet."""

OPERATIONS = (
    ["insert"] * 8 + ["update", "mutate", "delete"] * 4 + ["select", "wait"] * 2 + ["abort"]
)
STRINGS = st.sampled_from(["", "a", "b", "é\n\\"])
INTEGERS = st.sampled_from([0, 0, 1, 1, 2, 2, -1, 9, 2**63 - 1, -(2**63)])
MAPS = st.tuples(STRINGS, STRINGS)


@st.composite
def kinds(draw: st.DrawFn, later: list[str], others: list[str]) -> Kind:
    """A column; strong references go only to tables that come later, so that there is no ring."""
    what = draw(
        st.sampled_from(["integer", "string", "boolean", "set", "map", "weak", *["strong"] * 4])
    )
    mutable = draw(st.integers(0, 7)) > 0
    ephemeral = draw(st.integers(0, 7)) == 0
    low, high = draw(st.sampled_from([(0, 1), (0, 3), (1, 2), (0, 2)]))
    if what == "strong" and later:
        return Kind("uuid", low=0, high=high, table=draw(st.sampled_from(later)))
    if what in ("strong", "weak"):
        target = draw(st.sampled_from(others))
        return Kind("uuid", low=draw(st.sampled_from([0, 0, low])), high=high, table=target,
                    strong=False)  # fmt: skip
    if what == "map":
        return Kind("string", "string", low=0, high=3, mutable=mutable, ephemeral=ephemeral)
    if what == "set":
        key = draw(st.sampled_from(["integer", "string"]))
        return Kind(key, low=0, high=3, range=(-5, 9), mutable=mutable, ephemeral=ephemeral)
    limits = draw(st.sampled_from([(-5, 9), (0, 2), (-(2**63), 2**63 - 1)]))
    return Kind(what, range=limits, mutable=mutable, ephemeral=ephemeral)


@st.composite
def schemas(draw: st.DrawFn) -> dict[str, TableKind]:
    names = ["A", "B", "C"][: draw(st.sampled_from([1, 2, 3, 3]))]
    tables = {}
    for number, name in enumerate(names):
        columns = {
            f"c{place}": draw(kinds(names[number + 1 :], names))
            for place in range(draw(st.integers(1, 4)))
        }
        plain = [each for each, kind in columns.items() if kind.is_scalar and not kind.ephemeral]
        index = tuple(plain[:1]) if draw(st.integers(0, 2)) == 0 else ()
        is_root = number == 0 or draw(st.booleans())
        tables[name] = TableKind(columns, is_root, draw(st.sampled_from([2, 99, 99])), index)
    return tables


def atoms(kind: Kind) -> st.SearchStrategy[Any]:
    if kind.value:
        return MAPS
    if kind.key == "uuid":
        return st.sampled_from(UUIDS[kind.table])
    return {"integer": INTEGERS, "string": STRINGS, "boolean": st.booleans()}[kind.key]


def data(kind: Kind) -> st.SearchStrategy[Datum]:
    """A value of that many atoms; integers are now and then out of range."""
    unique = (lambda pair: pair[0]) if kind.value else None
    return st.lists(
        atoms(kind), min_size=kind.low, max_size=kind.high, unique_by=unique or (lambda x: x)
    ).map(frozenset)


def to_json(kind: Kind, datum: Datum) -> Any:
    """A value as RFC 7047 writes it, in its longest form."""
    if kind.value:
        return ["map", [list(pair) for pair in sorted(datum)]]
    atoms_ = [["uuid", each] if kind.key == "uuid" else each for each in sorted(datum)]
    return ["set", atoms_]


def from_json(kind: Kind, value: Any) -> Datum:
    if isinstance(value, list) and value[0] == "map":
        return frozenset((key, each) for key, each in value[1])
    members = value[1] if isinstance(value, list) and value[0] == "set" else [value]
    return frozenset(each[1] if kind.key == "uuid" else each for each in members)


class Client:
    """A session over bytes, and what it has said."""

    def __init__(self, databases: Databases) -> None:
        self._out: list[bytes] = []
        self._framer = Framer()
        self._number = 0
        self.session = Session(databases, self._out.append, lambda reason: None)

    def ask(self, method: str, *params: Any) -> Any:
        self._number += 1
        request = {"method": method, "params": params, "id": self._number}
        for message in self._framer.feed(json.dumps(request).encode()):
            self.session.receive(message)
        reply = json.loads(self._out.pop())
        assert reply["id"] == self._number and reply["error"] is None, reply
        return reply["result"]

    def heard(self) -> list[Any]:
        heard, self._out[:] = [json.loads(each) for each in self._out], []
        return heard


class Beside(RuleBasedStateMachine):
    """The server and the model."""

    @initialize(tables=schemas())
    def begin(self, tables: dict[str, TableKind]) -> None:
        self.model = Model(tables)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "db"
        tables_json = {name: kind.to_json() for name, kind in tables.items()}
        schema = {"name": NAME, "version": "1.0.0", "tables": tables_json}
        self.serve(Storage.create(self.path, DatabaseSchema.from_json(schema)))

    def serve(self, storage: Storage) -> None:
        self.storage = storage
        databases = Databases(ManualClock())
        databases.add(storage)
        self.client, self.follower = Client(databases), Client(databases)
        columns = {name: {"columns": [*kind.columns]} for name, kind in self.model.tables.items()}
        self.replica: dict[str, dict[str, Row]] = {name: {} for name in self.model.tables}
        self.follow(self.follower.ask("monitor", NAME, "m", columns))

    def follow(self, update: Any) -> None:
        for table, rows in update.items():
            for uuid, change in rows.items():
                if "new" in change:
                    self.replica[table][uuid] = self.row(table, change["new"])
                else:
                    del self.replica[table][uuid]

    def row(self, table: str, row: Any) -> Row:
        known = self.model.tables[table].columns
        return {name: from_json(known[name], value) for name, value in row.items()}

    @rule(data=st.data())
    def transact(self, data: st.DataObject) -> None:
        for _ in range(data.draw(st.integers(1, 8))):
            self.one_transaction(data)
            self.all_agree()

    def one_transaction(self, data: st.DataObject) -> None:
        pairs = data.draw(st.lists(self.operations(), min_size=1, max_size=3))
        before = {name: dict(rows) for name, rows in self.replica.items()}
        expected = self.model.transact([ours for ours, _ in pairs])
        results = self.client.ask("transact", NAME, *(theirs for _, theirs in pairs))
        self.compare([ours for ours, _ in pairs], expected, results)
        for message in self.follower.heard():
            assert message["method"] == "update" and message["params"][0] == "m"
            self.follow(message["params"][1])
        if expected and isinstance(expected[-1], ModelError):
            assert self.replica == before

    def compare(self, asked: list[Any], expected: list[Any], results: list[Any]) -> None:
        failed = expected and isinstance(expected[-1], ModelError)
        given = [each for each in results if each is not None or not failed]
        assert len(given) >= len(expected) - 1, (expected, results)
        for operation, ours, theirs in zip(asked, expected, results, strict=False):
            if isinstance(ours, ModelError):
                assert theirs["error"] in ours.tags, (ours, theirs)
                assert not any(results[results.index(theirs) + 1 :])
                return
            assert "error" not in (theirs or {}), (ours, theirs)
            match operation["op"]:
                case "insert":
                    assert theirs == {"uuid": ["uuid", ours]}
                case "select":
                    rows = [self.row(operation["table"], each) for each in theirs["rows"]]
                    assert _bag(rows) == _bag(ours)
                case "wait":
                    assert theirs == {}
                case _:
                    assert theirs == {"count": ours}
        if failed:  # only at the end
            assert len(results) == len(asked) + 1, results
            assert results[-1]["error"] in expected[-1].tags, (expected, results)
        else:
            assert len(results) == len(asked), results

    @rule()
    def restart(self) -> None:
        """What is in the file comes back; what is ephemeral is empty again."""
        self.storage.close()
        for table, kind in self.model.tables.items():
            for row in self.model.content[table].values():
                row |= {name: each.default() for name, each in kind.columns.items()
                        if each.ephemeral}  # fmt: skip
        self.serve(Storage.open(self.path))
        assert self.storage.torn is None

    @rule(seldom=st.integers(0, 3))
    def compact(self, seldom: int) -> None:
        if not seldom:
            self.storage.compact()

    @invariant()
    def all_agree(self) -> None:
        if hasattr(self, "model"):
            assert self.replica == self.model.content

    def teardown(self) -> None:
        if hasattr(self, "storage"):
            self.storage.close()
            self.folder.cleanup()

    # What is asked: for the model and, as JSON, for the server

    def operations(self) -> st.SearchStrategy[tuple[Any, Any]]:
        return st.sampled_from([*self.model.tables]).flatmap(self.operation)

    @st.composite
    @staticmethod
    def _operation(draw: st.DrawFn, table: str, columns: dict[str, Kind]) -> tuple[Any, Any]:
        op = draw(st.sampled_from(OPERATIONS))
        if op == "mutate" and not any(map(_mutators, columns.values())):
            op = "update"
        if op == "abort":
            return {"op": op}, {"op": op}
        both: dict[str, Any] = {"op": op, "table": table}
        ours, theirs = dict(both), dict(both)
        if op == "insert":
            ours["uuid"] = theirs["uuid"] = draw(st.sampled_from(UUIDS[table]))
        else:
            where = draw(st.lists(_clauses(columns), max_size=draw(st.sampled_from([0, 1, 2]))))
            ours["where"] = where
            theirs["where"] = [[name, f, to_json(columns[name], each)] for name, f, each in where]
        if op in ("insert", "update"):
            row = draw(_rows(columns))
            ours["row"] = row
            theirs["row"] = _row_json(columns, row)
        if op == "mutate":
            mutations = draw(st.lists(_mutations(columns), min_size=1, max_size=2))
            ours["mutations"] = mutations
            theirs["mutations"] = [
                [name, how, next(iter(each)) if how.endswith("=") else to_json(columns[name], each)]
                for name, how, each in mutations
            ]
        if op in ("select", "wait"):
            ours["columns"] = theirs["columns"] = draw(
                st.lists(st.sampled_from(sorted(columns)), min_size=1, unique=True)
            )
        if op == "wait":
            names = {name: columns[name] for name in ours["columns"]}
            full = st.fixed_dictionaries({name: data(kind) for name, kind in names.items()})
            ours["rows"] = draw(st.lists(full, max_size=1))
            theirs["rows"] = [_row_json(columns, each) for each in ours["rows"]]
            ours["until"] = theirs["until"] = draw(st.sampled_from(["==", "!=", "!="]))
            theirs["timeout"] = 0
        return ours, theirs

    def operation(self, table: str) -> st.SearchStrategy[tuple[Any, Any]]:
        return Beside._operation(table, self.model.tables[table].columns)


def _rows(columns: dict[str, Kind]) -> st.SearchStrategy[Row]:
    return st.lists(st.sampled_from(sorted(columns)), unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: data(columns[name]) for name in names})
    )


def _row_json(columns: dict[str, Kind], row: Row) -> dict[str, Any]:
    return {name: to_json(columns[name], datum) for name, datum in row.items()}


@st.composite
def _clauses(draw: st.DrawFn, columns: dict[str, Kind]) -> tuple[str, str, Datum]:
    name = draw(st.sampled_from(sorted(columns)))
    kind = columns[name]
    functions = ["==", "!=", "!=", "includes", "excludes", "excludes"]
    if kind.is_scalar and kind.key == "integer":
        functions += ["<", "<=", ">", ">="]
    return name, draw(st.sampled_from(functions)), draw(data(kind))


@st.composite
def _mutations(draw: st.DrawFn, columns: dict[str, Kind]) -> tuple[str, str, Datum]:
    name = draw(st.sampled_from([name for name in sorted(columns) if _mutators(columns[name])]))
    return name, draw(st.sampled_from(_mutators(columns[name]))), draw(data(columns[name]))


def _mutators(kind: Kind) -> list[str]:
    if kind.is_scalar:
        return ["+=", "-=", "*=", "/=", "%="] if kind.key == "integer" else []
    return ["insert", "delete"]


def _bag(rows: Iterable[Row]) -> list[Any]:
    return sorted((sorted((name, sorted(map(str, each))) for name, each in row.items())
                   for row in rows), key=str)  # fmt: skip


TestBeside = Beside.TestCase
TestBeside.settings = settings(max_examples=40, stateful_step_count=15)
