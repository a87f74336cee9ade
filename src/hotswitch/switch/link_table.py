"""The links that there are, found by index and by name: a value that shares with its successor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.ports.link_changes import Disappeared


@dataclass(frozen=True, slots=True)
class LinkTable:
    """by_index: by the kernel's index. by_name: by name and by alternative name.

    departed: links that have lately gone to other network namespaces, by incarnation.
    """

    by_index: SharedMap[int, Link] = field(default_factory=SharedMap)
    by_name: SharedMap[str, Link] = field(default_factory=SharedMap)
    departed: Mapping[int, Disappeared] = field(
        default_factory=lambda: MappingProxyType({}), compare=False
    )

    @staticmethod
    def of(links: Iterable[Link]) -> LinkTable:
        """A table of these."""
        return LinkTable().having_only(links)

    def having_only(self, links: Iterable[Link]) -> LinkTable:
        """The successor that has just these; what is equal stays the same object."""
        there = {link.index: link for link in links}
        changed = {index: link for index, link in there.items() if self.by_index.get(index) != link}
        return self.having(dict.fromkeys(self.by_index.keys() - there.keys()) | changed)

    def having(self, news: Mapping[int, Link | None]) -> LinkTable:
        """The successor in which these indexes have these links, or none."""
        if not news:
            return self
        gone = {
            name
            for index in news
            if (old := self.by_index.get(index))
            for name in _names(old)
            if self.by_name.get(name) is old
        }
        there = {index: link for index, link in news.items() if link}
        named = {name: link for link in there.values() for name in link.alternative_names}
        named |= {link.name: link for link in there.values()}
        return replace(
            self,
            by_index=self.by_index.having(there, news.keys() - there.keys()),
            by_name=self.by_name.having(named, gone - named.keys()),
        )

    def other_end(self, link: Link) -> Link | None:
        """The other end of a veth pair, if it is in this network namespace."""
        return self.by_index.get(link.peer) if link.peer_namespace == -1 else None

    def ends(self, link: Link) -> tuple[Link, ...]:
        """The link, and the other end of a pair if it is in this network namespace."""
        other = self.other_end(link)
        return (link, other) if other and link.kind == "veth" else (link,)


def _names(link: Link) -> tuple[str, ...]:
    return (link.name, *link.alternative_names)
