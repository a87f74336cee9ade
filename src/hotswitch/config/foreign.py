"""Changes for a database whose schema may be another, and that others change meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hotswitch.config.columns import ACTED_ON, WRITTEN
from hotswitch.config.edit import EditError
from hotswitch.config.operations import Operation, Update, datum
from hotswitch.config.rows import Value
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.schemas import load

_EMPTY = (["set", []], ["map", []], "", 0, False)
"""What a column that does not exist may as well be asked to hold."""

_SOME = 3
"""How many of the columns that are missing are named."""

_log = logging.getLogger(__name__)


class Trimmer:
    """Leaves out of what is to be written what a database's schema does not take."""

    def __init__(self, schema: DatabaseSchema) -> None:
        self._schema = schema
        self._usual: set[tuple[str, str]] = set()
        self._left_out: set[str] = set()

    @property
    def schema(self) -> DatabaseSchema:
        """The database's."""
        return self._schema

    def has_column(self, table: str, column: str) -> bool:
        """Whether the schema has this column."""
        found = self._schema.tables.get(table)
        return found is not None and column in found.by_name

    def operations(self, operations: Iterable[Operation]) -> list[Operation]:
        """As of `within`: what somebody asks for."""
        return list(within(operations, self.has_column))

    def updates(self, updates: Iterable[Update]) -> list[Update]:
        """What is so, as far as the schema takes it. The log names what is left out, once."""
        fitting = []
        left_out: set[str] = set()
        for each in updates:
            columns = {
                column: value
                for column, value in each.columns.items()
                if self._fits(each.table, column, value)
            }
            left_out.update(f"{each.table}.{name}" for name in each.columns.keys() - columns.keys())
            if columns:
                fitting.append(Update(each.table, each.row, columns))
        for name in sorted(left_out - self._left_out):
            _log.info("%s is not written: the database's schema does not take it", name)
        self._left_out |= left_out
        return fitting

    def say_what_is_missing(self) -> None:
        """Log, in one line, which of the columns that hotswitch knows the schema lacks."""
        missing = [
            f"{table}.{column}"
            for columns in (ACTED_ON, WRITTEN)
            for table, names in columns.items()
            for column in names
            if not self.has_column(table, column)
        ]
        if not missing:
            return
        more = f" and {len(missing) - _SOME} more columns" if len(missing) > _SOME else ""
        _log.warning(
            "the database has an old schema%s without %s%s; what they would hold can't be asked "
            "for or told; ovsdb-tool convert (or, while it is served, ovsdb-client convert) "
            "brings it to a newer one",
            f", {self._schema.version}," if self._schema.version else "",
            ", ".join(missing[:_SOME]),
            more,
        )

    def _fits(self, table: str, column: str, value: Value) -> bool:
        if (table, column) in self._usual:
            return True
        if not self.has_column(table, column):
            return False
        kind = self._schema.tables[table].by_name[column].type
        own = load("Open_vSwitch").tables.get(table)
        if own is not None and column in own.by_name and own.by_name[column].type == kind:
            self._usual.add((table, column))  # what is written was made for that
            return True
        try:
            kind.check(kind.read(datum(value)))
        except OvsdbError:
            return False
        return True


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
