"""Whatever comes in, nothing but declared errors goes out, and nothing changes."""

from __future__ import annotations

import copy
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.log import DamageError, read_records
from hotswitch.ovsdb.monitor import Method, Monitor
from hotswitch.ovsdb.schema import DatabaseSchema
from tests.ovsdb.engine_scenes import BEGINNING, SCHEMA_JSON, content, scene_schema, transactions

WORDS = ["set", "map", "uuid", "named-uuid", "==", "name", "kids", "Root", "key", "type", "min"]
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**63, -(2**64), 10**400, 1e308, float("inf"), float("nan")]),
    st.sampled_from(WORDS),
    st.text(max_size=3),
    st.just("\ud800"),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    ),
    max_leaves=8,
)
SCHEMA = scene_schema()


def places(json_value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all parts of a JSON value."""
    found = [path] if path else []
    if isinstance(json_value, dict | list):
        items = json_value.items() if isinstance(json_value, dict) else enumerate(json_value)
        for name, value in items:
            found += places(value, (*path, name))
    return found


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[Any]) -> Any:
    """A valid value with one part replaced by something else."""
    result = copy.deepcopy(draw(whole))
    path = draw(st.sampled_from(places(result)))
    part = result
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = draw(JSON)
    return result


def begun() -> Database:
    database = Database(SCHEMA)
    database.transact(BEGINNING)
    return database


@settings(max_examples=150)
@given(st.one_of(st.lists(JSON, max_size=3), damaged(transactions())))
def test_operations(operations: list[Any]) -> None:
    database = begun()
    before = content(database)
    outcome = database.transact(operations)
    if outcome.changes is None:
        assert content(database) == before
    for result in outcome.results:
        if isinstance(result, dict) and "error" in result:
            json.dumps(result).encode()


@settings(max_examples=100)
@given(st.one_of(JSON, damaged(st.just(SCHEMA_JSON))))
def test_schemas(schema: Any) -> None:
    try:
        read = DatabaseSchema.from_json(schema)
    except OvsdbError as error:
        assert error.error
        return
    assert DatabaseSchema.from_json(read.to_json()).to_json() == read.to_json()


RECORDS = st.just(begun().snapshot().to_json(comment="x", date=5))


@settings(max_examples=100)
@given(st.one_of(JSON, damaged(RECORDS)))
def test_records(record: Any) -> None:
    database = Database(SCHEMA)
    try:
        database.replay(record)
    except OvsdbError:
        assert content(database) == content(Database(SCHEMA))


REQUESTS = st.just(
    {
        "Root": [{"columns": ["name"], "where": [["flag", "==", True]]}, {"columns": ["kids"]}],
        "Kid": {"select": {"initial": False}},
    }
)


@settings(max_examples=100)
@given(st.sampled_from(Method), st.one_of(JSON, damaged(REQUESTS)), JSON)
def test_monitors(method: Method, requests: Any, conditions: Any) -> None:
    database = begun()
    try:
        monitor = Monitor(database, method, requests)
        monitor.initial()
        monitor.change_conditions({"Root": conditions})
    except OvsdbError as error:
        assert error.details


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_nesting_is_a_plain_error(opening: str) -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep] if opening == "[" else {"a": deep}
    where = {"op": "select", "table": "Root", "where": deep}
    row = {"op": "insert", "table": "Root", "row": {"name": deep}}
    for operation in (where, row):
        (result,) = begun().transact([operation]).results[:1]
        assert result["error"]
        assert "syntax" not in result


def test_what_is_wrong_is_not_sent_back_at_any_length() -> None:
    (result,) = (
        begun().transact([{"op": "insert", "table": "Root", "row": {"count": "x" * 10**6}}]).results
    )
    assert result["error"] == "syntax error"
    assert len(result["syntax"]) == 65536


@pytest.mark.parametrize("length", [1 << 32, 1 << 62, 10**30])
def test_a_length_that_is_only_declared_costs_nothing(length: int) -> None:
    data = b"OVSDB JSON %d %b\n{}" % (length, b"0" * 40)
    tracemalloc.start()
    try:
        with pytest.raises(DamageError) as caught:
            list(read_records(data))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.offset == 0 and peak < 1 << 20
