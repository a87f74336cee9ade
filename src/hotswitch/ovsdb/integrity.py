"""What a commit checks and completes: references, garbage, limits and indexes.

The order is Open vSwitch's, because it decides which error a client sees: strong
references, garbage collection, number of rows, weak references, indexes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hotswitch.ovsdb.atoms import violation
from hotswitch.ovsdb.changes import Change
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.schema import ROWS_MAX, Column, Reference
from hotswitch.ovsdb.tables import reference_changes
from hotswitch.ovsdb.transaction import TableView, Transaction
from hotswitch.ovsdb.uniqueness import check_uniqueness
from hotswitch.ovsdb.values import UUID_INDEX, VERSION_INDEX, ZERO_UUID, Row, Uuid, new_uuid


@dataclass
class Settled:
    """A transaction that may be committed.

    `strong`: the new numbers of strong references, where they changed.
    `weak`: changes of weak references: target table, target, source table and row, and how
    many more.
    """

    tables: dict[str, dict[Uuid, Change]] = field(default_factory=dict)
    strong: dict[str, dict[Uuid, int]] = field(default_factory=dict)
    weak: list[tuple[str, Uuid, tuple[str, Uuid], int]] = field(default_factory=list)


def settle(transaction: Transaction) -> Settled:
    """Complete a transaction and check it; raise `OvsdbError` if it can't be committed."""
    _drop_unchanged(transaction)
    settled = Settled()
    if not any(view.changed for view in transaction.views.values()):
        return settled
    counts = _Counts(transaction)
    counts.count()
    counts.check()
    counts.collect(counts.garbage())
    for view in transaction.views.values():
        if view.schema.max_rows != ROWS_MAX:
            _check_number(view)
    while garbage := _drop_dangling(transaction, counts):
        counts.collect(garbage)
    for view in transaction.views.values():
        check_uniqueness(view)
    for name, view in transaction.views.items():
        if view.changed:
            settled.tables[name] = _finish(view)
    settled.strong = counts.of
    settled.weak = _weak_changes(transaction, settled)
    return settled


def _drop_unchanged(transaction: Transaction) -> None:
    unchanged = []
    for view in transaction.views.values():
        rows = view.table.rows
        for uuid, row in view.changed.items():
            if row is not None and row == rows.get(uuid):
                unchanged.append((view, uuid))
    for view, uuid in unchanged:
        del view.changed[uuid]


