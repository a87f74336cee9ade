"""A client's monitor of a database: what it is told at first, and after each commit.

Monitors that ask the same share the work: each change set is translated and encoded once
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import msgspec

from hotswitch.ovsdb.changes import Change, Changes
from hotswitch.ovsdb.conditions import Condition
from hotswitch.ovsdb.database import Database
from hotswitch.ovsdb.initial_rows import InitialRows
from hotswitch.ovsdb.monitor_requests import Watched, conditions_from_json, watched_from_json
from hotswitch.ovsdb.row_updates import RowUpdate, Teller
from hotswitch.ovsdb.values import ZERO_UUID, Json, Uuid


class Method(Enum):
    """The methods that start a monitor. The first has updates in RFC 7047's form and no
    conditions."""

    MONITOR = "monitor"
    MONITOR_COND = "monitor_cond"
    MONITOR_COND_SINCE = "monitor_cond_since"


class View:
    """What monitors see that ask the same in the same form. Equal views are one object."""

    def __init__(self, watched: Mapping[str, Watched], *, differences: bool) -> None:
        self.watched = watched
        self.differences = differences
        self._tellers = {name: Teller(table, table) for name, table in watched.items()}
        self._initial = {
            name: InitialRows(watched[name], each.initial2 if differences else each.initial)
            for name, each in self._tellers.items()
        }

    @staticmethod
    def of(database: Database, watched: Mapping[str, Watched], *, differences: bool) -> View:
        """Return the view of a database that shows `watched`."""
        key = (differences, frozenset(watched.values()))
        view = database.shared.get(key)
        if not isinstance(view, View):
            view = database.shared[key] = View(watched, differences=differences)
        return view

    def update(self, changes: Changes) -> Json | None:
        """Return the updates that tell of `changes`, or None if none of it is seen."""
        if self not in changes.memo:
            updates: dict[str, Json] = {}
            for name, teller in self._tellers.items():
                rows = changes.tables.get(name)
                if rows:
                    tell = teller.update2 if self.differences else teller.update
                    _put(updates, name, tell, rows.items())
            changes.memo[self] = updates or None
        return changes.memo[self]

    def encoded(self, changes: Changes, *, since: bool) -> bytes | None:
        """Return `update` as JSON text, or None; `since`: after the transaction's identifier."""
        key = self, since
        try:
            encoded: bytes | None = changes.memo[key]
        except KeyError:
            update = self.update(changes)
            encoded = None if update is None else msgspec.json.encode(update)
            if encoded is not None and since:
                encoded = b'"%b",%b' % (changes.transaction_id.encode(), encoded)
            changes.memo[key] = encoded
        return encoded

    def initial(self, database: Database) -> bytes:
        """Return the updates that tell of the whole content, as JSON text."""
        if self in database.recent:
            database.recent.remove(self)
        database.recent.append(self)
        tables = [
            b'"%b":%b' % (name.encode(), told)
            for name, rows in self._initial.items()
            if (told := rows.encoded(database.table(name)))
        ]
        return b"{%b}" % b",".join(tables)

    def turn_into(self, after: View, database: Database) -> Json | None:
        """Return the updates that lead from this view of the content to another, or None."""
        updates: dict[str, Json] = {}
        for name, watched in self.watched.items():
            if watched != after.watched[name]:
                teller = Teller(watched, after.watched[name])
                tell = teller.update2 if self.differences else teller.update
                _put(updates, name, tell, _unchanged(database, name))
        return updates or None


def _put(
    updates: dict[str, Json], name: str, tell: RowUpdate, rows: Iterable[tuple[Uuid, Change]]
) -> None:
    table = {uuid: told for uuid, (old, new) in rows if (told := tell(old, new)) is not None}
    if table:
        updates[name] = table


def _unchanged(database: Database, name: str) -> Iterable[tuple[Uuid, Change]]:
    return ((uuid, Change(row, row)) for uuid, row in database.table(name).items())


class Monitor:
    """One monitor. The caller wraps what it returns in `update`, `update2` or `update3`.

    Raises `OvsdbError` if `requests` are bad.
    """

    def __init__(self, database: Database, method: Method, requests: Json) -> None:
        self.method = method
        self._database = database
        conditional = method is not Method.MONITOR
        watched = watched_from_json(database.schema, requests, conditional=conditional)
        self._view = View.of(database, watched, differences=conditional)

    def initial(self) -> msgspec.Raw:
        """Return the `<table-updates>` of the reply: the content as it is now."""
        return msgspec.Raw(self._view.initial(self._database))

    def since(self, transaction_id: Uuid) -> tuple[bool, Uuid, Json]:
        """Return the reply to `monitor_cond_since`.

        Whether `transaction_id` is still known, the present one, and what has changed since
        then (or the content).
        """
        changes = None
        if transaction_id != ZERO_UUID:
            changes = self._database.changes_since(transaction_id)
        if changes is None:
            return False, self._database.transaction_id, self.initial()
        return True, self._database.transaction_id, self._view.update(changes) or {}

    def update(self, changes: Changes) -> Json | None:
        """Return the `<table-updates>` to notify of a commit, or None if there is nothing.

        Monitors that ask the same get the same object; don't change it.
        """
        return self._view.update(changes)

    def encoded_update(self, changes: Changes) -> bytes | None:
        """Return what the notification of a commit has after the monitor's identifier, as JSON
        text, or None; made once for all monitors that ask the same."""
        return self._view.encoded(changes, since=self.method is Method.MONITOR_COND_SINCE)

    def change_conditions(self, requests: Json) -> Json | None:
        """Take new conditions; return the `<table-updates2>` to notify, or None.

        Raises `OvsdbError` if the requests are bad; then nothing has changed.
        """
        watched = self._view.watched
        conditions = conditions_from_json(watched, self._database.schema, requests)
        if not self._view.differences:
            return None
        changed = {name: _with(table, conditions.get(name)) for name, table in watched.items()}
        before = self._view
        self._view = View.of(self._database, changed, differences=True)
        return before.turn_into(self._view, self._database)


def _with(watched: Watched, condition: Condition | None) -> Watched:
    return watched if condition is None else watched.with_condition(condition)
