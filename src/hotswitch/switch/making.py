"""Which of the links that hotswitch has made are still wanted, and which have to go. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.ports.selector import Finder, Selector
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.facades import Facades
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import is_pair_of, ports_marked

Made = SharedMap[tuple[PortKind, str], Link]
"""The links that this daemon has made, by the port that each was made for.

For an internal port that is the inner end of a veth pair, whose outer end has the port's name and
is the host's. A cable has an end for each of two patch ports.
"""


@dataclass(frozen=True)
class Making:
    """What is to become of the links that hotswitch has made.

    wanted: all ports of all bridges. doomed: links to delete, one of a pair, each with the name of
    what it was made for; the others stay. facades: of all bridges.
    """

    owner: str
    links: LinkTable
    wanted: Mapping[str, DesiredPort]
    made: Made
    doomed: tuple[tuple[str, Link], ...]
    facades: Facades = field(default_factory=Facades)

    @cached_property
    def gone(self) -> frozenset[int]:
        """The indexes of links that will have gone, both ends of a pair."""
        return frozenset(end.index for _, link in self.doomed for end in self.links.ends(link))

    def kept(self, port: DesiredPort) -> Link | None:
        """The link that was made for the port and stays."""
        link = self.made.get((port.kind, port.name))
        return None if link is None or link.index in self.gone else link

    def made_for(self, link: Link) -> str:
        """The port that a link which stays was made for, either end of a pair, or nothing."""
        for end in self.links.ends(link):
            for mark in ports_marked(self.owner, end):
                if (found := self.made.get(mark)) and found.index not in self.gone:
                    return mark[1]
        return ""

    def by_name(self, name: str) -> Link | None:
        """The link that has this name and stays."""
        found = self.links.by_name.get(name)
        return None if found is None or found.index in self.gone else found

    def find(self, selector: Selector) -> list[Link]:
        """The links that a selector fits and that stay."""
        return [link for link in self._finder.find(selector) if link.index not in self.gone]

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self.links.by_index.values())


def marked(owner: str, before: Made, old: LinkTable, new: LinkTable, changed: Set[int]) -> Made:
    """The successor of `before`, since links of these indexes have changed."""
    gone = {
        mark
        for index in changed
        if (link := old.by_index.get(index))
        for mark in ports_marked(owner, link)
        if before[mark].index == index
    }
    come = {
        mark: link
        for index in changed
        if (link := new.by_index.get(index))
        for mark in ports_marked(owner, link)
    }
    return before.having(come, gone - come.keys())


def sort_out(
    owner: str,
    links: LinkTable,
    wanted: Mapping[str, DesiredPort],
    made: Made,
    affected: Set[str],
    changed: Set[int],
) -> Making:
    """Compare what was made with what is wanted, as far as ports and links are affected."""
    doomed: dict[int, tuple[str, Link]] = {}
    for mark in [(kind, name) for name in sorted(affected) for kind in PortKind]:
        link = made.get(mark)
        if link is None or any(end.index in doomed for end in links.ends(link)):
            continue
        kind, name = mark
        port = wanted.get(name)
        if not (port and port.kind is kind and _is_whole(port, link, wanted, made, links)):
            doomed[link.index] = (name, link)
    unfinished = _unfinished(owner, links, made, changed)
    return Making(owner, links, wanted, made, (*doomed.values(), *unfinished))


def _unfinished(
    owner: str, links: LinkTable, made: Made, changed: Set[int]
) -> list[tuple[str, Link]]:
    """The pairs that this daemon has made without coming to mark them: outer and inner end."""
    return [
        (outer.name, inside)
        for index in sorted(changed)
        if (link := links.by_index.get(index)) and link.kind == "veth"
        if (other := links.other_end(link))
        for outer, inside in ((other, link), (link, other))
        if is_pair_of(owner, inside, outer) and (inside is link or inside.index not in changed)
        if not any(ports_marked(owner, end) for end in (outer, inside))
    ]


def is_own(owner: str, links: LinkTable, link: Link) -> bool:
    """Whether this daemon has made the link."""
    return any(ports_marked(owner, end) for end in links.ends(link))


def peer_missing(port: DesiredPort, wanted: Mapping[str, DesiredPort]) -> str:
    """Why a patch port's cable has no other end yet, or nothing."""
    peer = wanted.get(port.peer)
    if peer is None:
        return f"its peer {port.peer} does not exist"
    if peer.kind is PortKind.PATCH and peer.peer != port.name:
        return f"its peer {port.peer} has another peer, {peer.peer}"
    return ""


def peer_wrong(port: DesiredPort, wanted: Mapping[str, DesiredPort]) -> str:
    """Why a patch port's peer can never be one, or nothing."""
    peer = wanted.get(port.peer)
    if peer and peer.kind is not PortKind.PATCH:
        return f"its peer {port.peer} is no patch port"
    return ""


def _is_whole(
    port: DesiredPort,
    link: Link,
    wanted: Mapping[str, DesiredPort],
    made: Made,
    links: LinkTable,
) -> bool:
    """Whether a cable leads where it should; other links always are whole."""
    if port.kind is not PortKind.PATCH:
        return True
    if peer_missing(port, wanted) or peer_wrong(port, wanted):
        return False
    far = made.get((PortKind.PATCH, port.peer))
    return far is not None and far == links.other_end(link)
