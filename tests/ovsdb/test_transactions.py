"""What holds of every database after any transactions."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.ovsdb.database import Database, Waiting
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.schema import DatabaseSchema
from tests.ovsdb.engine_scenes import (
    BEGINNING,
    POOL,
    SCHEMA_JSON,
    content,
    scene_schema,
    transactions,
)

HISTORIES = st.lists(transactions(), min_size=1, max_size=8)
SCHEMA = scene_schema()


def begun() -> Database:
    database = Database(SCHEMA)
    assert database.transact(BEGINNING).changes is not None
    return database


def references(database: Database, *, weak: bool) -> Counter[tuple[str, str]]:
    """How often each row is referred to, by other rows; counted without the engine's help."""
    counts: Counter[tuple[str, str]] = Counter()
    for name, table in SCHEMA_JSON["tables"].items():
        for uuid, row in database.table(name).items():
            for column, column_json in table["columns"].items():
                type_ = column_json["type"]
                if not isinstance(type_, dict) or "key" not in type_:
                    continue
                for part, side in enumerate(("key", "value")):
                    base = type_.get(side)
                    if not isinstance(base, dict) or "refTable" not in base:
                        continue
                    if (base.get("refType") == "weak") is not weak:
                        continue
                    for member in row[SCHEMA.tables[name].by_name[column].index]:
                        target = member[part] if "value" in type_ else member
                        if target != uuid:
                            counts[base["refTable"], target] += 1
    return counts


def check(database: Database) -> None:
    """References, garbage, number of rows and indexes."""
    strong, weak = references(database, weak=False), references(database, weak=True)
    for table, uuid in [*strong, *weak]:
        assert uuid in database.table(table)
    assert all(strong["Kid", uuid] for uuid in database.table("Kid"))
    assert len(database.table("Single")) <= 2
    root = SCHEMA.tables["Root"]
    for index in root.indexes:
        keys = [tuple(r[c.index] for c in index) for r in database.table("Root").values()]
        assert len(set(keys)) == len(keys)
    for name, kept in database._tables.items():
        assert kept.strong == {u: n for (table, u), n in strong.items() if table == name}
        sources = {u: sum(by.values()) for u, by in kept.weak.items()}
        assert sources == {u: n for (table, u), n in weak.items() if table == name}
        assert [index.columns for index in kept.indexes] == list(kept.schema.indexes)
        for index in kept.indexes:
            assert index.rows == {index.key(row): uuid for uuid, row in kept.rows.items()}


@settings(max_examples=60)
@given(HISTORIES)
def test_a_commit_leaves_a_sound_database_and_a_failure_no_trace(history: list[Any]) -> None:
    database = begun()
    for transaction in history:
        before, identity = content(database), database.transaction_id
        outcome = database.transact(transaction)
        failed = any(result is not None and "error" in result for result in outcome.results)
        assert len(outcome.results) >= len(transaction)
        if failed:
            assert outcome.changes is None
        if outcome.changes is None:
            assert content(database) == before
            assert database.transaction_id == identity
        else:
            assert content(database) != before
        check(database)


@settings(max_examples=40)
@given(HISTORIES)
def test_a_commit_can_be_reverted(history: list[Any]) -> None:
    database = begun()
    for transaction in history:
        before, identity = database.snapshot().tables, database.transaction_id
        changes = database.transact(transaction).changes
        if changes is not None:
            database.revert(changes)
            assert database.snapshot().tables == before
            assert database.transaction_id == identity
            check(database)
        database.transact(transaction)


def persistent(database: Database) -> Any:
    rows = content(database)
    for row in rows["Kid"].values():
        del row["passing"]
    return rows


@settings(max_examples=40)
@given(HISTORIES)
def test_the_log_brings_everything_back_but_ephemeral_columns(history: list[Any]) -> None:
    database, replayed = Database(SCHEMA), Database(SCHEMA)
    for transaction in [BEGINNING, *history]:
        outcome = database.transact(transaction)
        if outcome.changes is not None:
            record = outcome.changes.to_json(comment=outcome.comment, date=5)
            if record is not None:
                replayed.replay(json.loads(json.dumps(record)))
        assert persistent(replayed) == persistent(database)
    compacted = Database(SCHEMA)
    record = database.snapshot().to_json()
    if record is not None:
        compacted.replay(json.loads(json.dumps(record)))
    assert persistent(compacted) == persistent(database)
    check(compacted)


@settings(max_examples=50)
@given(HISTORIES)
def test_what_happened_since(history: list[Any]) -> None:
    database = begun()
    start, before = database.transaction_id, dict(database.snapshot().tables)
    for transaction in history:
        database.transact(transaction)
    changes = database.changes_since(start)
    assert changes is not None
    assert changes.transaction_id == database.transaction_id
    rows = {name: {u: c.new for u, c in table.items()} for name, table in before.items()}
    for name, table in changes.tables.items():
        for uuid, (old, new) in table.items():
            assert rows[name].get(uuid) == old
            if new is None:
                del rows[name][uuid]
            else:
                rows[name][uuid] = new
    assert rows == {name: dict(database.table(name)) for name in SCHEMA.tables}


