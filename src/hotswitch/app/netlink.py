"""Datapaths over Netlink messages, beside the bridges."""

from __future__ import annotations

from hotswitch.app.paths import RunDirectory
from hotswitch.app.world import Outside, WatchedDatapath
from hotswitch.base.clock import Clock
from hotswitch.headers.registry import Registry
from hotswitch.netlink.server.book import Book
from hotswitch.netlink.server.core import Server
from hotswitch.netlink.server.devices import Devices, remove
from hotswitch.netlink.server.ending import give_back
from hotswitch.netlink.server.journal_file import JournalFile
from hotswitch.netlink.server.serve import NetlinkServer
from hotswitch.switch.world import World


class Netlink:
    """The server on `netlink.sock`, with all that it needs."""

    def __init__(
        self,
        files: RunDirectory,
        outside: Outside,
        world: World,
        registry: Registry,
        clock: Clock,
        group: int | None,
    ) -> None:
        """Take over what an earlier daemon left. Raises HotswitchError."""
        self._outside = outside
        self._world = world
        self._journal = JournalFile(files.netlink_journal)
        found = outside.netlink_datapaths()
        self._devices = Devices(world.links, outside.netlink_owner, self._make, found, self._taken)
        known = self._journal.known()
        self._core = Server(registry, clock, self._devices, self._journal, known)
        self._server = NetlinkServer(files.netlink, self._core, self._journal, group=group)
        self.links_changed = self._server.links_changed
        self.tidy = self._server.tidy
        for datapath in found.values():
            self._watch(datapath)

    def start(self) -> None:
        """Serve. Raises HotswitchError."""
        self._server.start()

    async def hang_up(self) -> None:
        """Serve no more."""
        await self._server.close()

    def close(self, *, stop_forwarding: bool) -> None:
        """Let go of it all; the datapaths go on, unless they are to end."""
        for own in self._core.datapaths.values():
            if stop_forwarding:
                as_found = {each.number for each in own.vports.values() if not each.taken}
                give_back(self._devices, own.datapath.ports(), as_found)
                own.datapath.destroy()
            else:
                own.datapath.close()
        if stop_forwarding:
            remove(self._world.links, self._outside.netlink_owner)
            self._journal.rewrite(())
        self._devices.close()
        self._journal.close()

    def _make(self, name: str) -> WatchedDatapath:
        datapath = self._outside.netlink_datapath(name)
        self._watch(datapath)
        return datapath

    def _watch(self, datapath: WatchedDatapath) -> None:
        datapath.arrived = lambda: self._server.arrived(datapath.name)

    def _taken(self, index: int) -> str:
        for name, datapath in self._world.datapaths.items():
            for port in datapath.ports().values():
                if any(link.ifindex == index for link in port.links):
                    return f"bridge {name}"
        return ""


def clean_up(files: RunDirectory, outside: Outside, world: World) -> None:
    """End the datapaths of an earlier daemon's clients, and remove the devices that it made for
    them. Raises HotswitchError."""
    owner = outside.netlink_owner
    found = outside.netlink_datapaths()
    devices = Devices(world.links, owner, outside.netlink_datapath, found, lambda _: "")
    journal = JournalFile(files.netlink_journal)
    try:
        book = Book(journal.known())
        for name, datapath in found.items():
            give_back(devices, datapath.ports(), book.as_found(name))
            datapath.destroy()
        remove(world.links, owner)
        journal.rewrite(())
    finally:
        devices.close()
        journal.close()
