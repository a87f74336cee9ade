"""The links of a port: which are its, and which of several forwards. Pure.

Most ports have one. A VIF, the interface of a virtual machine, can have several: a tap that the
emulator serves, and a vif for when the guest's drivers have loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from hotswitch.kernel.links import Link, OperationalState
from hotswitch.model.port import LinkLife
from hotswitch.ports.selector import By, Selector

_NONE: Mapping[str, Link] = MappingProxyType({})

Metadata = tuple[tuple[str, str], ...]
"""Pairs of a key and a value, sorted, each key once."""


@dataclass(frozen=True, slots=True)
class Member:
    """A link of a port, as it is wanted.

    name: the configured name; also the device's, unless `selector` says how to find it.
    follow_rename: it stays the port's link whatever it is called; else it must fit the selector.
    preference: of a VIF's links that can be used, the one with the highest forwards; of several,
        the last by name.
    metadata: for others, of this link alone.
    """

    name: str
    selector: Selector | None = None
    follow_rename: bool = True
    preference: int = 0
    metadata: Metadata = ()

    @property
    def finds_by(self) -> Selector:
        """How it is found when it is lost."""
        return self.selector or Selector(By.NAME, self.name)

    @property
    def has_usual_name(self) -> bool:
        """Whether the configured name is what it is found by."""
        return self.finds_by == Selector(By.NAME, self.name)


def lives(life: LinkLife, link: Link | None) -> bool:
    """Whether the link that is there now is still in that life."""
    if link is None or link.index != life.ifindex:
        return False
    unknown = not (life.incarnation and link.incarnation)
    return unknown or life.incarnation == link.incarnation


def keep(
    members: Sequence[Member], held: Iterable[Link], had: Mapping[str, Link] = _NONE
) -> dict[str, Link]:
    """Which members keep which of the links that the port has, by the members' names.

    had: which had which, as far as that is known: so it stays, but for who does not follow renames.
    Else who fits its link keeps it, and what has been renamed stays with one that follows.
    """
    left = sorted(held, key=lambda link: link.index)
    kept: dict[str, Link] = {}
    for member in members:
        before = had.get(member.name)
        link = next((each for each in left if before and each.index == before.index), None)
        if link and (member.follow_rename or member.finds_by.fits(link)):
            kept[member.name] = link
            left.remove(link)
    for member in members:
        link = next((each for each in left if member.finds_by.fits(each)), None)
        if link and member.name not in kept:
            kept[member.name] = link
            left.remove(link)
    for member in members:
        if left and member.follow_rename and member.name not in kept:
            kept[member.name] = left.pop(0)
    return kept


def is_usable(link: Link) -> bool:
    """Whether frames that leave by the link can arrive: it is up and so is what is below it."""
    works = link.state in (OperationalState.UP, OperationalState.UNKNOWN)
    return link.up and link.carrier and works


def ranked(members: Iterable[Member], links: Mapping[str, Link], current: int) -> list[str]:
    """The names of the members that have links; the first forwards, the second when that fails.

    links: by member. current: the index of the link that forwards now: it goes on when none is
    usable.
    """
    there = [member for member in members if member.name in links]

    def rank(member: Member) -> tuple[bool, bool, int, str]:
        link = links[member.name]
        works = is_usable(link)
        return works, not works and link.index == current, member.preference, member.name

    return [member.name for member in sorted(there, key=rank, reverse=True)]


def merged(*metadata: Metadata) -> Metadata:
    """All pairs; of a key that is there more than once, the last one's."""
    return tuple(sorted({key: value for each in metadata for key, value in each}.items()))
