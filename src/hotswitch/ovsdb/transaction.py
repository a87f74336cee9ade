"""A transaction under way: the tables as it sees them.

What it changes lies over the committed rows, which nobody touches before the commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hotswitch.ovsdb.conditions import Condition
from hotswitch.ovsdb.schema import TableSchema
from hotswitch.ovsdb.tables import Table
from hotswitch.ovsdb.values import Json, Row, Symbols, Uuid


class TableView:
    """One table as a transaction sees it; `changed` maps to None where a row was deleted."""

    __slots__ = ("changed", "schema", "table")

    def __init__(self, table: Table) -> None:
        self.schema: TableSchema = table.schema
        self.table = table
        self.changed: dict[Uuid, Row | None] = {}

    def get(self, uuid: Uuid) -> Row | None:
        """Return a row, or None."""
        if uuid in self.changed:
            return self.changed[uuid]
        return self.table.rows.get(uuid)

    def known(self, uuid: Uuid) -> bool:
        """Whether the row exists, or existed until this transaction deleted it."""
        return uuid in self.changed or uuid in self.table.rows

    def has_texts(self, uuid: Uuid, json: Mapping[str, Json]) -> bool:
        """Whether the row's data of text alone are written just so; false for other data.

        Raises AttributeError, KeyError or TypeError if it is not asked properly.
        """
        row = self.get(uuid)
        if row is None:
            return False
        by_name = self.schema.by_name
        for name, value in json.items():
            column = by_name[name]
            if not column.type.is_text or column.type.write(row[column.index]) != value:
                return False
        return True

    def put(self, uuid: Uuid, row: Row) -> None:
        """Insert a row, or replace it."""
        self.changed[uuid] = row

    def delete(self, uuid: Uuid) -> None:
        """Delete a row; of one that this transaction inserted, nothing remains."""
        if uuid in self.table.rows:
            self.changed[uuid] = None
        else:
            del self.changed[uuid]

    def query(self, condition: Condition) -> list[tuple[Uuid, Row]]:
        """Return the rows that match all of a condition."""
        matches = condition.matches_all
        if not condition.clauses:
            return list(self._rows())
        candidates = self._candidates(condition)
        if candidates is not None:
            return [
                (uuid, row)
                for uuid in candidates
                if (row := self.get(uuid)) is not None and matches(row)
            ]
        return [(uuid, row) for uuid, row in self._rows() if matches(row)]

    def _candidates(self, condition: Condition) -> list[Uuid] | None:
        """Return the only rows that can match, or None if that takes a look at all."""
        uuid = condition.uuid
        if uuid is not None:
            return [uuid]
        found = self.table.find(condition.equal_columns())
        if found is None:
            return None
        return [*(uuid for uuid in found if uuid not in self.changed), *self.changed]

    def _rows(self) -> Iterator[tuple[Uuid, Row]]:
        if not self.changed:
            yield from self.table.rows.items()
            return
        for uuid, row in self.table.rows.items():
            if uuid not in self.changed:
                yield uuid, row
        for uuid, changed in self.changed.items():
            if changed is not None:
                yield uuid, changed

    @property
    def count(self) -> int:
        """The number of rows."""
        number = len(self.table.rows)
        for uuid, row in self.changed.items():
            number += (row is not None) - (uuid in self.table.rows)
        return number


class Transaction:
    """The views of all tables, the named UUIDs, and what was said beside the changes."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self.views: dict[str, TableView] = {}
        self.symbols = Symbols()
        self.comments: list[str] = []
        self.durable = False

    def view(self, name: str) -> TableView | None:
        """Return a table, or None if there is none of this name."""
        view = self.views.get(name)
        if view is None and name in self._tables:
            view = self.views[name] = TableView(self._tables[name])
        return view

    def of(self, name: str) -> TableView:
        """Return a table that the schema names."""
        try:
            return self.views[name]
        except KeyError:
            view = self.views[name] = TableView(self._tables[name])
            return view
