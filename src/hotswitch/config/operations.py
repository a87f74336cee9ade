"""Changes to rows that exist, and their form on the wire (RFC 7047 sections 5.1 and 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.config.rows import Row, Uuid, Value

Operation = dict[str, Any]
"""One of a transaction, in JSON."""


class RefusalError(HotswitchError):
    """The database is there and refuses a change; it may well take others."""


@dataclass(frozen=True, slots=True)
class Update:
    """Set these columns of a row. If the row has gone, nothing happens."""

    table: str
    row: Uuid
    columns: Mapping[str, Value]

    def to_json(self) -> Operation:
        """The operation for `transact`."""
        return {
            "op": "update",
            "table": self.table,
            "where": [["_uuid", "==", ["uuid", self.row]]],
            "row": {column: datum(value) for column, value in self.columns.items()},
        }


def datum(value: Value) -> Any:
    """A value in JSON; it has no UUIDs in it."""
    if value is None:
        return ["set", []]
    if isinstance(value, tuple):
        return ["set", list(value)]
    if isinstance(value, Mapping):
        return ["map", [[key, each] for key, each in value.items()]]
    return value


def update(table: str, uuid: Uuid, row: Row, wanted: Mapping[str, Value]) -> Update | None:
    """What brings the row to these values, or None if it has them.

    Columns that the database's schema does not have are left out.
    """
    differing = {
        column: value for column, value in wanted.items() if column in row and row[column] != value
    }
    return Update(table, uuid, differing) if differing else None


def mutate(table: str, uuid: Uuid, *mutations: list[Any]) -> Operation:
    """Change columns of one row (RFC 7047 section 5.2.4)."""
    where = [["_uuid", "==", ["uuid", uuid]]]
    return {"op": "mutate", "table": table, "where": where, "mutations": list(mutations)}


def take_out(column: str, uuid: Uuid) -> list[Any]:
    """The mutation that takes a row out of a set of rows."""
    return [column, "delete", ["uuid", uuid]]


def put_in(column: str, named: str) -> list[Any]:
    """The mutation that puts a new row, of this `uuid-name`, into a set of rows."""
    return [column, "insert", ["named-uuid", named]]
