"""Changes of some tables in the log, for whoever asks (`ovsdb-server/tlog-set`)."""

from __future__ import annotations

import logging

from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.storage import Storage

_log = logging.getLogger(__name__)


class TransactionLog:
    """Add `committed` to the databases' observers."""

    def __init__(self) -> None:
        self._tables: set[tuple[str, str]] = set()

    def set(self, database: str, table: str, *, logged: bool) -> None:
        """Log a table's changes from now on, or no more."""
        if logged:
            self._tables.add((database, table))
        else:
            self._tables.discard((database, table))

    def logs(self, database: str, table: str) -> bool:
        """Whether a table's changes are logged."""
        return (database, table) in self._tables

    def committed(self, storage: Storage, changes: Changes | None) -> None:
        """Log a commit, a line for each row."""
        if changes is None or not self._tables:
            return
        for table, rows in changes.tables.items():
            if not self.logs(storage.name, table):
                continue
            for uuid, change in rows.items():
                what = "insert" if change.old is None else "update" if change.new else "delete"
                where = {"database": storage.name, "table": table, "row": str(uuid)}
                _log.info("%s", what, extra=where)