class _Counts:
    """The numbers of strong references that this transaction changes."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.of: dict[str, dict[Uuid, int]] = {}

    def _add(self, view: TableView, uuid: Uuid, delta: int) -> int:
        counts = self.of.setdefault(view.schema.name, {})
        count = counts.get(uuid)
        if count is None:
            count = view.table.strong.get(uuid, 0)
        counts[uuid] = count + delta
        return count + delta

    def count(self) -> None:
        """Count the references gained and lost; one to no row at all is an error."""
        for view in list(self._transaction.views.values()):
            strong, rows = view.schema.strong, view.table.rows
            if not strong:
                continue
            for uuid, new in view.changed.items():
                for reference, target, delta in reference_changes(strong, rows.get(uuid), new):
                    there = self._transaction.of(reference.table)
                    if delta > 0 and not there.known(target):
                        raise _nonexistent(view, reference.column, uuid, target, reference.table)
                    self._add(there, target, delta)

    def check(self) -> None:
        """Refuse to delete what is still referred to."""
        for name, view in self._transaction.views.items():
            for uuid, row in view.changed.items():
                if row is None:
                    count = self._number(name, uuid)
                    if count:
                        raise OvsdbError(
                            "referential integrity violation",
                            f"cannot delete {name} row {uuid} because of {count} "
                            "remaining reference(s)",
                        )

    def _number(self, table: str, uuid: Uuid) -> int:
        count = self.of.get(table, {}).get(uuid)
        return self._transaction.of(table).table.strong.get(uuid, 0) if count is None else count

    def garbage(self) -> list[tuple[str, Uuid]]:
        """Return the rows that this transaction left without references."""
        garbage: list[tuple[str, Uuid]] = []
        for name, view in self._transaction.views.items():
            if view.schema.is_root:
                continue
            counts, strong = self.of.get(name, {}), view.table.strong
            unheard = [u for u in view.changed if u not in counts and u not in strong]
            left = [uuid for uuid, count in counts.items() if not count]
            garbage += [(name, uuid) for uuid in (*unheard, *left)]
        return garbage

    def collect(self, garbage: list[tuple[str, Uuid]]) -> None:
        """Delete rows, and those that this leaves without references."""
        while garbage:
            name, uuid = garbage.pop()
            view = self._transaction.of(name)
            row = view.get(uuid)
            if row is None:
                continue
            view.delete(uuid)
            garbage += self.release(view, row, None)

    def release(self, view: TableView, old: Row, new: Row | None) -> list[tuple[str, Uuid]]:
        """Count what a row no longer refers to; return what that leaves as garbage."""
        garbage = []
        for reference, target, delta in reference_changes(view.schema.strong, old, new):
            there = self._transaction.of(reference.table)
            left = self._add(there, target, delta)
            if left == 0 and not there.schema.is_root:
                garbage.append((reference.table, target))
        return garbage


def _nonexistent(
    view: TableView, column: Column, uuid: Uuid, target: Uuid, table: str
) -> OvsdbError:
    return OvsdbError(
        "referential integrity violation",
        f"Table {view.schema.name} column {column.name} row {uuid} "
        f"references nonexistent row {target} in table {table}.",
    )


def _check_number(view: TableView) -> None:
    limit = view.schema.max_rows
    if view.count > limit:
        raise violation(
            f'transaction causes "{view.schema.name}" table to contain {view.count} rows, '
            f"greater than the schema-defined limit of {limit} row(s)"
        )


def _drop_dangling(transaction: Transaction, counts: _Counts) -> list[tuple[str, Uuid]]:
    """Drop weak references to rows that don't exist; return what garbage that makes.

    (It makes some only where one pair of a map is a weak and a strong reference.)
    """
    garbage: list[tuple[str, Uuid]] = []
    for name, uuid in _weak_sources(transaction):
        view = transaction.of(name)
        row = view.get(uuid)
        if row is None:
            continue
        for reference in view.schema.weak:
            pruned = _prune(transaction, view, row, reference)
            if pruned is not row:
                garbage += counts.release(view, row, pruned)
                row = pruned
                view.put(uuid, row)
        if row == view.table.rows.get(uuid):
            view.changed.pop(uuid, None)
    return garbage


def _weak_sources(transaction: Transaction) -> list[tuple[str, Uuid]]:
    """Return the rows whose weak references may dangle."""
    sources: list[tuple[str, Uuid]] = []
    for name, view in transaction.views.items():
        weak = view.table.weak
        for uuid, row in view.changed.items():
            if row is None:
                sources += weak.get(uuid, ())
            elif view.schema.weak:
                sources.append((name, uuid))
    return sources


def _prune(transaction: Transaction, view: TableView, row: Row, reference: Reference) -> Row:
    index = reference.column.index
    datum = row[index]
    if not datum:
        return row
    target = transaction.of(reference.table)
    kept = tuple([m for m in datum if target.get(reference.target(m)) is not None])
    if len(kept) == len(datum):
        return row
    if len(kept) < reference.column.type.minimum:
        dropped = {reference.target(member) for member in datum} - set(kept)
        raise _empty(view, row, reference.column, len(datum) - len(kept), ZERO_UUID in dropped)
    return (*row[:index], kept, *row[index + 1 :])


def _empty(view: TableView, row: Row, column: Column, number: int, zero: bool) -> OvsdbError:
    """Return the error for a column that can't be left without its weak references."""
    uuid = row[UUID_INDEX][0]
    inserted = uuid not in view.table.rows
    if zero and inserted:
        # "volation" is what Open vSwitch says, and clients may compare.
        return violation(
            f'Weak reference column "{column.name}" in "{view.schema.name}" row {uuid} '
            "(inserted within this transaction) contained all-zeros UUID (probably as the "
            "default value for this column) but deleting this value caused a constraint "
            "volation because this column is not allowed to be empty."
        )
    where = "(inserted within this transaction) " if inserted else ""
    return violation(
        f"Deletion of {number} weak reference(s) to deleted (or never-existing) rows from "
        f'column "{column.name}" in "{view.schema.name}" row {uuid} {where}caused this column '
        "to become empty, but constraints on this column disallow an empty column."
    )


def _finish(view: TableView) -> dict[Uuid, Change]:
    """Return what changed in a table, with new versions of the modified rows."""
    changes = {}
    rows = view.table.rows
    for uuid, new in view.changed.items():
        old = rows.get(uuid)
        if new is not None and old is not None:
            versioned = list(new)
            versioned[VERSION_INDEX] = (new_uuid(),)
            new = tuple(versioned)
        changes[uuid] = Change(old, new)
    return changes


def _weak_changes(
    transaction: Transaction, settled: Settled
) -> list[tuple[str, Uuid, tuple[str, Uuid], int]]:
    return [
        (reference.table, target, (name, uuid), delta)
        for name, changes in settled.tables.items()
        if (weak := transaction.of(name).schema.weak)
        for uuid, (old, new) in changes.items()
        for reference, target, delta in reference_changes(weak, old, new)
    ]
