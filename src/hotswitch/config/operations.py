"""Changes to rows that exist, and their form on the wire (RFC 7047 section 5.2.3, `update`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hotswitch.config.rows import Row, Uuid, Value


@dataclass(frozen=True, slots=True)
class Update:
    """Set these columns of a row. If the row has gone, nothing happens."""

    table: str
    row: Uuid
    columns: Mapping[str, Value]

    def to_json(self) -> dict[str, Any]:
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