def test_history_is_bounded() -> None:
    database = begun()
    start = database.transaction_id
    for number in range(101):
        row = {"numbers": number}
        assert database.transact([{"op": "update", "table": "Root", "where": [], "row": row}])
    assert database.changes_since(start) is None


def test_an_unsatisfied_wait_waits() -> None:
    database = begun()
    wait = {
        "op": "wait",
        "table": "Root",
        "where": [["name", "==", "first"]],
        "columns": ["count"],
        "until": "==",
        "rows": [{"count": 7}],
    }
    update = {"op": "update", "table": "Root", "where": [], "row": {"numbers": 9}}
    before = content(database)
    assert database.transact([update, wait]).waiting == Waiting(None)
    assert database.transact([update, wait | {"timeout": 50}]).waiting == Waiting(50)
    assert database.transact([update, wait | {"timeout": 50}], elapsed=49).waiting
    late = database.transact([update, wait | {"timeout": 50}], elapsed=50)
    assert late.results[1] == {"error": "timed out", "details": '"wait" timed out after 50 ms'}
    assert content(database) == before
    set_count = [["_uuid", "==", ["uuid", POOL["Root"][0]]]]
    database.transact([{"op": "update", "table": "Root", "where": set_count, "row": {"count": 7}}])
    assert database.transact([wait]).results == [{}]


def test_locks_comments_and_durability() -> None:
    database = begun()
    operations = [
        {"op": "assert", "lock": "mine"},
        {"op": "comment", "comment": "one"},
        {"op": "comment", "comment": "two"},
        {"op": "commit", "durable": True},
        {"op": "update", "table": "Root", "where": [], "row": {"numbers": 1}},
    ]
    refused = database.transact(operations)
    assert refused.results[0]["error"] == "not owner"
    assert refused.results[1:] == [None] * 4
    outcome = database.transact(operations, owns_lock=lambda name: name == "mine")
    assert outcome.durable
    assert outcome.comment == "one\ntwo"


def test_read_only() -> None:
    database = begun()
    select = {"op": "select", "table": "Root", "where": [], "columns": ["name"]}
    delete = {"op": "delete", "table": "Need", "where": []}
    outcome = database.transact([select, delete], read_only=True)
    assert len(outcome.results[0]["rows"]) == 2
    assert outcome.results[1]["error"] == "not allowed"
    assert len(database.table("Need")) == 1


@pytest.mark.parametrize(
    "record",
    [
        5,
        {"Nowhere": {}},
        {"Root": 5},
        {"Root": {"x": {}}},
        {"Root": {POOL["Root"][0]: 5}},
        {"Root": {POOL["Root"][0]: {"nome": 1}}},
        {"Root": {POOL["Root"][0]: {"count": "x"}}},
        {"Root": {POOL["Root"][4]: None}},
        {"Root": {POOL["Root"][4]: {"kids": ["uuid", POOL["Kid"][4]]}}},
        {"Root": {POOL["Root"][0]: {"tags": ["set", ["1", "2", "3", "4"]]}}, "_is_diff": True},
    ],
)
def test_a_bad_record_is_refused(record: Any) -> None:
    database = begun()
    before = content(database)
    with pytest.raises(OvsdbError):
        database.replay(record)
    assert content(database) == before


def test_conversion() -> None:
    database = begun()
    newer = json.loads(json.dumps(SCHEMA_JSON))
    newer["version"] = "2.0.0"
    root = newer["tables"]["Root"]["columns"]
    del root["options"]
    root["added"] = {"type": {"key": "integer", "min": 0, "max": 1}}
    root["count"] = {"type": {"key": "integer", "min": 0, "max": "unlimited"}}
    converted = database.convert(DatabaseSchema.from_json(newer))
    rows = content(converted)["Root"]
    assert rows[POOL["Root"][1]]["count"] == (2,)
    assert rows[POOL["Root"][1]]["added"] == ()
    assert "options" not in rows[POOL["Root"][1]]
    check_names = {name: len(converted.table(name)) for name in SCHEMA.tables}
    assert check_names == {name: len(database.table(name)) for name in SCHEMA.tables}


def test_a_conversion_that_does_not_fit_is_refused() -> None:
    database = begun()
    newer = json.loads(json.dumps(SCHEMA_JSON))
    newer["tables"]["Root"]["columns"]["numbers"] = {"type": "integer"}
    with pytest.raises(OvsdbError, match="exactly one member"):
        database.convert(DatabaseSchema.from_json(newer))
    with pytest.raises(OvsdbError, match="does not match"):
        database.convert(DatabaseSchema.from_json(newer | {"name": "Other"}))
