"""Takes the rows of a database over into another version of its schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hotswitch.ovsdb.schema import Column, TableSchema
from hotswitch.ovsdb.values import UUID_INDEX, VERSION_INDEX, Row, Uuid


def convert_rows(
    old: TableSchema, new: TableSchema, rows: Iterable[Row]
) -> Iterator[tuple[Uuid, Row]]:
    """Yield the rows under the new schema. Columns that it lacks are left out, those that it
    adds have their default.

    Raises `OvsdbError` if a value doesn't fit the new type.
    """
    pairs = [
        (column, new.by_name[column.name])
        for column in old.columns
        if column.name in new.by_name and column.index != VERSION_INDEX
    ]
    for row in rows:
        converted = list(new.default)
        for before, after in pairs:
            converted[after.index] = _convert(row, before, after)
        converted[VERSION_INDEX] = row[VERSION_INDEX]
        yield row[UUID_INDEX][0], tuple(converted)


def _convert(row: Row, before: Column, after: Column) -> tuple[object, ...]:
    datum = row[before.index]
    if before.type == after.type:
        return datum
    return after.type.read(before.type.write(datum))
