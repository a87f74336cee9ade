"""The tables of a replica that the `ovs` library keeps of an external database."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ovs.db.data import Datum
from ovs.db.idl import Idl, Transaction

from hotswitch.config.operations import Update
from hotswitch.config.rows import Row, Tables, Uuid, Value


def replica_tables(idl: Idl) -> Tables:
    """A live view of a replica. Ask once for each replica: it remembers rows."""
    return {name: _ReplicaTable(table) for name, table in idl.tables.items()}


def transaction(idl: Idl, updates: Sequence[Update]) -> Transaction:
    """A transaction with these changes, to be committed; rows that have gone are left out."""
    made = Transaction(idl)
    for update in updates:
        row = idl.tables[update.table].rows.get(uuids.UUID(update.row))
        if row is not None:
            for column, value in update.columns.items():
                setattr(row, column, _for_library(value))
    return made


def _for_library(value: Value) -> Any:
    if value is None:
        return []
    return list(value) if isinstance(value, tuple) else value


class _ReplicaTable(Mapping[Uuid, Row]):
    """Gives the same object for as long as a row is the same."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._rows: dict[Uuid, tuple[dict[str, Datum], Row]] = {}

    def __getitem__(self, uuid: Uuid) -> Row:
        try:
            # The library replaces data that change, and holds none for what is not set.
            data = dict(dict.items(self._table.rows[uuids.UUID(uuid)]._data))
        except (KeyError, ValueError):
            raise KeyError(uuid) from None
        known = self._rows.get(uuid)
        if known is None or not _same(known[0], data):
            if len(self._rows) > 2 * len(self._table.rows) + 64:
                self._rows.clear()  # most of them have gone
            known = self._rows[uuid] = data, self._row(data)
        return known[1]

    def __iter__(self) -> Iterator[Uuid]:
        return map(str, list(self._table.rows))

    def __len__(self) -> int:
        return len(self._table.rows)

    def _row(self, data: Mapping[str, Datum]) -> Row:
        return {
            name: _plain(data[name] if name in data else Datum.default(column.type))
            for name, column in self._table.columns.items()
        }


def _same(known: Mapping[str, Datum], data: Mapping[str, Datum]) -> bool:
    return len(known) == len(data) and all(known.get(name) is datum for name, datum in data.items())


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
