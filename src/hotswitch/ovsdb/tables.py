"""The committed rows of a table, and what is kept to find them and their references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hotswitch.ovsdb.changes import Change
from hotswitch.ovsdb.schema import Column, Reference, TableSchema
from hotswitch.ovsdb.sets import removed_added
from hotswitch.ovsdb.values import UUID_INDEX, Datum, Row, Uuid


class Table:
    """The rows, with the number of strong references to each, who refers weakly to it,
    and the rows by the values of each index."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.rows: dict[Uuid, Row] = {}
        self.strong: dict[Uuid, int] = {}
        self.weak: dict[Uuid, dict[tuple[str, Uuid], int]] = {}
        self.indexes: list[dict[tuple[Datum, ...], Uuid]] = [{} for _ in schema.indexes]

    def find(self, equal: Mapping[Column, Datum]) -> list[Uuid] | None:
        """Return the rows that can have these values, or None if no index tells."""
        for index, uuids in zip(self.schema.indexes, self.indexes, strict=True):
            if all(column in equal for column in index):
                uuid = uuids.get(tuple([equal[column] for column in index]))
                return [] if uuid is None else [uuid]
        return None

    def apply(self, changes: Mapping[Uuid, Change]) -> None:
        """Take over new rows, and bring the indexes up to date."""
        for uuid, (_, new) in changes.items():
            if new is None:
                del self.rows[uuid]
            else:
                self.rows[uuid] = new
        for index, uuids in zip(self.schema.indexes, self.indexes, strict=True):
            # Old keys first: two rows may have exchanged theirs.
            for old, _ in changes.values():
                if old is not None:
                    uuids.pop(index_key(index, old), None)
            for uuid, (_, new) in changes.items():
                if new is not None:
                    uuids[index_key(index, new)] = uuid

    def set_strong(self, counts: Mapping[Uuid, int]) -> None:
        """Take over new numbers of strong references."""
        for uuid, count in counts.items():
            if count:
                self.strong[uuid] = count
            else:
                self.strong.pop(uuid, None)

    def count_weak(self, target: Uuid, source: tuple[str, Uuid], delta: int) -> None:
        """Note that `source` has more or fewer weak references to `target`."""
        sources = self.weak.setdefault(target, {})
        count = sources.get(source, 0) + delta
        if count:
            sources[source] = count
        else:
            del sources[source]
            if not sources:
                del self.weak[target]


def index_key(index: tuple[Column, ...], row: Row) -> tuple[Datum, ...]:
    """Return a row's values of the columns of an index."""
    return tuple([row[column.index] for column in index])


def reference_changes(
    references: tuple[Reference, ...], old: Row | None, new: Row | None
) -> Iterator[tuple[Reference, Uuid, int]]:
    """Yield each reference that a row loses (-1) or gains (1). Self-references don't count."""
    row = old if new is None else new
    if row is None:
        return
    itself = row[UUID_INDEX][0]
    for reference in references:
        index = reference.column.index
        before = () if old is None else old[index]
        after = () if new is None else new[index]
        if before is after or before == after:
            continue
        removed, added = removed_added(before, after)
        for members, delta in ((removed, -1), (added, 1)):
            for member in members:
                target = reference.target(member)
                if target != itself:
                    yield reference, target, delta
