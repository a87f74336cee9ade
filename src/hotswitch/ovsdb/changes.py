"""What one commit changed: the rows before and after it.

Its JSON form is the record of Open vSwitch's log: table, UUID, and the columns of an
inserted row, the differences of a modified one, null for a deleted one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import compress
from operator import is_not
from typing import Any, NamedTuple

import msgspec

from hotswitch.ovsdb.schema import DatabaseSchema, TableSchema
from hotswitch.ovsdb.values import UUID_INDEX, Json, Row, Uuid


class Change(NamedTuple):
    """One row: `old` is None if it was inserted, `new` if it was deleted."""

    old: Row | None
    new: Row | None


class Changes(msgspec.Struct, frozen=True, eq=False):
    """All that one commit changed.

    `transaction_id` identifies the content after it, `previous_id` the one before.
    """

    schema: DatabaseSchema
    tables: Mapping[str, Mapping[Uuid, Change]]
    transaction_id: Uuid
    previous_id: Uuid
    #: What was derived from this, for all who ask the same (monitors).
    memo: dict[Hashable, Any] = msgspec.field(default_factory=dict)

    def __len__(self) -> int:
        """The number of rows changed."""
        return sum(map(len, self.tables.values()))

    def to_json(self, *, comment: str = "", date: int | None = None) -> Json | None:
        """Return the log's record, or None if no persistent column changed.

        `date` is in milliseconds since the epoch.
        """
        result: dict[str, Json] = {}
        for name, rows in self.tables.items():
            table = self.schema.tables[name]
            table_json = {
                uuid: row
                for uuid, change in rows.items()
                if (row := _row_to_json(table, change)) or row is None or change.old is None
            }
            if table_json:
                result[name] = table_json
        if not result:
            return None
        if comment:
            result["_comment"] = comment
        result["_is_diff"] = True
        if date is not None:
            result["_date"] = date
        return result

    def then(self, later: Changes) -> Changes:
        """Return this and `later` as one."""
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        for name, rows in later.tables.items():
            merged = tables.setdefault(name, {})
            for uuid, change in rows.items():
                earlier = merged.get(uuid)
                both = change if earlier is None else Change(earlier.old, change.new)
                if both.old is None and both.new is None:
                    del merged[uuid]
                else:
                    merged[uuid] = both
        return Changes(self.schema, tables, later.transaction_id, self.previous_id)

    def inverse(self) -> Changes:
        """Return what undoes this."""
        tables = {
            name: {uuid: Change(new, old) for uuid, (old, new) in rows.items()}
            for name, rows in self.tables.items()
        }
        return Changes(self.schema, tables, self.previous_id, self.transaction_id)


def _row_to_json(table: TableSchema, change: Change) -> Json:
    old, new = change
    if new is None:
        return None
    inserted = old is None
    before = table.default if old is None else old
    json: dict[str, Json] = {}
    # Most data are not only equal but the same, which takes no look at each column to see.
    for column in compress(table.columns, map(is_not, before, new)):
        index, type_ = column.index, column.type
        was, datum = before[index], new[index]
        if column.ephemeral or index == UUID_INDEX:
            continue
        if len(was) == len(datum) and was == datum:
            continue
        json[column.name] = type_.write(datum if inserted else type_.difference(was, datum))
    return json
