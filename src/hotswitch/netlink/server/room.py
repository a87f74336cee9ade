"""The datapaths of one daemon: which there are, and a memory of what is in them."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from hotswitch.headers.registry import Registry
from hotswitch.kernel import links
from hotswitch.kernel.error import KernelError
from hotswitch.netlink import ports
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.server.outside import Memory, Outside
from hotswitch.netlink.server.own_datapath import OwnDatapath, Vport
from hotswitch.netlink.server.records import Record


class Room:
    """All datapaths, by number."""

    def __init__(
        self, registry: Registry, outside: Outside, memory: Memory, generation: int
    ) -> None:
        self.registry = registry
        self.outside = outside
        self.generation = generation
        self._first_generation = generation
        self._memory = memory
        self.datapaths: dict[int, OwnDatapath] = {}

    def keep(self, *records: Record) -> None:
        """Know these after a restart."""
        if records:
            self._memory.append(records)

    def add(self, own: OwnDatapath) -> None:
        """Add a datapath."""
        own.generation = own.flows.generation = self._first_generation
        own.lost_below = own.datapath.counters().lost
        self.datapaths[own.number] = own
        self.generation += 1

    def by_name(self, name: str) -> OwnDatapath | None:
        """The datapath of this name."""
        return next((each for each in self.datapaths.values() if each.name == name), None)

    def find(self, number: int) -> OwnDatapath:
        """The datapath of this number. Raises NetlinkError."""
        found = self.datapaths.get(number)
        if found is None:
            raise NetlinkError(f"there is no datapath {number & 0xFFFFFFFF}", errno=errno.ENODEV)
        return found

    def vport(self, name: str) -> tuple[OwnDatapath, Vport] | None:
        """The vport whose device has this name, and its datapath."""
        for own in self.datapaths.values():
            vport = own.by_name(name)
            if vport is not None:
                return own, vport
        return None

    def by_link(self, index: int) -> tuple[OwnDatapath, Vport] | None:
        """The vport that has taken the link of this index, and its datapath."""
        for own in self.datapaths.values():
            for number, port in own.datapath.ports().items():
                if any(link.ifindex == index for link in port.links):
                    return own, own.vports[ports.from_model(number)]
        return None

    def records(self) -> Iterator[Record]:
        """All that there is to know of datapaths, vports and flows.

        Each as it is when it is its turn; they may change meanwhile.
        """
        for own in list(self.datapaths.values()):
            for record in own.records():
                if self.datapaths.get(own.number) is not own:
                    break
                yield record


def check_name(name: str) -> None:
    """Raise NetlinkError for what no device is called."""
    try:
        links.check_name(name)
        name.encode()
    except (KernelError, UnicodeEncodeError):
        raise NetlinkError("no device can have this name", path=("name",)) from None
