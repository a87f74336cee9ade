"""The rows of a replica that the `ovs` library keeps, as the rest of `config` reads rows."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterator, Mapping
from typing import Any

from ovs.db.data import Datum

from hotswitch.config.rows import Row, Uuid, Value


class ReplicaTable(Mapping[Uuid, Row]):
    """Gives the same object for as long as a row is the same.

    table: the library's. It tells of changes by `forget`.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self._rows: dict[Uuid, _ReplicaRow] = {}

    def __getitem__(self, uuid: Uuid) -> Row:
        try:
            found = self._table.rows[uuids.UUID(uuid)]
        except (KeyError, ValueError):
            raise KeyError(uuid) from None
        known = self._rows.get(uuid)
        if known is None or known.row is not found:
            known = self._rows[uuid] = _ReplicaRow(found, self._table.columns)
        return known

    def __iter__(self) -> Iterator[Uuid]:
        return map(str, list(self._table.rows))

    def __len__(self) -> int:
        return len(self._table.rows)

    def forget(self, uuid: Uuid) -> None:
        """The library has changed the row, perhaps in place."""
        self._rows.pop(uuid, None)

    def trim(self) -> None:
        """Forget rows of before, which are no longer there."""
        if len(self._rows) > len(self._table.rows):
            self._rows = {uuid: self._rows[uuid] for uuid in self if uuid in self._rows}


class _ReplicaRow(Mapping[str, Value]):
    """Reads a column when it is asked for, and once."""

    __slots__ = ("_columns", "_values", "row")

    def __init__(self, row: Any, columns: Mapping[str, Any]) -> None:
        self.row = row
        self._columns = columns
        self._values: dict[str, Value] = {}

    def __getitem__(self, column: str) -> Value:
        try:
            return self._values[column]
        except KeyError:
            value = self._values[column] = self._read(column)
            return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def _read(self, column: str) -> Value:
        kind = self._columns[column].type
        # The library holds nothing for what is not set.
        datum = dict.get(self.row._data, column)
        return _plain(Datum.default(kind) if datum is None else datum)


def _plain(datum: Datum) -> Value:
    column_type = datum.type
    if column_type.is_map():
        return {_atom(key): _atom(value) for key, value in datum.values.items()}
    members = tuple(sorted(map(_atom, datum.values)))
    if column_type.n_max == 1:
        return members[0] if members else None
    return members


def _atom(atom: Any) -> Any:
    return str(atom.value) if isinstance(atom.value, uuids.UUID) else atom.value
