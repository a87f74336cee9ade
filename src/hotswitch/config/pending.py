"""What devices have made of the wanted ports, until the database says so too.

The switch acts at once when a port goes with its device, or a device becomes a port; its row
follows in the database, which may not be reachable just then. Until the row is gone, it means
nothing; until it is there, the port is wanted without one. That a row means nothing is kept for
the next daemon before its port goes: no new device of the name may get what is in it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from hotswitch.base.shared import SharedMap
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Uuid
from hotswitch.switch.desired import Desired, DesiredBridge
from hotswitch.switch.following import without
from hotswitch.switch.layout import PortKey
from hotswitch.switch.switch import Switch


class Departures(Protocol):
    """Keeps, beyond the end of this process, what rows mean nothing any more."""

    def load(self) -> Set[Uuid]:
        """The rows that were kept last."""

    def keep(self, rows: Set[Uuid]) -> None:
        """Keep these in their place."""


class Pending:
    """gone: rows of ports that went with their devices, known by their interfaces.

    adopted: ports that devices have become, and that have no row, or not one for each link.
    """

    def __init__(self, departures: Departures) -> None:
        self._departures = departures
        self._gone = set(departures.load())
        self._unread: set[PortKey] = set()
        self._adopted: dict[PortKey, int] = {}
        self._count = itertools.count()

    def foretell(self, ports: Iterable[PortKey], reading: Reading) -> None:
        """Keep that the rows of these ports mean nothing from now on."""
        self._gone.update(row for key in ports for row in reading.rows.get(key, ()))
        self._departures.keep(self._gone)

    def note(self, switch: Switch, reading: Reading) -> None:
        """Take over the news; `reading` is what the database said when it was last read.

        A port that it did not have yet is known by its name at the next reading.
        """
        departed = switch.take_departed()
        for key in departed:
            self._adopted.pop(key, None)
        self._adopted.update((key, next(self._count)) for key in switch.take_adopted())
        for key in {*departed, *self._unread}:
            rows = reading.rows.get(key, ())
            self._gone.update(rows)
            (self._unread.discard if rows else self._unread.add)(key)

    def left(self, reading: Reading) -> Desired:
        """What is wanted by the rows that still mean something."""
        self._gone = {row for row in self._gone if row in reading.interfaces}
        self._departures.keep(self._gone)
        places = {(at.bridge, at.name) for row in self._gone if (at := reading.interfaces[row])}
        return without(reading.desired, places)

    def wanted(self, switch: Switch, reading: Reading) -> Desired:
        """The same, with what was adopted."""
        self.note(switch, reading)
        self._unread.clear()
        left = self.left(reading)
        return with_adopted(left, switch.desired, self._adopted) if self._adopted else left

    @property
    def adopted(self) -> Mapping[PortKey, int]:
        """The ports that have to get rows, each with a number for what it is now."""
        return dict(self._adopted)

    def kept(self, adopted: Mapping[PortKey, int]) -> None:
        """These have rows now. Others may have been adopted meanwhile, or got one more link."""
        for key, number in adopted.items():
            if self._adopted.get(key) == number:
                del self._adopted[key]


def with_adopted(wanted: Desired, now: Desired, adopted: Iterable[PortKey]) -> Desired:
    """What is wanted with ports as they are now, where their names are free."""
    bridges = dict(wanted.bridges)
    for bridge, name in sorted(adopted):
        port = now.bridges[bridge].ports.get(name) if bridge in now.bridges else None
        if port is None or bridge not in bridges:
            continue
        there = bridges[bridge].ports.get(name)
        if there:
            links = {each.name: each for each in (*port.members, *there.members)}
            port = replace(there, links=tuple(links.values())) if there.is_vif else there
        elif any(_is_taken(each, bridges) for each in (name, *(each.name for each in port.links))):
            continue
        if port != there:
            ports = SharedMap(bridges[bridge].ports).having({name: port})
            bridges[bridge] = replace(bridges[bridge], ports=ports)
    return Desired(MappingProxyType(bridges))


def _is_taken(name: str, bridges: Mapping[str, DesiredBridge]) -> bool:
    return name in bridges or any(name in each.ports for each in bridges.values())
