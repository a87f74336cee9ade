"""One database: its schema, its rows, and transactions on them.

The engine does no input or output. A caller passes operations in, gets the reply's
results and the change set out, and does with the change set what it wants: write it to
the log (`Changes.to_json`), notify monitors (`Monitor.update`), act on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn
from weakref import WeakValueDictionary

import msgspec

from hotswitch.ovsdb.changes import Change, Changes
from hotswitch.ovsdb.convert import convert_rows
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.glance import is_met
from hotswitch.ovsdb.history import History
from hotswitch.ovsdb.integrity import Settled, settle
from hotswitch.ovsdb.operations import Execution, UnsatisfiedWaitError, execute
from hotswitch.ovsdb.records import read_record
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.tables import Table, reference_changes
from hotswitch.ovsdb.transaction import Transaction
from hotswitch.ovsdb.values import Json, Row, Uuid, new_uuid

_KEPT = 4


class Waiting(msgspec.Struct, frozen=True):
    """A `wait` is unsatisfied: transact again after the next change of the database,
    and when `timeout` milliseconds have passed since the first try.

    `timeout` is None where the client set none.
    """

    timeout: int | None


class Outcome(msgspec.Struct, frozen=True):
    """What became of one transaction.

    `results`: the reply's array (RFC 7047 section 4.1.3), complete, errors included; empty
    while `waiting`.
    `changes`: what was committed; None if nothing changed, or on an error.
    `durable`: a `commit` operation asked that the reply wait for the disk.
    `comment`: all comments, joined by newlines, for the log.
    `waiting`: not None if nothing was done because of an unsatisfied `wait`.
    """

    results: list[Json]
    changes: Changes | None = None
    durable: bool = False
    comment: str = ""
    waiting: Waiting | None = None


class Database:
    """Tables of rows under a schema. A failed transaction leaves no trace."""

    def __init__(self, schema: DatabaseSchema) -> None:
        self.schema = schema
        #: Identifies the present content; a new one after each commit.
        self.transaction_id: Uuid = new_uuid()
        #: What equal monitors share, while there are any.
        self.shared: WeakValueDictionary[Hashable, object] = WeakValueDictionary()
        #: The latest of it, kept for who asks the same next.
        self.recent: deque[object] = deque(maxlen=_KEPT)
        self._tables = {name: Table(table) for name, table in schema.tables.items()}
        self._history = History()

    def table(self, name: str) -> Mapping[Uuid, Row]:
        """Return the rows of a table as they are now: a live, read-only view."""
        return MappingProxyType(self._tables[name].rows)

    def transact(
        self,
        operations: Sequence[Json],
        *,
        read_only: bool = False,
        elapsed: int = 0,
        owns_lock: Callable[[str], bool] = lambda name: False,
    ) -> Outcome:
        """Execute `operations` (without the database's name) and commit them.

        Bad input raises nothing: errors are in the results. The changes are in force in
        memory on return; hold the reply and the monitors' updates back until the log has
        them, and if the log can't take them, `revert` them, latest first.

        `elapsed`: milliseconds since the first try, for a transaction that waits.
        `owns_lock`: whether the session owns the lock of this name, for `assert`.
        """
        transaction = Transaction(self._tables)
        execution = Execution(transaction, elapsed, owns_lock)
        results: list[Json] = []
        reserved = self.schema.name.startswith("_")
        try:
            for number, operation in enumerate(operations, 1):
                if is_met(transaction, operation):
                    execution.timeout = 0
                    results.append({})
                    continue
                name = f"ovsdb operation {number} of {len(operations)}"
                result, op, reads = execute(execution, operation, name)
                if not reads and (read_only or reserved):
                    self._refuse(op, read_only)
                results.append(result)
        except UnsatisfiedWaitError:
            return Outcome([], waiting=Waiting(execution.timeout))
        except OvsdbError as error:
            results.append(error.to_json())
            results += [None] * (len(operations) - len(results))
            return Outcome(results)
        try:
            changes = self._commit(settle(transaction))
        except OvsdbError as error:
            return Outcome([*results, error.to_json()])
        comment = "\n".join(transaction.comments)
        return Outcome(results, changes, transaction.durable, comment)

    def _refuse(self, op: str, read_only: bool) -> NoReturn:
        if read_only:
            what = "when database server is in read only mode"
        else:
            what = f"on table in reserved database {self.schema.name}"
        raise OvsdbError("not allowed", f"{op} operation not allowed {what}")

    def _commit(self, settled: Settled) -> Changes | None:
        if not any(settled.tables.values()):
            return None
        changes = Changes(self.schema, settled.tables, new_uuid(), self.transaction_id)
        for name, rows in settled.tables.items():
            self._tables[name].apply(rows)
        for name, counts in settled.strong.items():
            self._tables[name].set_strong(counts)
        for name, target, source, delta in settled.weak:
            self._tables[name].count_weak(target, source, delta)
        self.transaction_id = changes.transaction_id
        self._history.add(changes, self._number_of_rows)
        return changes

    def _number_of_rows(self) -> int:
        return sum(len(table.rows) for table in self._tables.values())

    def write(self, tables: Mapping[str, Mapping[Uuid, Row | None]]) -> Changes | None:
        """Commit rows as they are, None for those to delete: for what keeps a database
        itself, such as the server's own.

        Raises `OvsdbError` if they violate the schema; then nothing has changed.
        """
        transaction = Transaction(self._tables)
        for name, rows in tables.items():
            transaction.of(name).changed.update(rows)
        return self._commit(settle(transaction))

    def replay(self, record: Json) -> Changes | None:
        """Commit one transaction record of a log (see `Changes.to_json`; `_date` and `_comment`
        are not looked at).

        Raises `OvsdbError` if the record doesn't fit; then nothing has changed.
        """
        transaction = Transaction(self._tables)
        read_record(transaction, record)
        return self._commit(settle(transaction))

    def convert(self, schema: DatabaseSchema) -> Database:
        """Return a new database with this one's content under `schema`.

        Raises `OvsdbError` if the content doesn't fit. This one isn't touched.
        """
        if schema.name != self.schema.name:
            raise OvsdbError(
                "invalid parameters",
                f"new schema name ({schema.name}) does not match "
                f"database name ({self.schema.name})",
            )
        converted = Database(schema)
        converted.write(
            {
                name: dict(convert_rows(table.schema, schema.tables[name], table.rows.values()))
                for name, table in self._tables.items()
                if name in schema.tables
            }
        )
        return converted

    def revert(self, changes: Changes) -> None:
        """Undo `changes`, the latest commit."""
        if changes.transaction_id != self.transaction_id:
            raise ValueError("only the latest commit can be reverted")
        inverse = changes.inverse()
        for name, rows in inverse.tables.items():
            table = self._tables[name]
            table.apply(rows)
            for uuid, (old, new) in rows.items():
                for reference, target, delta in reference_changes(table.schema.strong, old, new):
                    strong = self._tables[reference.table].strong
                    strong[target] = strong.get(target, 0) + delta
                for reference, target, delta in reference_changes(table.schema.weak, old, new):
                    self._tables[reference.table].count_weak(target, (name, uuid), delta)
        self.transaction_id = inverse.transaction_id
        self._history.remove(changes)

    def changes_since(self, transaction_id: Uuid) -> Changes | None:
        """Return what has changed since then, or None if that is too long ago."""
        if transaction_id == self.transaction_id:
            return Changes(self.schema, {}, transaction_id, transaction_id)
        return self._history.since(transaction_id)

    def snapshot(self) -> Changes:
        """Return the whole content as one change set of insertions.

        It doesn't change when the database does; its `to_json` is the compacted log's record.
        """
        tables = {
            name: {uuid: Change(None, row) for uuid, row in table.rows.items()}
            for name, table in self._tables.items()
        }
        return Changes(self.schema, tables, self.transaction_id, self.transaction_id)
