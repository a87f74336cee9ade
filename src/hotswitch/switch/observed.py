"""What is there: the kernel's links and the datapaths with what is in them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from hotswitch.kernel.links import Link
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Meter, Port
from hotswitch.switch.desired import PortKind
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import is_pair_of, ports_marked


@dataclass(frozen=True, slots=True)
class ObservedDatapath:
    """A datapath's ports by number, its entries, its meters, and its room for addresses."""

    ports: Mapping[int, Port] = field(default_factory=lambda: MappingProxyType({}))
    entries: Mapping[EntryKey, Entry] = field(default_factory=lambda: MappingProxyType({}))
    meters: Mapping[int, Meter] = field(default_factory=lambda: MappingProxyType({}))
    address_limit: int = 0


@dataclass(frozen=True)
class Observed:
    """All of it, as seen at one moment.

    owner: what tells links made by this daemon from those of another one.
    """

    links: LinkTable = field(default_factory=LinkTable)
    datapaths: Mapping[str, ObservedDatapath] = field(default_factory=lambda: MappingProxyType({}))
    owner: str = ""

    @cached_property
    def made(self) -> Mapping[tuple[PortKind, str], Link]:
        """The links that this daemon has made, by the port that each was made for.

        For an internal port that is the inner end of a veth pair, whose outer end has the port's
        name and is the host's. A cable has an end for each of two patch ports.
        """
        return {
            made: link
            for link in self.links.by_index.values()
            for made in ports_marked(self.owner, link)
        }

    @cached_property
    def own(self) -> frozenset[int]:
        """The indexes of all links that this daemon has made, both ends of pairs."""
        pairs = (*self.made.values(), *(inside for _, inside in self.unfinished))
        return frozenset(end.index for link in pairs for end in self.links.ends(link))

    @cached_property
    def unfinished(self) -> tuple[tuple[Link, Link], ...]:
        """The pairs that this daemon has made without coming to mark them: outer and inner end."""
        marked = {end.index for link in self.made.values() for end in self.links.ends(link)}
        return tuple(
            (outer, link)
            for link in self.links.by_index.values()
            if link.kind == "veth" and link.index not in marked
            if (outer := self.links.other_end(link)) and is_pair_of(self.owner, link, outer)
        )
