"""A client that only applies a monitor's updates has what the database has."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.monitor import Method, Monitor
from hotswitch.ovsdb.values import ZERO_UUID
from tests.ovsdb.engine_scenes import BEGINNING, TABLES, scene_schema, transactions

HISTORIES = st.lists(transactions(), min_size=1, max_size=8)
SCHEMA = scene_schema()
EVERYTHING: dict[str, Any] = {name: {} for name in TABLES}
CONDITION = [["numbers", "includes", 1], ["flag", "==", True]]


class Mirror:
    """What a client knows: JSON of rows, by table and UUID."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {name: {} for name in TABLES}

    def apply(self, updates: Any) -> None:
        if isinstance(updates, msgspec.Raw):
            updates = json.loads(bytes(updates))
        for table, rows in (updates or {}).items():
            for uuid, update in rows.items():
                self._row(table, uuid, update)

    def _row(self, table: str, uuid: str, update: Any) -> None:
        known = self.rows[table]
        if "initial" in update or "insert" in update:
            assert uuid not in known
            defaults = {c.name: c.type.write(c.type.default) for c in SCHEMA.tables[table].columns}
            known[uuid] = defaults | (update.get("initial") or update.get("insert") or {})
        elif "delete" in update:
            del known[uuid]
        elif "modify" in update:
            assert update["modify"]
            for name, delta in update["modify"].items():
                known[uuid][name] = _modified(table, name, known[uuid][name], delta)
        elif "new" not in update:
            assert update["old"] == known.pop(uuid)
        else:
            assert ("old" in update) == (uuid in known)
            for name, value in update.get("old", {}).items():
                assert known[uuid][name] == value != update["new"][name]
            known[uuid] = update["new"]


def _members(value: Any) -> list[Any]:
    return value[1] if isinstance(value, list) and value[0] in ("set", "map") else [value]


def _modified(table: str, name: str, old: Any, delta: Any) -> Any:
    """Apply a difference, as the text of `<row-update2>` says."""
    type_ = SCHEMA.tables[table].by_name[name].type
    if type_.maximum == 1:
        return delta
    if type_.is_map:
        result = {json.dumps(key): [key, value] for key, value in _members(old)}
        for key, value in _members(delta):
            if result.get(json.dumps(key)) == [key, value]:
                del result[json.dumps(key)]
            else:
                result[json.dumps(key)] = [key, value]
        return ["map", sorted(result.values())]
    kept = [member for member in _members(old) if member not in _members(delta)]
    members = sorted(kept + [m for m in _members(delta) if m not in _members(old)])
    return members[0] if len(members) == 1 else ["set", members]


def everything(database: Database, *, matching: bool = False) -> dict[str, dict[str, Any]]:
    """What a client should know of every column but `_uuid`."""
    rows = {
        name: {
            uuid: {c.name: c.type.write(row[c.index]) for c in table.columns[1:]}
            for uuid, row in database.table(name).items()
        }
        for name, table in SCHEMA.tables.items()
    }
    if matching:
        rows["Root"] = {
            uuid: row
            for uuid, row in rows["Root"].items()
            if row["flag"] or 1 in _members(row["numbers"])
        }
    return rows


def without_uuid(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            uuid: {column: value for column, value in row.items() if column != "_uuid"}
            for uuid, row in table.items()
        }
        for name, table in rows.items()
    }


@pytest.mark.parametrize("method", Method)
@settings(max_examples=25)
@given(history=HISTORIES)
def test_a_client_follows(method: Method, history: list[Any]) -> None:
    database, mirror = Database(SCHEMA), Mirror()
    database.transact(BEGINNING)
    monitor = Monitor(database, method, EVERYTHING)
    mirror.apply(monitor.initial())
    assert without_uuid(mirror.rows) == everything(database)
    for transaction in history:
        changes = database.transact(transaction).changes
        if changes is not None:
            mirror.apply(monitor.update(changes))
        assert without_uuid(mirror.rows) == everything(database)
    late = Mirror()
    late.apply(Monitor(database, method, EVERYTHING).initial())
    assert late.rows == mirror.rows


