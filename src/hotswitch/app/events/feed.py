"""Events of a running switch: found when it has changed, kept, and waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

import hotswitch
from hotswitch.app.events import addresses
from hotswitch.app.events.addresses import Place, Table
from hotswitch.app.events.differences import at_start, differences
from hotswitch.app.events.event import Happening, happening
from hotswitch.app.events.moment import Moment, by_place
from hotswitch.app.events.ring import CAPACITY, Ring, Slice, first_number
from hotswitch.base.errors import HotswitchError
from hotswitch.config.unheeded import Refused
from hotswitch.model.port import Address
from hotswitch.switch.switch import Switch

_log = logging.getLogger(__name__)


class Feed:
    """Make it when the switch has been made as wanted: what is there then is no event.

    wall: seconds since 1970. capacity: how many events are kept.
    """

    def __init__(
        self,
        switch: Switch,
        wall: Callable[[], float],
        capacity: int = CAPACITY,
        refused: Callable[[], Iterable[Refused]] = tuple,
    ) -> None:
        self._switch = switch
        self._tell_refused = refused
        self._refused = by_place(refused())
        self._wall = wall
        self._ring = Ring(first_number(wall()), capacity)
        self._moment = Moment(switch.desired, switch.statuses(), self._refused)
        self._addresses: dict[str, Table | None] = dict.fromkeys(self._moment.bridges)
        self._adopted: frozenset[tuple[str, str]] = frozenset()
        self._look_is_due = False
        self._more = asyncio.Event()
        self._add([happening("started", version=hotswitch.__version__)])
        self._add(at_start(self._moment, switch.departed_at_start, switch.adopted_again))
        switch.watch(self.changed)

    @property
    def moment(self) -> Moment:
        """The switch as it was at the last look, which is not long ago."""
        return self._moment

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._ring.last

    def now(self) -> float:
        """Seconds since 1970, as events have them."""
        return self._wall()

    @property
    def oldest(self) -> int:
        """See `Ring.oldest`."""
        return self._ring.oldest

    def changed(self) -> None:
        """The switch may have changed. What changes until the loop's next turn is one change.

        So what is refused and taken back at once is none.
        """
        self._adopted |= self._switch.adopted  # who comes next takes them
        if not self._look_is_due:
            self._look_is_due = True
            asyncio.get_running_loop().call_soon(self.look)

    def refused_changed(self) -> None:
        """Other rows of the database may be refused than before."""
        self._refused = by_place(self._tell_refused())
        self.changed()

    def look(self) -> None:
        """Find out what has happened since the last look."""
        self._look_is_due = False
        try:
            now = Moment(self._switch.desired, self._switch.statuses(), self._refused)
        except HotswitchError as error:
            _log.warning("what has happened is not known yet: %s", error)
            return
        before, self._moment = self._moment, now
        adopted, self._adopted = self._adopted, frozenset()
        self._add(differences(before, now, adopted))
        for bridge in self._addresses.keys() - now.bridges.keys():
            del self._addresses[bridge]

    def addresses(self, bridge: str, rows: Iterable[Address], ports: Mapping[int, str]) -> None:
        """This is in a bridge's address table now.

        What is in that of a bridge of an earlier life at the first look is no event.
        """
        now = {
            (row.vlan, row.mac): Place(ports[row.port], row.static)
            for row in rows
            if row.port in ports
        }
        before = self._addresses.get(bridge, {})
        self._addresses[bridge] = now
        if before is not None:
            self._add(addresses.differences(bridge, before, now))

    def links_lost(self) -> None:
        """The kernel's messages about links have overflowed; all were listed again."""
        self._add([happening("overflow", bridge="", what="links")])

    def since(self, place: int, bridge: str, limit: int) -> Slice:
        """See `Ring.since`."""
        return self._ring.since(place, self._wall(), bridge, limit)

    async def wait(self, place: int, bridge: str, limit: int, timeout: float) -> Slice:
        """The same, but wait up to `timeout` seconds for there to be something."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            found = self.since(place, bridge, limit)
            left = deadline - loop.time()
            if found.events or left <= 0:
                return found
            place = found.next
            try:
                await asyncio.wait_for(self._more.wait(), left)
            except TimeoutError:
                return found

    def _add(self, happenings: Iterable[Happening]) -> None:
        last = self._ring.last
        self._ring.add(happenings, self._wall())
        if self._ring.last != last:
            self._more.set()  # all who wait now are woken, and find it clear when they wait again
            self._more = asyncio.Event()
