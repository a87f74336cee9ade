"""Large messages are cut into pieces that together say the same."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hotswitch.config.idl_session import pieces
from hotswitch.ovsdb.jsonrpc import Message, Notification, Reply

ROWS = st.dictionaries(
    st.sampled_from(["Port", "Interface", "Bridge"]),
    st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(), max_size=60),
)


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = defaultdict(dict)
    for part in parts:
        for table, rows in part.items():
            assert not found[table].keys() & rows.keys()
            found[table].update(rows)
    return {table: rows for table, rows in found.items() if rows}


def _not_empty(updates: dict[str, Any]) -> dict[str, Any]:
    return {table: rows for table, rows in updates.items() if rows}


@given(ROWS, st.sampled_from(["update", "update2", "update3"]))
def test_updates(updates: dict[str, Any], method: str) -> None:
    first = ["monitor", "position"][: 2 if method == "update3" else 1]
    parts = []
    for each in pieces(Notification(method, [*first, updates])):
        assert isinstance(each, Notification)
        assert (each.method, each.params[:-1]) == (method, first)
        assert sum(map(len, each.params[-1].values())) <= 16
        parts.append(each.params[-1])
    assert parts and _joined(parts) == _not_empty(updates)


@given(ROWS, st.booleans())
def test_what_there_is_at_first(updates: dict[str, Any], found: bool) -> None:
    head, *rest = pieces(Reply([found, "position", updates], None, 7))
    assert head == Reply([found, "position", {}], None, 7)
    parts = []
    for each in rest:
        assert isinstance(each, Notification)
        assert each.method == "update3" and each.params[1] == "position"
        parts.append(each.params[2])
    assert _joined(parts) == _not_empty(updates)


def test_anything_else_stays_whole() -> None:
    many: dict[str, Any] = {f"row{number}": {} for number in range(100)}
    whole: list[Message] = [
        Reply({"Port": many}, None, 1),
        Reply([{"count": 1}, {}, {"rows": []}], None, 1),
        Reply(None, {"error": "x"}, 1),
        Notification("locked", ["lock"]),
        Notification("update", []),
        Notification("update2", ["monitor", None]),
        Notification("update3", ["monitor", "position", {"Port": {"row": {}}}]),
    ]
    for each in whole:
        assert list(pieces(each)) == [each]
