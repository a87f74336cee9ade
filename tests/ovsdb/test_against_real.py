"""The engine and the real ovsdb-server get the same transactions, and must agree."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.monitor import Method, Monitor
from tests.ovsdb.engine_scenes import (
    BEGINNING,
    COLUMNS,
    POOL,
    SCHEMA_JSON,
    TABLES,
    scene_schema,
    transactions,
)
from tests.ovsdb.real_server import AVAILABLE, Client, real_server

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="no ovsdb-server here")

KNOWN_KID = POOL["Kid"][4]
KNOWN = {uuid for uuids in POOL.values() for uuid in uuids}
UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Open vSwitch 3.1 leaves weak references to rows that it collects, so there are none here.
TRANSACTIONS = transactions(
    COLUMNS | {"Kid": {name: type_ for name, type_ in COLUMNS["Kid"].items() if name != "crush"}}
)
HISTORIES = st.lists(TRANSACTIONS, min_size=1, max_size=8)
CLEAR = [{"op": "delete", "table": name, "where": []} for name in TABLES]
SELECT = [{"op": "select", "table": name, "where": []} for name in TABLES]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory: Path = tmp_path_factory.mktemp("real")
    with real_server(directory, SCHEMA_JSON) as client:
        yield client


def normal(json_value: Any) -> Any:
    """The same for results that mean the same: sorted rows, no versions, known UUIDs only."""
    if isinstance(json_value, dict):
        names = sorted(name for name in json_value if name != "_version")
        members = {name: normal(json_value[name]) for name in names}
        if members.get("error") == "duplicate uuid":
            del members["details"]  # its words differ between versions
        if "rows" in members:
            members["rows"] = sorted(members["rows"], key=repr)
        return members
    if isinstance(json_value, list):
        if len(json_value) == 2 and json_value[0] in ("set", "map"):
            return [json_value[0], sorted(map(normal, json_value[1]), key=json.dumps)]
        return [normal(value) for value in json_value]
    if isinstance(json_value, str):
        text = UUID.sub(lambda m: m[0] if m[0] in KNOWN else "another", json_value)
        # Which of two rows is the first depended on a hash until lately.
        text = re.sub("  First row, .*", "", text)
        return re.sub("Member '[a-z]+' and", "Member 'one' and", text)
    return float(json_value) if isinstance(json_value, int | float) else json_value


def any_error(results: Any) -> Any:
    """Where two things are wrong, which is told first is open."""
    return ["error" if isinstance(r, dict) and "error" in r else r for r in results]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES)
def test_same_results_and_content(real: Client, history: list[Any]) -> None:
    assert all("error" not in result for result in real.call("transact", "Scene", *CLEAR))
    database = Database(scene_schema())
    for transaction in [BEGINNING, *history]:
        theirs = normal(real.call("transact", "Scene", *transaction))
        ours = normal(database.transact(transaction).results)
        assert any_error(ours) == any_error(theirs)
        theirs = normal(real.call("transact", "Scene", *SELECT))
        assert normal(database.transact(SELECT).results) == theirs


REQUESTS: list[tuple[Method, dict[str, Any]]] = [
    (Method.MONITOR, {name: {} for name in TABLES}),
    (Method.MONITOR, {"Root": [{"columns": ["name", "options"], "select": {"insert": False}}]}),
    (Method.MONITOR_COND, {name: {} for name in TABLES}),
    (
        Method.MONITOR_COND,
        {
            "Root": {"where": [["count", ">", 1], ["flag", "==", True]]},
            "Kid": {"columns": ["_uuid", "number", "pals"], "where": [["number", "==", 1]]},
        },
    ),
    (Method.MONITOR_COND, {"Root": {"columns": ["kids"], "select": {"modify": False}}}),
]
CHANGE = {"Root": [{"where": [["numbers", "includes", 1]]}], "Kid": [{"where": []}]}


def told(client: Client, number: int) -> Any:
    """What the real server told a monitor last, or None."""
    updates = [n["params"][1] for n in client.notifications if n["params"][0] == number]
    assert len(updates) < 2
    return normal(updates[0]) if updates else None


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES)
def test_same_updates(real: Client, history: list[Any]) -> None:
    real.call("transact", "Scene", *CLEAR)
    real.call("transact", "Scene", *BEGINNING)
    database = Database(scene_schema())
    database.transact(BEGINNING)
    monitors = []
    for number, (method, requests) in enumerate(REQUESTS):
        monitor = Monitor(database, method, requests)
        initial = real.call(method.value, "Scene", number, requests)
        assert normal(json.loads(bytes(monitor.initial()))) == normal(initial)
        monitors.append(monitor)
    try:
        for transaction in history:
            real.notifications.clear()
            real.call("transact", "Scene", *transaction)
            changes = database.transact(transaction).changes
            for number, monitor in enumerate(monitors):
                update = None if changes is None else monitor.update(changes)
                assert normal(update) == told(real, number)
        real.notifications.clear()
        real.call("monitor_cond_change", 3, 3, CHANGE)
        assert normal(monitors[3].change_conditions(CHANGE)) == told(real, 3)
    finally:
        for number in range(len(REQUESTS)):
            real.call("monitor_cancel", number)


@pytest.mark.parametrize(
    "operations",
    [
        [5],
        [{}],
        [{"op": "fly"}],
        [{"op": 1}],
        [{"op": "select"}],
        [{"op": "select", "table": "Nowhere", "where": []}],
        [{"op": "select", "table": "Root", "where": {}}],
        [{"op": "select", "table": "Root", "where": [], "extra": 1}],
        [{"op": "select", "table": "Root", "where": [5], "extra": 1, "more": 2}],
        [{"op": "select", "table": "Root", "where": [5], "a": 1, "b": 2, "c": 3}],
        [{"op": "select", "table": "Root", "where": [["name", "=", ""]]}],
        [{"op": "select", "table": "Root", "where": [["nome", "==", ""]]}],
        [{"op": "select", "table": "Root", "where": [["name", "<", ""]]}],
        [{"op": "select", "table": "Root", "where": [True]}],
        [{"op": "select", "table": "Root", "where": [False]}],
        [{"op": "select", "table": "Root", "where": [], "columns": ["nome"]}],
        [{"op": "select", "table": "Root", "where": [], "columns": [1]}],
        [{"op": "select", "table": "Root", "where": [], "columns": ["name", "name"]}],
        [{"op": "insert", "table": "Root"}],
        [{"op": "insert", "table": "Root", "row": {"nome": 1}}],
        [{"op": "insert", "table": "Root", "row": {"name": 1}}],
        [{"op": "insert", "table": "Root", "row": {"name": ["set", ["a", "b"]]}}],
        [{"op": "insert", "table": "Root", "row": {"name": ["set", ["a"]]}}],
        [{"op": "insert", "table": "Root", "row": {"name": ["set", "a"]}}],
        [{"op": "insert", "table": "Root", "row": {"name": None}}],
        [{"op": "insert", "table": "Root", "row": {"count": 1.5}}],
        [{"op": "insert", "table": "Root", "row": {"count": 1.0}}],
        [{"op": "insert", "table": "Root", "row": {"count": True}}],
        [{"op": "insert", "table": "Root", "row": {"flag": 1}}],
        [{"op": "insert", "table": "Root", "row": {"real": "x"}}],
        [{"op": "insert", "table": "Root", "row": {"real": 1e300}}],
        [{"op": "insert", "table": "Root", "row": {"tags": ["set", ["a", "b", "c", "d"]]}}],
        [{"op": "insert", "table": "Root", "row": {"tags": ["set", ["a", "a"]]}}],
        [{"op": "insert", "table": "Root", "row": {"tags": "abc"}}],
        [{"op": "insert", "table": "Root", "row": {"tags": ""}}],
        [{"op": "insert", "table": "Root", "row": {"options": {}}}],
        [{"op": "insert", "table": "Root", "row": {"options": ["map", [["a"]]]}}],
        [{"op": "insert", "table": "Root", "row": {"options": ["map", [["a", "b"], ["a", "c"]]]}}],
        [{"op": "insert", "table": "Root", "row": {"kids": "x"}}],
        [{"op": "insert", "table": "Root", "row": {"kids": ["uuid", "x"]}}],
        [{"op": "insert", "table": "Root", "row": {"kids": ["uuid", KNOWN_KID.upper()]}}],
        [{"op": "insert", "table": "Root", "row": {"kids": ["named-uuid", "0"]}}],
        [{"op": "insert", "table": "Root", "row": {"kids": ["named-uuid", "nobody"]}}],
        [{"op": "insert", "table": "Root", "uuid": "x", "row": {}}],
        [{"op": "insert", "table": "Root", "uuid-name": "0", "row": {}}],
        [
            {"op": "insert", "table": "Single", "uuid-name": "a", "row": {}},
            {"op": "insert", "table": "Single", "uuid-name": "a", "row": {}},
        ],
        [{"op": "insert", "table": "Single", "row": {}}],
        [{"op": "insert", "table": "Single", "row": {"color": "green"}}],
        [{"op": "insert", "table": "Single", "row": {"color": "red"}}] * 3,
        [{"op": "insert", "table": "Need", "row": {}}],
        [{"op": "insert", "table": "Root", "row": {}}] * 2,
        [{"op": "update", "table": "Kid", "where": [], "row": {"frozen": 1}}],
        [{"op": "update", "table": "Kid", "where": [], "row": {"_uuid": ["uuid", KNOWN_KID]}}],
        [{"op": "mutate", "table": "Kid", "where": [], "mutations": [["frozen", "+=", 1]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["name", "+=", "a"]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["name", "insert", "a"]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["options", "+=", 1]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["count", "^=", 1]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["count", "/=", 0]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["count", "+=", 99]]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [5]}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": []}],
        [{"op": "mutate", "table": "Root", "where": [], "mutations": [["numbers", "*=", 0]]}],
        [
            {
                "op": "mutate",
                "table": "Root",
                "where": [],
                "mutations": [["numbers", "-=", -(2**63)]],
            }
        ],
        [{"op": "delete", "table": "Kid", "where": []}],
        [{"op": "delete", "table": "Root", "where": [["name", "==", "second"]]}],
        [{"op": "comment", "comment": 1}],
        [{"op": "comment", "comment": "a"}, {"op": "abort"}, {"op": "commit", "durable": True}],
        [{"op": "commit"}],
        [{"op": "commit", "durable": True}],
        [{"op": "assert", "lock": "mine"}],
        [{"op": "assert", "lock": "-"}],
        [{"op": "wait", "table": "Root", "where": [], "until": "=", "rows": [], "timeout": 0}],
        [{"op": "wait", "table": "Root", "where": [], "until": "==", "rows": [], "timeout": -1}],
        [{"op": "wait", "table": "Root", "where": [], "until": "==", "rows": [], "timeout": 0}],
        [{"op": "wait", "table": "Root", "where": [], "until": "==", "rows": [5], "timeout": 0}],
        [],
    ],
    ids=lambda operations: json.dumps(operations)[:60],
)
def test_same_errors(real: Client, operations: list[Any]) -> None:
    real.call("transact", "Scene", *CLEAR)
    real.call("transact", "Scene", *BEGINNING)
    database = Database(scene_schema())
    database.transact(BEGINNING)
    theirs = normal(real.call("transact", "Scene", *operations))
    assert normal(database.transact(operations).results) == theirs


def test_its_log_is_ours(tmp_path: Path) -> None:
    where = [["name", "==", "second"]]
    changes: list[Any] = [
        {"op": "mutate", "table": "Root", "where": where, "mutations": [["numbers", "insert", 9]]},
        {
            "op": "mutate",
            "table": "Root",
            "where": where,
            "mutations": [["options", "insert", OPTIONS]],
        },
        {
            "op": "update",
            "table": "Root",
            "where": where,
            "row": {"numbers": ["set", []], "count": 4},
        },
        {"op": "delete", "table": "Root", "where": [["name", "==", "first"]]},
    ]
    with real_server(tmp_path, SCHEMA_JSON) as client:
        for operations in [BEGINNING, *([change] for change in changes)]:
            client.call("transact", "Scene", *operations)
        rows = [select | {"columns": sorted(COLUMNS[select["table"]])} for select in SELECT]
        rows[1]["columns"].remove("passing")
        theirs = normal(client.call("transact", "Scene", *rows))
    database = Database(scene_schema())
    records = (tmp_path / "db").read_text().splitlines()[1::2]
    for record in records[1:]:
        database.replay(json.loads(record))
    assert len(records) == 2 + len(changes)
    assert normal(database.transact(rows).results) == theirs


OPTIONS = ["map", [["a", "1"]]]
