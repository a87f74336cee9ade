"""Rows in their JSON form (RFC 7047 section 5.1, `<row>`)."""

from __future__ import annotations

from collections.abc import Iterable

from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.schema import Column, TableSchema
from hotswitch.ovsdb.values import Datum, Json, Row, Symbols


def values_from_json(
    table: TableSchema, json: Json, symbols: Symbols | None
) -> dict[Column, Datum]:
    """Return the columns that a `<row>` sets; raise `OvsdbError` if it is bad."""
    if not isinstance(json, dict):
        raise syntax_error(json, "row must be JSON object")
    by_name = table.by_name
    values = {}
    for name, value in json.items():
        column = by_name.get(name) or table.column(name, json)
        values[column] = column.type.read(value, symbols)
    return values


def row_from_json(table: TableSchema, json: Json, symbols: Symbols | None) -> list[Datum]:
    """Return the data of a new row, to be completed; raise `OvsdbError` if it is bad."""
    row = list(table.default)
    values = values_from_json(table, json, symbols)
    for column, datum in values.items():
        row[column.index] = datum
    for name, error in table.bad_defaults.items():
        if name not in json:
            raise OvsdbError(error.error, error.details)
    return row


def row_to_json(columns: Iterable[Column], row: Row) -> Json:
    """Return some columns of a row."""
    return {column.name: column.type.write(row[column.index]) for column in columns}
