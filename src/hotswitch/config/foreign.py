"""Operations for a database that others change meanwhile, and whose schema may be another. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotswitch.config.edit import EditError
from hotswitch.config.operations import Operation

_EMPTY = (["set", []], ["map", []], "", 0, False)
"""What a column that does not exist may as well be asked to hold."""


def guarded(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The operations, each row that one of them changes awaited first: none may have gone."""
    seen = set()
    for operation in operations:
        where = operation.get("where")
        if where and operation["op"] != "wait":
            key = operation["table"], str(where)
            if key not in seen:
                seen.add(key)
                yield _is_there(operation["table"], where)
        yield operation


def within(
    operations: Iterable[Operation], has_column: Callable[[str, str], bool]
) -> Iterator[Operation]:
    """The operations without columns that the schema does not have.

    Raises EditError if something is to be in such a column.
    """
    for operation in operations:
        if "row" in operation:
            yield {**operation, "row": _row(operation, has_column)}
        else:
            if "mutations" in operation:
                for column, _, value in operation["mutations"]:
                    _check(operation["table"], column, value, has_column)
            yield operation


def _row(operation: Operation, has_column: Callable[[str, str], bool]) -> Mapping[str, Any]:
    table = operation["table"]
    return {
        column: value
        for column, value in operation["row"].items()
        if _check(table, column, value, has_column)
    }


def _check(table: str, column: str, value: Any, has_column: Callable[[str, str], bool]) -> bool:
    if has_column(table, column):
        return True
    if value in _EMPTY:
        return False
    raise EditError(f"the database's schema has no column {table}.{column}")


def _is_there(table: str, where: Any) -> Operation:
    return {
        "op": "wait",
        "timeout": 0,
        "table": table,
        "where": where,
        "columns": ["_uuid"],
        "until": "!=",
        "rows": [],
    }
