"""What a monitor is told of one row: `<row-update>` of RFC 7047 section 4.1.6, and Open
vSwitch's `<row-update2>`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from hotswitch.ovsdb.monitor_requests import Event, Watched
from hotswitch.ovsdb.rows import row_to_json
from hotswitch.ovsdb.schema import Column
from hotswitch.ovsdb.values import Datum, Json, Row

#: From the row before and after to what to tell, or None for nothing.
RowUpdate: TypeAlias = Callable[[Row | None, Row | None], Json]

#: A column's name and place, how it is written, its default, and how that is written.
_Written: TypeAlias = tuple[str, int, Callable[[Datum], Json], Datum, Json]


class Teller:
    """Tells what happened to rows of one table, as one monitor sees it.

    `before` is what the monitor saw until now, `after` what it sees from now on; they differ
    while its condition changes.
    """

    def __init__(self, before: Watched, after: Watched) -> None:
        self._before = before
        self._after = after
        self._columns = [column.index for column, _ in after.columns]
        self._deleted = after.shown(Event.DELETE)
        self._modified = after.shown(Event.MODIFY)
        self._inserted = _written(after.shown(Event.INSERT))
        self._initial = _written(after.shown(Event.INITIAL))

    def _event(self, old: Row | None, new: Row | None) -> Event | None:
        """Return what happened in the monitor's eyes, or None if it needn't know."""
        was, is_ = self._before.sees(old), self._after.sees(new)
        if was and is_ and old is not None and new is not None:
            same = old is new or all(old[index] == new[index] for index in self._columns)
            event = None if same else Event.MODIFY
        elif was:
            event = Event.DELETE
        else:
            event = Event.INSERT if is_ else None
        return event if event is None or event in self._after.events else None

    def update(self, old: Row | None, new: Row | None) -> Json:
        """Return a `<row-update>`, or None."""
        event = self._event(old, new)
        if event is Event.INSERT and new is not None:
            return {"new": _every(self._inserted, new)}
        if event is Event.DELETE and old is not None:
            return {"old": row_to_json(self._deleted, old)}
        if event is Event.MODIFY and old is not None and new is not None:
            changed = [c for c in self._modified if old[c.index] != new[c.index]]
            return {"old": row_to_json(changed, old), "new": row_to_json(self._modified, new)}
        return None

    def update2(self, old: Row | None, new: Row | None) -> Json:
        """Return a `<row-update2>`, or None: without defaults, and of a modified row the
        differences."""
        event = self._event(old, new)
        if event is Event.INSERT and new is not None:
            return {"insert": _without_defaults(self._inserted, new)}
        if event is Event.DELETE:
            return {"delete": None}
        if event is Event.MODIFY and old is not None and new is not None:
            return {
                "modify": {
                    column.name: column.type.write(column.type.difference(before, now))
                    for column in self._modified
                    if (before := old[column.index]) != (now := new[column.index])
                }
            }
        return None

    def initial(self, row: Row) -> Json:
        """Return the `<row-update>` of a row that the monitor finds at its start, or None."""
        if Event.INITIAL not in self._after.events:
            return None
        return {"new": _every(self._initial, row)} if self._after.sees(row) else None

    def initial2(self, row: Row) -> Json:
        """Return the `<row-update2>` of a row that the monitor finds at its start, or None."""
        if Event.INITIAL not in self._after.events or not self._after.sees(row):
            return None
        return {"initial": _without_defaults(self._initial, row)}


def _written(columns: tuple[Column, ...]) -> list[_Written]:
    return [
        (c.name, c.index, c.type.write, c.type.default, c.type.write(c.type.default))
        for c in columns
    ]


def _every(columns: list[_Written], row: Row) -> Json:
    return {
        name: default_json if (datum := row[index]) == default else write(datum)
        for name, index, write, default, default_json in columns
    }


def _without_defaults(columns: list[_Written], row: Row) -> Json:
    return {
        name: write(datum)
        for name, index, write, default, _ in columns
        if (datum := row[index]) != default
    }
