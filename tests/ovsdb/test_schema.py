"""Schemas: read, written, refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.schemas import load
from tests.ovsdb.engine_scenes import SCHEMA_JSON


@pytest.mark.parametrize(("name", "tables"), [("Open_vSwitch", 18), ("_Server", 1)])
def test_the_schemas_that_are_carried(name: str, tables: int) -> None:
    schema = load(name)
    assert schema.name == name
    assert len(schema.tables) >= tables
    assert schema.version
    assert schema.cksum
    again = DatabaseSchema.from_json(json.loads(json.dumps(schema.to_json())))
    assert again.to_json() == schema.to_json()
    Database(schema)


def test_open_vswitch_accepts_a_bridge() -> None:
    database = Database(load("Open_vSwitch"))
    outcome = database.transact(
        [
            {"op": "insert", "table": "Bridge", "row": {"name": "br0"}, "uuid-name": "b"},
            {"op": "insert", "table": "Open_vSwitch", "row": {"bridges": ["named-uuid", "b"]}},
        ]
    )
    assert outcome.changes is not None
    assert len(database.table("Bridge")) == 1
    bridge = outcome.results[0]["uuid"]
    mutations = [["bridges", "delete", bridge], ["next_cfg", "+=", 1]]
    outcome = database.transact(
        [{"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": mutations}]
    )
    assert outcome.results == [{"count": 1}]
    assert not database.table("Bridge")


def changed(**members: Any) -> Any:
    return {name: value for name, value in (SCHEMA_JSON | members).items() if value is not ...}


def table(**members: Any) -> Any:
    base = {"columns": {"a": {"type": "integer"}}}
    return changed(tables={"T": {n: v for n, v in (base | members).items() if v is not ...}})


def column(**members: Any) -> Any:
    return table(columns={"a": {"type": "integer"} | members})


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (5, "Object expected"),
        (changed(name=...), "Required 'name' member is missing"),
        (changed(name="1x"), "Type mismatch for member 'name'"),
        (changed(version="1.2"), 'schema version "1.2" not in format x.y.z'),
        (changed(tables=[]), "Type mismatch for member 'tables'"),
        (changed(tables={"_T": {}}), 'names beginning with "_" are reserved'),
        (changed(tables={"T-": {}}), "name must be a valid id"),
        (changed(extra=1), "Member 'extra' is present but not allowed here"),
        (table(columns=...), "table schema for table T failed: Required 'columns'"),
        (table(columns={}), "table must have at least one column"),
        (table(columns={"_a": {"type": "integer"}}), "reserved"),
        (table(columns={"a-": {"type": "integer"}}), "valid id"),
        (table(maxRows=0), "maxRows must be at least 1"),
        (table(indexes=[["b"]]), "b is not a valid column name"),
        (table(indexes=[[]]), "index must have at least one column"),
        (table(indexes=[["a", "a"]]), "distinct column names"),
        (column(ephemeral=1), "Type mismatch for member 'ephemeral'"),
        (column(type="float"), '"float" is not an atomic-type'),
        (column(type=5), "Type mismatch for member 'type'"),
        (column(type={"key": "integer", "min": 2}), "bad min or max|constraint checks"),
        (column(type={"key": "integer", "max": 0}), "constraint checks"),
        (column(type={"key": "integer", "max": "many"}), "bad min or max value"),
        (column(type={"key": {"type": "integer", "minLength": 1}}), "'minLength' is present"),
        (
            column(type={"key": {"type": "integer", "minInteger": 2, "maxInteger": 1}}),
            "minInteger exceeds maxInteger",
        ),
        (column(type={"key": {"type": "real", "minReal": 2, "maxReal": 1}}), "minReal exceeds"),
        (column(type={"key": {"type": "string", "minLength": -1}}), "out of valid range"),
        (
            column(type={"key": {"type": "string", "minLength": 2, "maxLength": 1}}),
            "minLength exceeds maxLength",
        ),
        (column(type={"key": {"type": "integer", "enum": ["set", []]}}), "0 are present"),
        (column(type={"key": {"type": "integer", "enum": ["set", ["x"]]}}), "expected integer"),
        (column(type={"key": {"type": "uuid", "refTable": "U"}}), "refers to undefined table U"),
        (
            column(type={"key": {"type": "uuid", "refTable": "T", "refType": "thin"}}),
            'must be "strong" or "weak"',
        ),
    ],
)
def test_bad_schemas(schema: Any, message: str) -> None:
    with pytest.raises(OvsdbError, match=message):
        DatabaseSchema.from_json(schema)


def test_ephemeral_columns_may_not_be_indexed() -> None:
    schema = column(ephemeral=True)
    schema["tables"]["T"]["indexes"] = [["a"]]
    with pytest.raises(OvsdbError, match="ephemeral columns"):
        DatabaseSchema.from_json(schema)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (None, "array of distinct column names expected"),
        ([None, "x"], "array of distinct column names expected"),
        (["x", None], "x is not a valid column name"),
        (["a", "a", "x"], "array of distinct column names expected"),
        ([], "index must have at least one column"),
    ],
)
def test_an_index_names_its_columns(index: Any, message: str) -> None:
    schema = column()
    schema["tables"]["T"]["indexes"] = [index]
    with pytest.raises(OvsdbError, match=message):
        DatabaseSchema.from_json(schema)


def test_a_table_may_be_called_immutable_without_effect() -> None:
    """As in Open vSwitch, where only columns are immutable."""
    schema = table(mutable=False)
    read = DatabaseSchema.from_json(schema)
    assert read.to_json()["tables"]["T"]["mutable"] is False
    assert json.loads(read.encoded) == read.to_json()
    change = {"op": "update", "table": "T", "where": [], "row": {"a": 7}}
    insert = {"op": "insert", "table": "T", "row": {}}
    delete = {"op": "delete", "table": "T", "where": []}
    results = Database(read).transact([insert, change, delete]).results
    assert results[1:] == [{"count": 1}, {"count": 1}]


def test_without_any_root_all_tables_are_roots() -> None:
    old = DatabaseSchema.from_json(table())
    assert old.tables["T"].is_root
    assert "isRoot" not in old.to_json()["tables"]["T"]
    new = DatabaseSchema.from_json(SCHEMA_JSON)
    assert not new.tables["Kid"].is_root


def test_what_keeps_a_row_is_not_ephemeral() -> None:
    schema = json.loads(json.dumps(SCHEMA_JSON))
    for name in ("kids", "friends"):
        schema["tables"]["Root"]["columns"][name]["ephemeral"] = True
    columns = DatabaseSchema.from_json(schema).tables["Root"].by_name
    assert not columns["kids"].ephemeral
    assert columns["friends"].ephemeral


def test_a_weak_reference_is_mutable() -> None:
    schema = json.loads(json.dumps(SCHEMA_JSON))
    schema["tables"]["Need"]["columns"]["target"]["mutable"] = False
    assert DatabaseSchema.from_json(schema).tables["Need"].by_name["target"].mutable
