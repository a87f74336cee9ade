"""What devices have made of the wanted ports, until the database says so too.

The switch acts at once when a port goes with its device; its row follows in the database, which may
not be reachable just then. Until it is gone, the row means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from hotswitch.config.reading import Reading
from hotswitch.config.rows import Uuid
from hotswitch.switch.desired import Desired
from hotswitch.switch.following import without
from hotswitch.switch.layout import PortKey


class Pending:
    """Rows of ports that went with their devices, known by their interfaces."""

    def __init__(self) -> None:
        self._gone: set[Uuid] = set()
        self._unread: set[PortKey] = set()

    def note(self, departed: Iterable[PortKey], reading: Reading) -> None:
        """These ports are gone; `reading` is what the database said when it was last read.

        A port that it did not have yet is known by its name at the next reading.
        """
        for key in {*departed, *self._unread}:
            rows = reading.rows.get(key, ())
            self._gone.update(rows)
            (self._unread.discard if rows else self._unread.add)(key)

    def wanted(self, reading: Reading) -> Desired:
        """What is wanted by the rows that still mean something."""
        self.note((), reading)
        self._unread.clear()
        self._gone = {row for row in self._gone if row in reading.interfaces}
        places = {(at.bridge, at.name) for row in self._gone if (at := reading.interfaces[row])}
        return without(reading.desired, places)
