"""Reads the transaction records of Open vSwitch's log back into row changes."""

from __future__ import annotations

from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.schema import TableSchema
from hotswitch.ovsdb.transaction import TableView, Transaction
from hotswitch.ovsdb.values import (
    UUID_INDEX,
    VERSION_INDEX,
    Datum,
    Json,
    Row,
    Uuid,
    new_uuid,
    parse_uuid,
)

#: What a record can say beside its tables.
ANNOTATIONS = frozenset({"_comment", "_date", "_is_diff"})


def read_record(transaction: Transaction, record: Json) -> None:
    """Do in `transaction` what a record says; raise `OvsdbError` if it doesn't fit."""
    if not isinstance(record, dict):
        raise syntax_error(record, "object expected")
    is_difference = record.get("_is_diff") is True
    for name, rows in record.items():
        view = transaction.view(name)
        if view is None:
            if name in ANNOTATIONS:
                continue
            raise syntax_error(record, f"No table named {name}.", "unknown table")
        if not isinstance(rows, dict):
            raise syntax_error(rows, "object expected")
        for uuid_text, row_json in rows.items():
            uuid = parse_uuid(uuid_text)
            if uuid is None:
                raise syntax_error(rows, f'"{uuid_text}" is not a valid UUID')
            _read_row(view, uuid, row_json, is_difference)


def _read_row(view: TableView, uuid: Uuid, json: Json, is_difference: bool) -> None:
    old = view.get(uuid)
    if json is None:
        if old is None:
            raise OvsdbError("syntax error", f"transaction deletes row {uuid} that does not exist")
        view.delete(uuid)
        return
    if old is None:
        row = list(view.schema.default)
        row[UUID_INDEX] = (uuid,)
        row[VERSION_INDEX] = (new_uuid(),)
        view.put(uuid, _read_columns(view.schema, row, json, False))
    else:
        view.put(uuid, _read_columns(view.schema, list(old), json, is_difference))


def _read_columns(table: TableSchema, row: list[Datum], json: Json, is_difference: bool) -> Row:
    if not isinstance(json, dict):
        raise syntax_error(json, "row must be JSON object")
    for name, value in json.items():
        column = table.column(name, json)
        if is_difference:
            # A difference can have fewer or more members than the column itself.
            delta = column.type.unlimited.read(value)
            row[column.index] = column.type.apply(row[column.index], delta)
        else:
            row[column.index] = column.type.read(value)
    return tuple(row)
