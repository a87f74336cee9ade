"""What devices have made of the wanted ports, until the database says so too.

The switch acts at once when a port goes with its device; its row follows in the database, which may
not be reachable just then. Until it is gone, the row means nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from hotswitch.config.read import Reading
from hotswitch.config.rows import Uuid
from hotswitch.switch.desired import Desired
from hotswitch.switch.following import Place, without


class Pending:
    """Rows of ports that went with their devices, known by their interfaces."""

    def __init__(self) -> None:
        self._gone: set[Uuid] = set()
        self._unread: set[Place] = set()

    def note(self, expired: Iterable[Place], reading: Reading) -> None:
        """These ports are gone; `reading` is what the database said when it was last read.

        A port that it did not have yet is known by its name at the next reading.
        """
        places = set(expired) | self._unread
        if places:
            rows = {row: (at.bridge, at.name) for row, at in reading.interfaces.items()}
            self._gone |= {row for row, place in rows.items() if place in places}
            self._unread = places - set(rows.values())

    def wanted(self, reading: Reading) -> Desired:
        """What is wanted by the rows that still mean something."""
        self.note((), reading)
        self._unread.clear()
        self._gone &= reading.interfaces.keys()
        places = {(at.bridge, at.name) for row in self._gone if (at := reading.interfaces[row])}
        return without(reading.desired, tuple(places))
