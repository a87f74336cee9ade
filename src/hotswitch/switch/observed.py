"""What is there: the kernel's links and the datapaths with what is in them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.port import Meter, Port
from hotswitch.switch.link_table import LinkTable


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
    machine: what tells this machine from others, for addresses.
    """

    links: LinkTable = field(default_factory=LinkTable)
    datapaths: Mapping[str, ObservedDatapath] = field(default_factory=lambda: MappingProxyType({}))
    owner: str = ""
    machine: str = ""

    def ports(self, bridge: str) -> Mapping[int, Port]:
        """The ports of a bridge's datapath; none if there is no datapath."""
        found = self.datapaths.get(bridge)
        return found.ports if found else {}
