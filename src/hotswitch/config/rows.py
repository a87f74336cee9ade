"""The database's tables as Python values, wherever they are.

A value is what its column's type says: a scalar; `None` or a scalar where it is optional; a
sorted tuple for a set; a dictionary for a map. A UUID is its canonical text.

A row that has not changed is the same object as before, so that what was made of it can be kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.schema import TableSchema
from hotswitch.ovsdb.types import Type
from hotswitch.ovsdb.values import Datum
from hotswitch.ovsdb.values import Row as Stored

Uuid: TypeAlias = str
Value: TypeAlias = Any
Row: TypeAlias = Mapping[str, Value]
Table: TypeAlias = Mapping[Uuid, Row]
Tables: TypeAlias = Mapping[str, Table]

_NOTHING: Mapping[str, str] = {}


def text(row: Row, column: str) -> str:
    """The column's text; empty if it is not set, or unknown to the schema at hand."""
    value = row.get(column)
    return value if isinstance(value, str) else ""


def number(row: Row, column: str) -> int | None:
    """The column's integer, or None if it is not set."""
    value = row.get(column)
    return value if type(value) is int else None


def pairs(row: Row, column: str) -> Mapping[str, str]:
    """The column's map from text to text."""
    value = row.get(column)
    return value if isinstance(value, Mapping) else _NOTHING


def members(row: Row, column: str) -> tuple[Any, ...]:
    """The column's set; of an optional column the one value, or none."""
    value = row.get(column)
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)


def the_root(tables: Tables) -> tuple[Uuid, Row] | None:
    """The one row of the table Open_vSwitch, if it is there."""
    return next(iter(tables.get("Open_vSwitch", {}).items()), None)


def plain(column_type: Type, datum: Datum) -> Value:
    """The Python value of a datum."""
    if column_type.is_map:
        return dict(datum)
    if column_type.maximum == 1:
        return datum[0] if datum else None
    return datum


class _StoredRow(Mapping[str, Value]):
    """A row of the embedded database."""

    __slots__ = ("_schema", "stored")

    def __init__(self, schema: TableSchema, stored: Stored) -> None:
        self._schema = schema
        self.stored = stored

    def __getitem__(self, column: str) -> Value:
        found = self._schema.by_name[column]
        return plain(found.type, self.stored[found.index])

    # What `Mapping` would do with an exception for each column that there is not.

    def __contains__(self, column: object) -> bool:
        return column in self._schema.by_name

    def get(self, column: str, default: Any = None) -> Any:
        found = self._schema.by_name.get(column)
        return default if found is None else plain(found.type, self.stored[found.index])

    def __iter__(self) -> Iterator[str]:
        return iter(self._schema.by_name)

    def __len__(self) -> int:
        return len(self._schema.by_name)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class _StoredTable(Mapping[Uuid, Row]):
    """A live view of a table, which gives the same object for as long as a row is the same."""

    def __init__(self, schema: TableSchema, stored: Mapping[Any, Stored]) -> None:
        self._schema = schema
        self._stored = stored
        self._rows: dict[Uuid, _StoredRow] = {}

    def __getitem__(self, uuid: Uuid) -> Row:
        stored = self._stored[uuid]
        row = self._rows.get(uuid)
        if row is None or row.stored is not stored:
            if len(self._rows) > 2 * len(self._stored) + 64:
                self._rows.clear()  # most of them have gone
            row = self._rows[uuid] = _StoredRow(self._schema, stored)
        return row

    def __iter__(self) -> Iterator[Uuid]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def embedded_tables(database: Database) -> Tables:
    """A live view of an embedded database. Ask once for each database: it remembers rows."""
    return {
        name: _StoredTable(schema, database.table(name))
        for name, schema in database.schema.tables.items()
    }
