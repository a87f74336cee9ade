"""Transactions that are wrong (RFC 7047 section 5); nothing of them is done."""

from __future__ import annotations

from typing import Any

from tests.ovsdb.corpus.case import Case, request, syntax_error

_ROOT = "Open_vSwitch"
_DIGITS = "it reads such numbers as doubles, and writes them so"


def _transact(*operations: Any) -> bytes:
    return request("transact", _ROOT, *operations)


def _refused(name: str, operation: Any, error: dict[str, str], differs: str = "") -> Case:
    return Case(name, _transact(operation), ((1, [error], None),), differs=differs)


def _insert(table: str, **row: Any) -> dict[str, Any]:
    return {"op": "insert", "table": table, "row": row}


def _where(*clauses: Any) -> dict[str, Any]:
    return {"op": "select", "table": "Bridge", "where": list(clauses)}


def _wait(timeout: Any) -> dict[str, Any]:
    what = {"table": "Bridge", "where": [], "columns": ["name"], "until": "==", "rows": []}
    return {"op": "wait", "timeout": timeout, **what}


def _unparsed(operation: Any, details: str) -> dict[str, str]:
    return syntax_error(f"Parsing ovsdb operation 1 of 1 failed: {details}", operation)


def _wrong(name: str, operation: Any, details: str, differs: str = "") -> Case:
    return _refused(name, operation, _unparsed(operation, details), differs)


_DEEP: Any = 1
for _ in range(100):
    _DEEP = [_DEEP]

CASES = (
    Case("no operation", _transact(), ((1, [], None),)),
    Case(
        "an operation that is none",
        _transact(1, "x", []),
        (
            (
                1,
                [
                    syntax_error("Parsing ovsdb operation 1 of 3 failed: Object expected."),
                    None,
                    None,
                ],
                None,
            ),
        ),
    ),
    _wrong("an unknown operation", {"op": "drop"}, 'No operation "drop"'),
    _wrong(
        "a member that does not belong there",
        {"op": "comment", "comment": "x", "y": 1},
        "Member 'y' is present but not allowed here.",
    ),
    _wrong(
        "a row without columns",
        {"op": "insert", "table": "Bridge"},
        "Required 'row' member is missing.",
    ),
    _wrong("an unknown table", _insert("Nope"), "No table named Nope."),
    _refused(
        "an unknown column",
        _insert("Bridge", x=1),
        syntax_error("No column x in table Bridge.", {"x": 1}) | {"error": "unknown column"},
    ),
    _wrong(
        "a name for a row that is no name",
        {"uuid-name": "1 x", **_insert("Bridge", name="a")},
        "Type mismatch for member 'uuid-name'.",
    ),
    _refused(
        "a UUID that is none",
        _where(["_uuid", "==", ["uuid", "x"]]),
        syntax_error('"x" is not a valid UUID', ["uuid", "x"]),
    ),
    _refused(
        "a condition 100 deep", _where(_DEEP), syntax_error("Parse error in condition.", _DEEP)
    ),
    _refused(
        "a fraction for an integer",
        _insert(_ROOT, next_cfg=1.5),
        syntax_error("expected integer", 1.5),
    ),
    _refused(
        "an integer beyond 64 bits",
        _insert(_ROOT, next_cfg=10**20),
        syntax_error("expected integer", 10**20),
        _DIGITS,
    ),
    _refused(
        "a map with a key twice",
        _insert(_ROOT, external_ids=["map", [["a", "1"], ["a", "2"]]]),
        {"error": "ovsdb error", "details": "map contains duplicate key"},
    ),
    _refused(
        "a time to wait below zero", _wait(-1), syntax_error("timeout must be nonnegative", -1)
    ),
    _wrong(
        "a time to wait beyond 64 bits",
        _wait(10**20),
        "Type mismatch for member 'timeout'.",
        _DIGITS,
    ),
    Case(
        "a column twice in a row: the last counts",
        _transact(_insert("Bridge", name="a"), {"op": "abort"}).replace(
            b'"name": "a"', b'"name": "b", "name": 7'
        ),
        ((1, [syntax_error("expected string", 7), None], None),),
    ),
)
