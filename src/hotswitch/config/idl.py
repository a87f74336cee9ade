"""The replica that the `ovs` library keeps of an external database, and its tables.

The library parses and follows; the connection is hotswitch's own (`ovsdb.caller`), because the
library's can't look up names, spins during a TLS handshake, cuts characters in two, and reads JSON
one character at a time.
"""

from __future__ import annotations

import errno
import uuid as uuids
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import ovs.db.error
from ovs.db.data import Datum
from ovs.db.idl import ROW_UPDATE, Idl, SchemaHelper, Transaction
from ovs.jsonrpc import Message as LibraryMessage

from hotswitch.base.errors import HotswitchError
from hotswitch.config.columns import WRITTEN
from hotswitch.config.operations import Update, datum
from hotswitch.config.rows import Row, Tables, Uuid, Value
from hotswitch.ovsdb.caller import Caller
from hotswitch.ovsdb.jsonrpc import Message, Notification, Reply, Request

_OF_THE_SERVER = frozenset({"Manager", "SSL"})
"""Tables that concern the server, and that it writes to itself."""


class SchemaError(HotswitchError):
    """What a server gives as its schema is none."""


class Replica(Idl):  # type: ignore[misc]
    """A copy of the database that `caller` reaches, of all tables and columns of this schema.

    lock: what to hold in order to write. Raises SchemaError.
    """

    def __init__(self, caller: Caller, schema: Any, lock: str) -> None:
        if not isinstance(schema, dict):
            raise SchemaError("its schema can't be understood: it is no object")
        try:
            helper = SchemaHelper(schema_json=schema)
            helper.register_all()
            super().__init__("unix:", helper)
        except (ovs.db.error.Error, AttributeError, KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"its schema can't be understood: {error}") from error
        self._session: Any = _Session(caller, self._why_unfit)
        self.lock_name = lock  # it is asked for whenever a connection begins
        self._view = {name: _ReplicaTable(table) for name, table in self.tables.items()}
        self._written_by_others = False
        self._anything = False

    @property
    def view(self) -> Tables:
        """The tables as they are, live."""
        return self._view

    @property
    def is_current(self) -> bool:
        """Whether it follows the database now, and may write to it."""
        return bool(self.state == self.IDL_S_MONITORING and self.has_lock)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        """The library has changed a row."""
        table = row._table.name
        if table in self._view:
            self._view[table].forget(str(row.uuid))
        if table in _OF_THE_SERVER:
            return
        self._anything = True
        if event != ROW_UPDATE or dict.keys(updates._data) - set(WRITTEN.get(table, ())):
            self._written_by_others = True

    def take_news(self, *, writing: bool) -> bool:
        """Whether something has changed since the last time.

        writing: what is written to columns that only tell how things are is our own then.
        """
        for table in self._view.values():
            table.trim()
        news = self._written_by_others or (self._anything and not writing)
        self._written_by_others = self._anything = False
        return news

    def has_column(self, table: str, column: str) -> bool:
        """Whether the server's schema has this column."""
        return table in self.tables and column in self.tables[table].columns

    def fits(self, table: str, column: str, value: Value) -> bool:
        """Whether the server's schema has this column, and takes this value."""
        if not self.has_column(table, column):
            return False
        try:
            Datum.from_json(self.tables[table].columns[column].type, datum(value))
        except ovs.db.error.Error:
            return False
        return True

    def _why_unfit(self) -> str:
        """Why the library wants another server."""
        servers = self.server_tables or {}
        rows = servers["Database"].rows.values() if "Database" in servers else ()
        for row in rows:
            if row.name == self._db.name:
                if not row.connected:
                    return "has no contact with its cluster"
                return "is not the cluster's leader" if not row.leader else "has stale data"
        return f"has no database {self._db.name}"


class _Session:
    """What the library asks of a connection (`ovs.jsonrpc.Session`), over one that is there."""

    def __init__(self, caller: Caller, why_unfit: Callable[[], str]) -> None:
        self._caller = caller
        self._why_unfit = why_unfit

    def run(self) -> None:
        """The caller runs by itself."""

    def is_connected(self) -> bool:
        return self._caller.connected

    def get_seqno(self) -> int:
        return self._caller.generation

    def get_name(self) -> str:
        return self._caller.name

    def recv(self) -> Any:
        message = self._caller.receive()
        if isinstance(message, Notification) and message.method == "monitor_canceled":
            self._caller.served()
            self._caller.hang_up("has been converted, or removed")
            return None
        return None if message is None else _to_library(message)

    def send(self, message: Any) -> int:
        request = Request(message.method, message.params, message.id)
        return 0 if self._caller.send(request) else errno.ENOTCONN

    def force_reconnect(self) -> None:
        self._caller.hang_up(self._why_unfit())

    def reset_backoff(self) -> None:
        self._caller.served()

    def close(self) -> None:
        """Whoever has made the caller closes it."""


def _to_library(message: Message) -> Any:
    if isinstance(message, Reply):
        if message.error is not None:
            return LibraryMessage.create_error(message.error, message.id)
        return LibraryMessage.create_reply(message.result, message.id)
    if isinstance(message, Notification):
        return LibraryMessage.create_notify(message.method, message.params)
    kind = LibraryMessage.T_REQUEST
    return LibraryMessage(kind, message.method, message.params, None, None, message.id)


def transaction(replica: Replica, updates: Sequence[Update]) -> tuple[Transaction, list[str]]:
    """A transaction with these changes, to be committed; and the columns that are left out.

    Left out are rows that have gone, and what the server's schema does not take.
    """
    made = Transaction(replica)
    left_out = []
    for each in updates:
        if uuids.UUID(each.row) not in replica.tables[each.table].rows:
            continue
        columns = {}
        for column, value in each.columns.items():
            if replica.fits(each.table, column, value):
                columns[column] = value
            else:
                left_out.append(f"{each.table}.{column}")
        if columns:
            made.add_op(Update(each.table, each.row, columns).to_json())
    return made, left_out


class _ReplicaTable(Mapping[Uuid, Row]):
    """Gives the same object for as long as a row is the same."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._rows: dict[Uuid, tuple[Any, Row]] = {}

    def __getitem__(self, uuid: Uuid) -> Row:
        try:
            found = self._table.rows[uuids.UUID(uuid)]
        except (KeyError, ValueError):
            raise KeyError(uuid) from None
        known = self._rows.get(uuid)
        if known is None or known[0] is not found:
            known = self._rows[uuid] = found, self._row(found)
        return known[1]

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

    def _row(self, row: Any) -> Row:
        # The library holds nothing for what is not set.
        data = dict(dict.items(row._data))
        return {
            name: _plain(data[name] if name in data else Datum.default(column.type))
            for name, column in self._table.columns.items()
        }


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
