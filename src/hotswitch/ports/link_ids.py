"""Link ids: small numbers for links, which configuration can store in place of names.

As with the datalink ids of Solaris (dladm(1M)), an id belongs to a link through renames and
restarts. The rules:

1. A link has one id as long as it lives (its incarnation), whichever namespace it is in.
2. Hardware gets its id back after a boot: by its permanent MAC address, or else by where it is
   plugged in, if only one absent link is known by that. Software links get new ids.
3. No id is given to two links. Ids are given below a reserved number only, and that is kept
   before they are told; so those given just before a crash are not given again.
4. What has gone for good is not remembered for ever: of software links that are absent, the
   latest 1,024, and as many that were seen to go to another namespace, where they live on.

Nothing is read or written here: `pending` is what is to be kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from hotswitch.kernel.links import Link
from hotswitch.ports.link_changes import Appeared, Changed, Disappeared, LinkChange, Renamed
from hotswitch.ports.link_id_records import LARGEST, Edit, Forgotten, Kept, Record, Reserved

_LOOPBACK = 772
"""ARPHRD_LOOPBACK: there is one in each namespace, so it is no hardware to be known by."""
_RESERVED_AT_ONCE = 512
_ABSENT_LIMIT = 1024


class LinkIds:
    """The ids of links that are there, and of those that may come back."""

    def __init__(self, kept: Kept) -> None:
        """Go on from what was kept. Before the first `follow` all links are absent."""
        self._records = dict(kept.records)
        self._next = self._durable = self._reserved = kept.reserved
        self._ids = {each.incarnation: each.id for each in kept.records.values()}
        self._ids.pop(0, None)
        self._links: dict[int, Link] = {}
        self._absent_hardware: dict[int, None] = {}
        self._absent_software: dict[int, None] = {}
        self._elsewhere: dict[int, None] = {}
        for each in self._records.values():
            self._miss(each)
        self._pending: dict[int, Edit] = {}
        self._reserve()

    @property
    def count(self) -> int:
        """How many links are known, there or absent."""
        return len(self._records)

    def id_of(self, link: Link) -> int | None:
        """The link's id; None if it has not been seen, or if its id could not be kept yet."""
        found = self._ids.get(link.incarnation)
        return found if found is not None and found < self._durable else None

    def link_of(self, link_id: int) -> Link | None:
        """The link with this id as it is now; None if there is none now."""
        return self._links.get(link_id) if link_id < self._durable else None

    def record_of(self, link_id: int) -> Record | None:
        """What is known of the link with this id, also when it is absent; None: nothing."""
        return self._records.get(link_id) if link_id < self._durable else None

    def follow(self, changes: Iterable[LinkChange]) -> None:
        """Take over what has become of links.

        The first call is for all links there are, in all namespaces that are watched: absent ones
        may be forgotten then.
        """
        new: list[Link] = []
        for change in changes:
            match change:
                case Appeared(link):
                    known = self._ids.get(link.incarnation)
                    if known is None:
                        new.append(link)
                    else:
                        self._have(known, link)
                case Disappeared(link, departure):
                    self._lose(link, lives_on=departure is not None)
                case Renamed(_, link) | Changed(_, link):
                    self._update(link)
        if new:
            self._give(new)
        self._forget()
        if self._reserved - self._next < _RESERVED_AT_ONCE // 2:
            self._reserve()

    def pending(self) -> tuple[Edit, ...]:
        """What is to be kept."""
        return tuple(self._pending.values())

    def everything(self) -> tuple[Edit, ...]:
        """All that is to be kept, if what was kept before is thrown away."""
        return (Reserved(self._reserved), *self._records.values())

    def kept(self) -> None:
        """What was pending has been kept, or everything."""
        self._pending.clear()
        self._durable = self._reserved

    def release(self) -> None:
        """Give back what is reserved: no more ids are given after this."""
        self._reserved = self._next
        self._pending[0] = Reserved(self._reserved)

    def _give(self, links: list[Link]) -> None:
        """Addresses first: a card that was moved takes its id along, not that of its place."""
        links.sort(key=lambda link: link.index)
        if self._absent_hardware:
            for known_by in (_address, _place):
                links = self._give_again(links, known_by)
        for link in links:
            if self._next > LARGEST:
                return
            self._next += 1
            self._have(self._next - 1, link)

    def _give_again(self, links: list[Link], known_by: Callable[[Link], str]) -> list[Link]:
        """Give their ids to those that are known; the others."""
        coming = Counter(filter(None, map(known_by, links)))
        absent: dict[str, list[int]] = {key: [] for key in coming}
        for each in self._absent_hardware if coming else ():
            for key in self._records[each].hardware:
                if key in absent:
                    absent[key].append(each)
        left = []
        for link in links:
            key = known_by(link)
            if key and coming[key] == 1 and len(absent[key]) == 1:
                self._have(absent[key][0], link)
            else:
                left.append(link)
        return left

    def _have(self, link_id: int, link: Link) -> None:
        for absent in (self._absent_hardware, self._absent_software, self._elsewhere):
            absent.pop(link_id, None)
        if link_id in self._records:
            self._ids.pop(self._records[link_id].incarnation, None)
        self._links[link_id] = link
        self._ids[link.incarnation] = link_id
        self._record(link_id, link)

    def _update(self, link: Link) -> None:
        link_id = self._ids.get(link.incarnation)
        if link_id is not None:
            self._links[link_id] = link
            self._record(link_id, link)

    def _lose(self, link: Link, *, lives_on: bool) -> None:
        link_id = self._ids.get(link.incarnation, 0)
        if link_id in self._links:
            del self._links[link_id]
            record = self._records[link_id]
            if lives_on and not record.hardware:
                record = msgspec.structs.replace(record, elsewhere=True)
                self._records[link_id] = self._pending[link_id] = record
            self._miss(record)

    def _miss(self, record: Record) -> None:
        absent = self._elsewhere if record.elsewhere else self._absent_software
        (self._absent_hardware if record.hardware else absent)[record.id] = None

    def _record(self, link_id: int, link: Link) -> None:
        hardware = tuple(filter(None, (_address(link), _place(link))))
        record = Record(link_id, link.incarnation, link.name, hardware)
        if self._records.get(link_id) != record:
            self._records[link_id] = record
            self._pending[link_id] = record

    def _forget(self) -> None:
        for absent in (self._absent_software, self._elsewhere):
            excess = len(absent) - _ABSENT_LIMIT
            for each in list(islice(absent, max(0, excess))):
                del absent[each]
                self._ids.pop(self._records.pop(each).incarnation, None)
                self._pending[each] = Forgotten(each)

    def _reserve(self) -> None:
        self._reserved = min(self._next + _RESERVED_AT_ONCE, LARGEST)
        self._pending[0] = Reserved(self._reserved)


def _address(link: Link) -> str:
    known = _is_hardware(link) and link.permanent_address
    return f"address {link.permanent_address:012x}" if known else ""


def _place(link: Link) -> str:
    return f"bus {link.bus}" if _is_hardware(link) and link.bus else ""


def _is_hardware(link: Link) -> bool:
    """Software has a kind. (A VLAN, for one, shows its base's permanent address as its own.)"""
    return not link.kind and link.device_type != _LOOPBACK
