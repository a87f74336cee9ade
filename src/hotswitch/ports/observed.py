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
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hotswitch.kernel.link_monitor import Changed, Departure, LinkEvent, Overflow, Removed
from hotswitch.kernel.links import Link
from hotswitch.ports import link_changes
from hotswitch.ports.incarnation import Incarnations, known_as
from hotswitch.ports.link_changes import LinkChange

_PAIRS = frozenset(("veth", "netkit", "vxcan"))
"""Kinds whose links come in pairs that name each other."""

_ASKED_AT_MOST = 64
"""More than these wait for the next list."""


@dataclass(frozen=True, slots=True)
class LinkSnapshot:
    """The links of a network namespace at one moment.

    by_name: by name and by alternative name; no two links share any. by_incarnation: this life.
    """

    by_index: Mapping[int, Link] = field(default_factory=lambda: MappingProxyType({}))
    by_name: Mapping[str, Link] = field(default_factory=lambda: MappingProxyType({}))
    by_incarnation: Mapping[int, Link] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, links: Iterable[Link]) -> LinkSnapshot:
        """A snapshot of these links, identified or not; names come before alternative ones."""
        each = tuple(links)
        other_names = {name: link for link in each for name in link.alternative_names}
        return cls(
            MappingProxyType({link.index: link for link in each}),
            MappingProxyType(other_names | {link.name: link for link in each}),
            MappingProxyType({link.incarnation: link for link in each if link.incarnation}),
        )


class LinkBook:
    """What is known of the links. It begins `stale`."""

    def __init__(self, incarnations: Incarnations) -> None:
        self.stale = True
        self._incarnations = incarnations
        self._links: dict[int, Link] = {}
        self._names: dict[str, Link] = {}
        self._lives: dict[int, Link] = {}
        self._tied: defaultdict[int, set[int]] = defaultdict(set)
        self._far_below: set[int] = set()
        self._before: dict[int, Link | None] = {}
        self._listed: dict[int, tuple[Link, Link]] = {}
        self._doubtful: set[int] = set()
        self._asked: set[int] = set()
        self._snapshot: LinkSnapshot | None = LinkSnapshot()

    @property
    def snapshot(self) -> LinkSnapshot:
        """The links as they are known now; the same object as long as nothing changes."""
        if self._snapshot is None:
            # A map of 4,000 is copied in 20 us; a tree that shares its branches costs more to read.
            maps = (self._links, self._names, self._lives)
            self._snapshot = LinkSnapshot(*(MappingProxyType(each.copy()) for each in maps))
        return self._snapshot

    def apply(self, events: Iterable[LinkEvent]) -> None:
        """Take over what the monitor tells."""
        removed: defaultdict[int, list[Departure | None]] = defaultdict(list)
        for event in events:
            match event:
                case Overflow():
                    self.stale = True
                case Removed(index, _, departure):
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
        self._before.clear()
        self._asked.clear()
        return link_changes.in_order(changes)

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
        self._touch(index, known)
        if known:
            self._forget(known)
        self._links[index] = link
        self._lives[link.incarnation] = link
        self._names[link.name] = link
        for name in link.alternative_names:
            self._names[name] = link
        if link.peer and link.peer_namespace == -1:
            self._tied[link.peer].add(index)
        elif link.peer and link.kind not in _PAIRS:
            self._far_below.add(index)

    def _remove(self, index: int) -> None:
        known = self._links.pop(index, None)
        if known:
            self._touch(index, known)
            self._forget(known)

    def _forget(self, link: Link) -> None:
        """Others may have taken the names since."""
        for name in (link.name, *link.alternative_names):
            if self._names.get(name) is link:
                del self._names[name]
        if self._lives.get(link.incarnation) is link:
            del self._lives[link.incarnation]
        if link.peer and link.peer_namespace == -1:
            tied = self._tied[link.peer]
            tied.discard(link.index)
            if not tied:
                del self._tied[link.peer]
        self._far_below.discard(link.index)

    def _touch(self, index: int, known: Link | None) -> None:
        self._before.setdefault(index, known)
        self._snapshot = None

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