@settings(max_examples=25)
@given(history=HISTORIES, turns=st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_client_follows_conditions(history: list[Any], turns: list[bool]) -> None:
    database, mirror = Database(SCHEMA), Mirror()
    database.transact(BEGINNING)
    monitor = Monitor(database, Method.MONITOR_COND, EVERYTHING)
    mirror.apply(monitor.initial())
    matching = False
    for transaction, turn in zip(history, turns, strict=False):
        if turn:
            matching = not matching
            where = CONDITION if matching else [True]
            mirror.apply(monitor.change_conditions({"Root": [{"where": where}]}))
            assert without_uuid(mirror.rows) == everything(database, matching=matching)
        changes = database.transact(transaction).changes
        if changes is not None:
            mirror.apply(monitor.update(changes))
        assert without_uuid(mirror.rows) == everything(database, matching=matching)


@settings(max_examples=50)
@given(history=HISTORIES)
def test_the_first_answer_is_right_each_time(history: list[Any]) -> None:
    """Though put together from earlier ones, and with columns that decide and are not shown."""
    database = Database(SCHEMA)
    request = {"Root": {"columns": ["name"], "where": CONDITION}, "Kid": {"columns": ["number"]}}
    for transaction in (BEGINNING, *history):
        database.transact(transaction)
        known = json.loads(bytes(Monitor(database, Method.MONITOR_COND, request).initial()))
        alone = Database(SCHEMA)
        alone.write({name: database.table(name) for name in TABLES})
        assert known == json.loads(bytes(Monitor(alone, Method.MONITOR_COND, request).initial()))


@settings(max_examples=25)
@given(history=HISTORIES, away=st.integers(0, 8))
def test_a_client_comes_back(history: list[Any], away: int) -> None:
    database, mirror = Database(SCHEMA), Mirror()
    database.transact(BEGINNING)
    found, known, updates = Monitor(database, Method.MONITOR_COND_SINCE, EVERYTHING).since(
        ZERO_UUID
    )
    assert not found
    mirror.apply(updates)
    for number, transaction in enumerate(history):
        database.transact(transaction)
        if number == away:
            monitor = Monitor(database, Method.MONITOR_COND_SINCE, EVERYTHING)
            found, known, updates = monitor.since(known)
            assert found
            mirror.apply(updates)
            assert without_uuid(mirror.rows) == everything(database)
    found, known, updates = Monitor(database, Method.MONITOR_COND_SINCE, EVERYTHING).since(known)
    assert found
    assert known == database.transaction_id
    mirror.apply(updates)
    assert without_uuid(mirror.rows) == everything(database)


def test_an_unknown_past_gives_everything() -> None:
    database = Database(SCHEMA)
    database.transact(BEGINNING)
    monitor = Monitor(database, Method.MONITOR_COND_SINCE, EVERYTHING)
    found, _, updates = monitor.since(BEGINNING[0]["uuid"])
    assert not found
    assert updates == monitor.initial()


def test_equal_monitors_share_the_work() -> None:
    database = Database(SCHEMA)
    request = {"Root": {"columns": ["name"], "where": [["flag", "==", False]]}}
    same = [Monitor(database, Method.MONITOR_COND, request) for _ in range(3)]
    other = Monitor(database, Method.MONITOR_COND, {"Root": {"columns": ["name"]}})
    changes = database.transact(BEGINNING).changes
    assert changes is not None
    first = same[0].encoded_update(changes)
    assert first is not None
    assert json.loads(first) == same[0].update(changes)
    assert all(monitor.encoded_update(changes) is first for monitor in same)
    assert all(monitor.update(changes) is same[0].update(changes) for monitor in same)
    assert other.update(changes) is not same[0].update(changes)


def test_nothing_seen_is_nothing_told() -> None:
    database = Database(SCHEMA)
    database.transact(BEGINNING)
    monitor = Monitor(database, Method.MONITOR, {"Root": {"columns": ["name"]}, "Single": {}})
    changes = database.transact(
        [{"op": "update", "table": "Root", "where": [], "row": {"numbers": 5}}]
    ).changes
    assert changes is not None
    assert monitor.update(changes) is None
    assert monitor.encoded_update(changes) is None


@pytest.mark.parametrize(
    ("method", "requests", "message"),
    [
        (Method.MONITOR, 5, "monitor-requests must be object"),
        (Method.MONITOR, {"Nowhere": {}}, "no table named Nowhere"),
        (Method.MONITOR, {"Root": 5}, "Object expected"),
        (Method.MONITOR, {"Root": {"where": []}}, "'where' is present but not allowed"),
        (Method.MONITOR, {"Root": {"columns": 5}}, "Type mismatch for member 'columns'"),
        (Method.MONITOR, {"Root": {"columns": ["nome"]}}, "nome is not a valid column name"),
        (Method.MONITOR, {"Root": {"columns": ["name", "name"]}}, "mentioned more than once"),
        (Method.MONITOR, {"Root": [{}, {"columns": ["name"]}]}, "mentioned more than once"),
        (Method.MONITOR, {"Root": {"select": {"initial": 1}}}, "Type mismatch"),
        (Method.MONITOR, {"Root": {"select": {"never": True}}}, "'never' is present"),
        (Method.MONITOR_COND, {"Root": {"where": [["nome", "==", 1]]}}, "No column nome"),
    ],
)
def test_bad_requests(method: Method, requests: Any, message: str) -> None:
    with pytest.raises(OvsdbError, match=message):
        Monitor(Database(SCHEMA), method, requests)


@pytest.mark.parametrize(
    "requests",
    [
        5,
        {"Nowhere": []},
        {"Kid": []},
        {"Root": {}},
        {"Root": [{"where": [["nome", "==", 1]]}]},
        {"Root": [{"where": [False], "columns": ["name"]}]},
    ],
)
def test_bad_changes_of_conditions_change_nothing(requests: Any) -> None:
    database = Database(SCHEMA)
    monitor = Monitor(database, Method.MONITOR_COND, {"Root": {"columns": ["name"]}})
    with pytest.raises(OvsdbError):
        monitor.change_conditions(requests)
    changes = database.transact(BEGINNING).changes
    assert changes is not None
    assert len(monitor.update(changes)["Root"]) == 2
