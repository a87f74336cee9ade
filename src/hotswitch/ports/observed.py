"""The links of a network namespace, kept from what rtnetlink tells. Bytes and time are elsewhere.

The rules:

1. A message is what the kernel says of a link at one moment. The last one counts.
2. A link is one incarnation (`incarnation`). A new one is identified when it appears. While nothing
   tells that it has gone, what comes for its index is about it.
3. A link that can't be identified was renamed or has gone since. The message that says so is on its
   way, so nothing is done until then.
4. When messages were lost (`Overflow`), `stale` is true until the links are listed. All of them are
   identified then, so an index that was used again is seen.
5. A link does not tell that the one it is tied to (a veth's other end, a macvlan's base) has gone
   to another namespace or come from there. So it is concluded from what that one tells, or else
   the link is doubtful, to be asked for. Moves between two other namespaces are seen when the links
   are listed.
6. Of a link that is not up the kernel tells nothing new but its name, addresses, MTU and master
   (netdev_state_change in net/core/dev.c): not its alternative names, carrier and details. Those
   are seen with its next message, or when it is looked at.
7. The same link may disappear and appear again: it was in another namespace in between. What
   disappears and appears between two calls of `take_changes` is no change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from hotswitch.kernel.link_monitor import Changed, Departure, LinkEvent, Overflow, Removed
from hotswitch.kernel.links import Link
from hotswitch.ports import link_changes
from hotswitch.ports.incarnation import Incarnations, known_as
from hotswitch.ports.link_changes import Disappeared, LinkChange

_PAIRS = frozenset(("veth", "netkit", "vxcan"))
"""Kinds whose links come in pairs that name each other."""

_ASKED_AT_MOST = 64
"""More than these wait for the next list."""


class LinkBook:
    """What is known of the links. It begins `stale`."""

    def __init__(self, incarnations: Incarnations) -> None:
        self.stale = True
        self._incarnations = incarnations
        self._links: dict[int, Link] = {}
        self._tied: defaultdict[int, set[int]] = defaultdict(set)
        self._far_below: set[int] = set()
        self._before: dict[int, Link | None] = {}
        self._listed: dict[int, tuple[Link, Link]] = {}
        self._departures: dict[int, Departure] = {}
        self._doubtful: set[int] = set()
        self._asked: set[int] = set()
        self.links: Mapping[int, Link] = MappingProxyType(self._links)
        """The links by index, as they are known now."""

    def apply(self, events: Iterable[LinkEvent]) -> None:
        """Take over what the monitor tells."""
        removed: defaultdict[int, list[Departure | None]] = defaultdict(list)
        for event in events:
            match event:
                case Overflow():
                    self.stale = True
                case Removed(index, _, departure):
                    known = self._links.get(index)
                    if known and departure:
                        self._departures[known.incarnation] = departure
                    self._remove(index)
                    removed[index].append(departure)
                case Changed(link):
                    self._follow(link)
        for index, departures in removed.items():
            if any(departures):
                self._conclude(index, departures, removed)

    def listed(self, links: Iterable[Link], *, complete: bool = True) -> None:
        """Take over a list of all links, which was made after everything applied so far.

        A link that is the same object as in the last list, and has not changed meanwhile, costs
        little. complete: whether what is not in it has gone; if not, that becomes doubtful.
        """
        missing = set(self._links)
        listed: dict[int, tuple[Link, Link]] = {}
        for link in links:
            index = link.index
            missing.discard(index)
            self._asked.add(index)
            known = self._links.get(index)
            said, meant = self._listed.get(index, (None, None))
            if not (
                known and said is link and meant is known and self._incarnations.is_still(known)
            ):
                known = self._incarnations.identify(link, known)
                if not known:
                    continue
                self._put(known)
            listed[index] = link, self._links[index]
        self._listed = listed
        if complete:
            for index in missing:
                self._remove(index)
        else:
            self._doubtful |= missing
        self.stale = False

    def take_doubtful(self) -> Collection[int]:
        """Indexes of links to be asked for and applied; each told once between two changes."""
        # Any new link may be a base that has come from another namespace.
        if len(self._far_below) <= _ASKED_AT_MOST and self._has_new():
            self._doubtful |= self._far_below
        doubtful = self._doubtful - self._asked
        self._asked |= doubtful
        self._doubtful.clear()
        return doubtful

    def take_changes(self) -> list[LinkChange]:
        """What has changed since the last time, what has gone first."""
        self._mend_pairs()
        changes: list[LinkChange] = []
        for index, old in self._before.items():
            changes += link_changes.between(old, self._links.get(index))
        changes = [self._with_departure(each) for each in changes]
        self._departures.clear()
        self._before.clear()
        self._asked.clear()
        return link_changes.in_order(changes)

    def _with_departure(self, change: LinkChange) -> LinkChange:
        """Say where a link has gone to that has not come back since."""
        if not isinstance(change, Disappeared):
            return change
        return replace(change, departure=self._departures.get(change.link.incarnation))

    def _follow(self, link: Link) -> None:
        known = self._links.get(link.index)
        if known:
            self._put(known_as(known, link))
            return
        found = self._incarnations.identify(link, None)
        if found:
            self._put(found)

    def _put(self, link: Link) -> None:
        index = link.index
        known = self._links.get(index)
        if known == link:
            return
        self._before.setdefault(index, known)
        if known:
            self._untie(known)
        self._links[index] = link
        if link.peer and link.peer_namespace == -1:
            self._tied[link.peer].add(index)
        elif link.peer and link.kind not in _PAIRS:
            self._far_below.add(index)

    def _remove(self, index: int) -> None:
        known = self._links.pop(index, None)
        if known:
            self._before.setdefault(index, known)
            self._untie(known)

    def _untie(self, link: Link) -> None:
        if link.peer and link.peer_namespace == -1:
            tied = self._tied[link.peer]
            tied.discard(link.index)
            if not tied:
                del self._tied[link.peer]
        self._far_below.discard(link.index)

    def _has_new(self) -> bool:
        return any(
            new is not None and (old is None or old.incarnation != new.incarnation)
            for index, old in self._before.items()
            for new in (self._links.get(index),)
        )

    def _conclude(
        self, index: int, departures: list[Departure | None], removed: Container[int]
    ) -> None:
        """Links with this index have gone to other namespaces: what is tied to them?"""
        tied = set(self._tied.get(index, ()))
        for each in departures:
            other = self._links.get(each.peer) if each else None
            if other and other.kind in _PAIRS:
                tied.add(other.index)
        last = departures[-1]
        is_clear = last and len(departures) == 1 and index not in self._links
        for tied_index in tied:
            if last and is_clear and tied_index not in removed:
                link = self._links[tied_index]
                self._put(replace(link, peer=last.index, peer_namespace=last.namespace))
            else:
                self._doubtful.add(tied_index)

    def _mend_pairs(self) -> None:
        """No message comes when the other end is tied to it, or comes back to this namespace."""
        for index in list(self._before):
            link = self._links.get(index)
            if link is None or link.kind not in _PAIRS or link.peer_namespace != -1:
                continue
            other = self._links.get(link.peer)
            if other and other.kind == link.kind and other.peer != index:
                self._put(replace(other, peer=index, peer_namespace=-1))
            elif other and other.kind == link.kind and other.peer_namespace != -1:
                self._put(replace(other, peer_namespace=-1))
