"""Checks that no two rows have the same values in the columns of an index."""

from __future__ import annotations

from collections.abc import Hashable

from hotswitch.ovsdb.atoms import UuidType, violation
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.schema import Column, TableSchema
from hotswitch.ovsdb.tables import Index
from hotswitch.ovsdb.transaction import TableView
from hotswitch.ovsdb.values import UUID_INDEX, Datum, Row, Uuid


def check_uniqueness(view: TableView) -> None:
    """Raise `OvsdbError` if this transaction leaves two rows with an equal index."""
    indexes = view.table.indexes
    if not view.changed or not indexes:
        return
    seen: list[dict[Hashable, Uuid]] = [{} for _ in indexes]
    for uuid, row in view.changed.items():
        if row is None:
            continue
        for index, keys in zip(indexes, seen, strict=True):
            key = index.key(row)
            other = keys.setdefault(key, uuid)
            if other == uuid:
                # A row that is itself changed was or will be seen with its new values.
                other = index.rows.get(key, uuid)
                if other in view.changed:
                    continue
            there = view.get(other)
            if there is not None:
                raise _duplicate(view, index, there, row)


def _duplicate(view: TableView, index: Index, a: Row, b: Row) -> OvsdbError:
    # Greater first: an order that doesn't depend on the UUIDs.
    columns = _comparable(view.schema)
    first, second = (b, a) if _values_of(columns, a) < _values_of(columns, b) else (a, b)
    return violation(
        f'Transaction causes multiple rows in "{view.schema.name}" table to have identical '
        f"values ({_values(index, first)}) for index on {_columns(index)}.  "
        f"{_history(view, index, 'First', first)}  {_history(view, index, 'Second', second)}"
    )


def _comparable(table: TableSchema) -> list[Column]:
    """Return the columns without UUIDs, by name."""
    return [
        column
        for _, column in sorted(table.by_name.items())
        if not isinstance(column.type.key, UuidType) and not isinstance(column.type.value, UuidType)
    ]


def _values_of(columns: list[Column], row: Row) -> list[tuple[int, Datum]]:
    # Shorter data come first, as Open vSwitch compares.
    return [(len(row[column.index]), row[column.index]) for column in columns]


def _history(view: TableView, index: Index, title: str, row: Row) -> str:
    """Say where one of the two rows comes from."""
    uuid = Uuid(row[UUID_INDEX][0])
    start = f"{title} row, with UUID {uuid}, "
    old = view.table.rows.get(uuid)
    if old is None:
        return start + "was inserted by this transaction."
    if uuid not in view.changed:
        return (
            start + "existed in the database before this transaction and was not modified "
            "by the transaction."
        )
    if index.key(old) == index.key(row):
        return (
            start + "existed in the database before this transaction, which modified some "
            "of the row's columns but not any columns in this index."
        )
    return start + (
        f"had the following index values before the transaction: {_values(index, old)}."
    )


def _values(index: Index, row: Row) -> str:
    return enumeration([column.type.text(row[column.index]) for column in index.columns])


def _columns(index: Index) -> str:
    names = enumeration([f'"{column.name}"' for column in index.columns])
    return f"column{'s' if len(index.columns) > 1 else ''} {names}"


def enumeration(words: list[str]) -> str:
    """Return "a", "a and b", or "a, b, and c"."""
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"
