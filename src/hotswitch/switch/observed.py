"""What is there: the kernel's links and the datapaths with what is in them, as values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from hotswitch.kernel.links import Link
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Meter, Port


@dataclass(frozen=True, slots=True)
class ObservedDatapath:
    """A datapath's ports by number, its entries and its meters."""

    ports: Mapping[int, Port] = field(default_factory=lambda: MappingProxyType({}))
    entries: Mapping[EntryKey, Entry] = field(default_factory=lambda: MappingProxyType({}))
    meters: Mapping[int, Meter] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Observed:
    """All of it, as seen at one moment.

    owner: what tells this daemon's local links from those of another one.
    """

    links: tuple[Link, ...] = ()
    datapaths: Mapping[str, ObservedDatapath] = field(default_factory=lambda: MappingProxyType({}))
    owner: str = ""

    @cached_property
    def by_index(self) -> Mapping[int, Link]:
        """The links by the kernel's index."""
        return {link.index: link for link in self.links}

    @cached_property
    def by_name(self) -> Mapping[str, Link]:
        """The links by name and by alternative name; names come first."""
        named = {name: link for link in self.links for name in link.alternative_names}
        return named | {link.name: link for link in self.links}

    @cached_property
    def insides(self) -> Mapping[str, Link]:
        """By bridge, the inner ends of the local links that hotswitch has made.

        A bridge's local link is a veth pair: the outer end has the bridge's name and is the
        host's, the inner end is the datapath's port. The inner end is known by its mark, whatever
        it is called, or before it has one by the names of both ends.
        """
        prefix = local_mark(self.owner, "")
        found: dict[str, Link] = {}
        for link in self.links:
            if link.kind != "veth":
                continue
            for name in link.alternative_names:
                if name.startswith(prefix):
                    found[name.removeprefix(prefix)] = link
            outer = self.other_end(link)
            if outer and link.name == inside_name(self.owner, outer.name):
                found.setdefault(outer.name, link)
        return found

    def other_end(self, link: Link) -> Link | None:
        """The other end of a veth pair, if it is in this network namespace."""
        return self.by_index.get(link.peer) if link.peer_namespace == -1 else None


def inside_name(owner: str, bridge: str) -> str:
    """The name that the inner end of a bridge's local link is made with."""
    return "hs-" + hashlib.sha256(f"{owner}/{bridge}".encode()).hexdigest()[:8]


def local_mark(owner: str, bridge: str) -> str:
    """The alternative name that marks the inner end of a bridge's local link."""
    return f"hotswitch-{owner}-{bridge}"
