"""The replica that the `ovs` library keeps of an external database, and its tables.

The library parses and follows; the connection is hotswitch's own (`ovsdb.caller`), because the
library's can't look up names, spins during a TLS handshake, cuts characters in two, and reads JSON
one character at a time.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Iterable
from typing import Any

import msgspec
import ovs.db.error
from ovs.db.idl import ROW_UPDATE, Idl, SchemaHelper, Transaction

from hotswitch.base.errors import HotswitchError
from hotswitch.config.columns import WRITTEN
from hotswitch.config.follow import News
from hotswitch.config.idl_rows import ReplicaTable
from hotswitch.config.idl_session import LibrarySession
from hotswitch.config.operations import Update
from hotswitch.config.rows import Tables, Uuid
from hotswitch.ovsdb.caller import Caller

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
        self._session: Any = LibrarySession(caller, self._why_unfit)
        self.lock_name = lock  # it is asked for whenever a connection begins
        self._view = {name: ReplicaTable(table) for name, table in self.tables.items()}
        self._written_by_others = False
        self._anything = False
        self._rows: dict[str, set[Uuid]] | None = None

    @property
    def view(self) -> Tables:
        """The tables as they are, live."""
        return self._view

    @property
    def is_current(self) -> bool:
        """Whether it follows the database now, and may write to it."""
        return bool(
            self.state == self.IDL_S_MONITORING and self.has_lock and not self._session.is_amid
        )

    @property
    def is_amid(self) -> bool:
        """Whether it has taken in a change only partly yet: its tables mean nothing just now."""
        return bool(self._session.is_amid)

    @property
    def told_version(self) -> str:
        """The version of the schema that the server tells its clients; empty if it tells none.

        ovsdb-server 3.1 goes on telling the one from before a conversion, and ovs-vsctl by it.
        """
        for row in self._server_rows():
            if row.name == self._db.name:
                try:
                    return str(msgspec.json.decode(row.schema[0])["version"])
                except (msgspec.MsgspecError, IndexError, KeyError, TypeError):
                    return ""
        return ""

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        """The library has changed a row."""
        table = row._table.name
        if table in self._view:
            uuid = str(row.uuid)
            self._view[table].forget(uuid)
            if self._rows is not None:
                self._rows.setdefault(table, set()).add(uuid)
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

    def take_rows(self) -> News | None:
        """The rows that have changed since the last time; None: any may have."""
        rows, self._rows = self._rows, {}
        return rows

    def forget_rows(self) -> None:
        """All of it may be other than before."""
        self._rows = None

    def _why_unfit(self) -> str:
        """Why the library wants another server."""
        for row in self._server_rows():
            if row.name == self._db.name:
                if not row.connected:
                    return "has no contact with its cluster"
                return "is not the cluster's leader" if not row.leader else "has stale data"
        return f"has no database {self._db.name}"

    def _server_rows(self) -> Iterable[Any]:
        """What the server says of its databases, as far as it does."""
        servers = self.server_tables or {}
        return servers["Database"].rows.values() if "Database" in servers else ()


def transaction(replica: Replica, updates: Iterable[Update]) -> Transaction:
    """A transaction with these changes, to be committed. Rows that have gone are left out."""
    made = Transaction(replica)
    for each in updates:
        if uuids.UUID(each.row) in replica.tables[each.table].rows:
            made.add_op(each.to_json())
    return made
