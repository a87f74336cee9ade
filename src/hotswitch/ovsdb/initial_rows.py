"""What a monitor is told of a table at its start, as JSON text that is made once for each row.

Each `ovs-vsctl` begins with the same monitors, and next to nothing has changed since the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

import msgspec

from hotswitch.ovsdb.monitor_requests import Event, Watched
from hotswitch.ovsdb.values import UUID_INDEX, Datum, Json, Row, Uuid

MOST = 8 << 20
"""Bytes of one table's text that are kept."""


class InitialRows:
    """The rows of one table for monitors that ask the same.

    tell: the `<row-update>` or `<row-update2>` of a row at the start of a monitor, or None.
    """

    def __init__(self, watched: Watched, tell: Callable[[Row], Json]) -> None:
        indexes = [column.index for column in watched.shown(Event.INITIAL)]
        clauses = watched.condition.clauses
        indexes += [each.column.index for each in clauses if each.column is not None]
        self._seen: Callable[[Row], tuple[Datum, ...]] = itemgetter(
            UUID_INDEX, UUID_INDEX, *indexes
        )
        self._tell = tell
        self._kept: dict[Uuid, tuple[tuple[Datum, ...], bytes]] = {}

    def encoded(self, rows: Mapping[Uuid, Row]) -> bytes:
        """The rows as a JSON object, by UUID; empty if there is nothing to tell."""
        before, seen, now = self._kept, self._seen, {}
        for uuid, row in rows.items():
            kept = before.get(uuid)
            of = seen(row)  # what is not seen, such as statistics, changes most
            now[uuid] = kept if kept is not None and kept[0] == of else (of, self._text(uuid, row))
        told = b",".join([text for _, text in now.values() if text])
        self._kept = now if len(told) <= MOST else {}
        return b"{%b}" % told if told else b""

    def _text(self, uuid: Uuid, row: Row) -> bytes:
        told = self._tell(row)
        return b"" if told is None else b'"%b":%b' % (uuid.encode(), msgspec.json.encode(told))
