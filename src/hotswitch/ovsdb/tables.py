"""The committed rows of a table, and what is kept to find them and their references."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from operator import itemgetter

from hotswitch.ovsdb.changes import Change
from hotswitch.ovsdb.schema import Column, Reference, TableSchema
from hotswitch.ovsdb.sets import removed_added
from hotswitch.ovsdb.values import UUID_INDEX, Datum, Row, Uuid


class Index:
    """The rows by their values of some columns.

    key: the values of a row, as `rows` knows them.
    """

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns
        self.rows: dict[Hashable, Uuid] = {}
        self.key: Callable[[Row], Hashable] = itemgetter(*[column.index for column in columns])

    def find(self, equal: Mapping[Column, Datum]) -> list[Uuid] | None:
        """Return the rows that can have these values; None if that doesn't tell."""
        values = [equal[column] for column in self.columns if column in equal]
        if len(values) < len(self.columns):
            return None
        # As `itemgetter` does: one value is the key itself.
        uuid = self.rows.get(values[0] if len(values) == 1 else tuple(values))
        return [] if uuid is None else [uuid]

    def apply(self, changes: Mapping[Uuid, Change]) -> None:
        """Take over new rows."""
        key, rows = self.key, self.rows
        # Old keys first: two rows may have exchanged theirs.
        for old, _ in changes.values():
            if old is not None:
                rows.pop(key(old), None)
        for uuid, (_, new) in changes.items():
            if new is not None:
                rows[key(new)] = uuid


class Table:
    """The rows, with the number of strong references to each, who refers weakly to it,
    and the rows by the values of each index."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = schema
        self.rows: dict[Uuid, Row] = {}
        self.strong: dict[Uuid, int] = {}
        self.weak: dict[Uuid, dict[tuple[str, Uuid], int]] = {}
        self.indexes = [Index(columns) for columns in schema.indexes]

    def find(self, equal: Mapping[Column, Datum]) -> list[Uuid] | None:
        """Return the rows that can have these values, or None if no index tells."""
        for index in self.indexes:
            found = index.find(equal)
            if found is not None:
                return found
        return None

    def apply(self, changes: Mapping[Uuid, Change]) -> None:
        """Take over new rows, and bring the indexes up to date."""
        for uuid, (_, new) in changes.items():
            if new is None:
                del self.rows[uuid]
            else:
                self.rows[uuid] = new
        for index in self.indexes:
            index.apply(changes)

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


def reference_changes(
    references: tuple[Reference, ...], old: Row | None, new: Row | None
) -> list[tuple[Reference, Uuid, int]]:
    """Return each reference that a row loses (-1) or gains (1). Self-references don't count."""
    changes: list[tuple[Reference, Uuid, int]] = []
    for reference in references:
        index = reference.index
        before = () if old is None else old[index]
        after = () if new is None else new[index]
        # The length tells of most large sets; a tuple's comparison begins with the members.
        if before is after or (len(before) == len(after) and before == after):
            continue
        row = old if new is None else new
        itself = None if row is None else row[UUID_INDEX][0]
        part = reference.part
        removed, added = removed_added(before, after)
        for members, delta in ((removed, -1), (added, 1)):
            for member in members:
                target = member if part is None else member[part]
                if target != itself:
                    changes.append((reference, target, delta))
    return changes
