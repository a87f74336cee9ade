"""One database: its schema, its rows, and transactions on them.

The engine does no input or output. A caller passes operations in, gets the reply's
results and the change set out, and does with the change set what it wants: write it to
the log (`changes.to_json`), notify monitors (`monitor.Monitor.update`), act on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.values import Json, Row, Uuid


@dataclass(frozen=True)
class Waiting:
    """A `wait` is unsatisfied: transact again after the next change of the database,
    and when `timeout` milliseconds have passed since the first try.

    `timeout` is None where the client set none.
    """

    timeout: int | None


@dataclass(frozen=True)
class Outcome:
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

    def __init__(
        self, schema: DatabaseSchema, *, new_uuid: Callable[[], Uuid] = ...
    ) -> None: ...

    schema: DatabaseSchema

    #: Identifies the present content; a new one after each commit. `monitor_cond_since`.
    transaction_id: Uuid

    def transact(
        self,
        operations: Sequence[Json],
        *,
        read_only: bool = False,
        elapsed: int = 0,
        owns_lock: Callable[[str], bool] = ...,
    ) -> Outcome:
        """Execute `operations` (without the database's name) and commit them.

        Never raises on bad input: errors are in the results. The changes are in force in
        memory on return; hold the reply and the monitors' updates back until the log has
        them, and if the log can't take them, `revert` them, latest first.

        `elapsed`: milliseconds since the first try, for a transaction that waits.
        `owns_lock`: whether the session owns the lock of this name, for `assert`.
        """

    def revert(self, changes: Changes) -> None:
        """Undo `changes`, the latest commit."""

    def replay(self, record: Json) -> Changes | None:
        """Commit one transaction record of the log (`changes.to_json`'s form, with or
        without `_is_diff`; `_date` and `_comment` are ignored).

        Raises `OvsdbError` if it doesn't fit; then nothing has changed.
        """

    def table(self, name: str) -> Mapping[Uuid, Row]:
        """Return the rows of a table, as they are now (a live, read-only view)."""

    def snapshot(self) -> Changes:
        """Return the whole content as one change set of insertions. It shares the rows and
        doesn't change when the database does; `to_json` of it is the compacted log."""

    def convert(self, schema: DatabaseSchema) -> Database:
        """Return a new database with this one's content under `schema`.

        Raises `OvsdbError` if the content doesn't fit. This one isn't touched.
        """


# changes.py
#
# @dataclass(frozen=True)
# class Change: old: Row | None; new: Row | None
# class Changes:
#     schema: DatabaseSchema
#     tables: Mapping[str, Mapping[Uuid, Change]]
#     transaction_id: Uuid          (the database's after the commit)
#     def to_json(self, *, comment: str = "", date: int | None = None) -> Json
#         (the log's record: differences for sets and maps and `_is_diff`; `date` in ms since
#          the epoch; None if no persistent column changed: nothing to log)
#     def then(self, later: Changes) -> Changes     (both as one, to coalesce for slow readers)
#     memo: dict                                   (what is derived from it, shared by monitors)
#
# monitor.py
#
# class Method(Enum): MONITOR, MONITOR_COND, MONITOR_COND_SINCE
# class Monitor:
#     def __init__(self, database: Database, method: Method, requests: Json) -> None
#         (raises OvsdbError on bad requests)
#     def initial(self) -> Json     (`<table-updates>` or `<table-updates2>` for the reply)
#     def since(self, transaction_id: Uuid) -> tuple[bool, Uuid, Json]
#         (the reply of monitor_cond_since: [found, last-txn-id, updates])
#     def update(self, changes: Changes) -> Json | None
#         (the updates to notify, None if this monitor sees nothing of it)
#     def encoded_update(self, changes: Changes) -> bytes | None
#         (the same as JSON text, computed once for all monitors that ask the same)
#     def change_conditions(self, requests: Json) -> Json | None
#         (monitor_cond_change; the update to notify; raises OvsdbError, then nothing changed)
# The caller wraps these in `update`, `update2` (MONITOR_COND) or `update3`
# (MONITOR_COND_SINCE; with changes.transaction_id).
#
# schema.py
#
# DatabaseSchema.from_json(json) / .to_json(); .name .version .cksum .tables
# schemas/: load("Open_vSwitch"), load("_Server") -> DatabaseSchema
