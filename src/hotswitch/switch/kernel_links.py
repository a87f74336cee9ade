"""The kernel's links as a switch acts on them: `apply.Links` over rtnetlink."""

from __future__ import annotations

from hotswitch.kernel import link_actions, links, tap
from hotswitch.kernel.link_monitor import Changed, LinkEvent, LinkMonitor, Overflow, Removed
from hotswitch.kernel.links import Link
from hotswitch.switch.link_table import LinkTable


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError.

    They are listed once; then what the kernel tells of changes is kept, until it says that it
    could not tell all.
    """

    take_no_addresses = staticmethod(link_actions.take_no_addresses)
    set_up = staticmethod(link_actions.set_up)
    set_promiscuous = staticmethod(link_actions.set_promiscuous)
    set_address = staticmethod(link_actions.set_address)
    set_mtu = staticmethod(link_actions.set_mtu)
    delete = staticmethod(link_actions.delete)

    def __init__(self) -> None:
        self._monitor: LinkMonitor | None = None
        self._table = LinkTable()
        self._silent: set[int] = set()

    @staticmethod
    def create_veth(name: str, peer: str, mtu: int) -> Link:
        """Make a pair of links; the one called `name`. mtu in bytes, 0: the usual."""
        return link_actions.create_veth(name, peer, mtu=mtu)

    def create_tap(self, name: str, mark: str) -> Link:
        """Make a TAP device that has this alternative name; never one without it."""
        made = tap.create_tap(name, mark)
        self._silent.add(made.index)
        return made

    def add_alternative_name(self, index: int, name: str) -> None:
        """Give a link one more name."""
        self._silent.add(index)  # of a link that is down the kernel does not tell
        link_actions.add_alternative_name(index, name)

    def look(self) -> LinkTable:
        """All links, with everything that has been done to them until now."""
        if self._monitor is None:
            self._monitor = LinkMonitor()
            self._table = self._table.having_only(links.list_links())
        while events := self._monitor.read():
            if any(isinstance(each, Overflow) for each in events):
                self._table = self._table.having_only(links.list_links())
            else:
                self._follow(events)
        if self._silent:
            self._table = self._table.having({each: links.get_link(each) for each in self._silent})
            self._silent.clear()
        return self._table

    def _follow(self, events: list[LinkEvent]) -> None:
        """Keep what is told; look oneself at those of whom nothing is told.

        That is the end of a pair whose other end has come from or gone to another namespace.
        """
        news: dict[int, Link | None] = {}
        for each in events:
            if isinstance(each, Changed):
                news[each.link.index] = each.link
            elif isinstance(each, Removed):
                news[each.index] = None
        before, after = self._table, self._table.having(news)
        for index in news:
            old, new = before.by_index.get(index), after.by_index.get(index)
            moved = old or new
            if (old is None or new is None) and moved and moved.peer in after.by_index:
                self._silent.add(moved.peer)
        self._table = after

    def close(self) -> None:
        """Hear no more; the next look lists."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
