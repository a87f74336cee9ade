"""The kernel's links as a switch acts on them: `apply.Links` over rtnetlink."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType

from hotswitch.kernel import elsewhere, link_actions, link_deletion, netns, tap
from hotswitch.kernel.links import Link
from hotswitch.ports.link_changes import Appeared, Disappeared
from hotswitch.ports.link_id_file import KeptLinkIds
from hotswitch.ports.link_watch import Heard, LinkWatch
from hotswitch.switch.link_table import LinkTable

_MANY = 1 << 20
"""Messages to take in at one look: all."""
_DEPARTED = 256
"""Links that have gone to other network namespaces: the last of them are remembered."""


_log = logging.getLogger(__name__)


def _tell_nobody(heard: Heard) -> None:
    pass


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError.

    They are listed once; then what the kernel tells of changes is kept (`ports.link_watch`).
    """

    take_no_addresses = staticmethod(link_actions.take_no_addresses)
    change_flags = staticmethod(link_actions.change_flags)
    set_address = staticmethod(link_actions.set_address)
    set_mtu = staticmethod(link_actions.set_mtu)
    rename = staticmethod(link_actions.rename)
    delete_many = staticmethod(link_deletion.delete_many)

    def __init__(self, ids: KeptLinkIds | None = None) -> None:
        """ids: of all links, kept as they come and go; None: they have none."""
        self._ids = ids
        self._watch: LinkWatch | None = None
        self._table = LinkTable()
        self._silent: set[int] = set()
        self._departed: dict[int, Disappeared] = {}
        self._tell: Callable[[Heard], None] = _tell_nobody

    @staticmethod
    def create_veth(name: str, peer: str, mtu: int, address: int = 0) -> Link:
        """Make a pair of links; the one called `name`. mtu in bytes, 0: the usual.

        address: its MAC address, 48 bits; 0: any.
        """
        return link_actions.create_veth(name, peer, mtu=mtu, address=address)

    def create_tap(self, name: str, mark: str) -> Link:
        """Make a TAP device that has this alternative name; never one without it."""
        made = tap.create_tap(name, mark)
        self._silent.add(made.index)
        return made

    def add_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Give a link more names, all or, if the first can't be had, none."""
        self._silent.add(index)  # of a link that is down the kernel does not tell
        link_actions.add_alternative_names(index, names)

    def delete_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Take those of these alternative names away that the link has."""
        self._silent.add(index)
        link_actions.delete_alternative_names(index, names)

    @staticmethod
    def move(index: int, namespace: str, name: str) -> None:
        """Move a link to the network namespace of this name or path, and call it so there."""
        descriptor = netns.open_namespace(namespace)
        try:
            link_actions.move(index, descriptor, name)
        finally:
            os.close(descriptor)

    @staticmethod
    def calm_elsewhere(departed: Disappeared) -> None:
        """Turn promiscuous mode of a link off that has gone to another network namespace, if there
        is a way in."""
        where = departed.departure
        if where and not elsewhere.calm(where.namespace, where.index, departed.link.incarnation):
            _log.info(
                "%s stays promiscuous: there is no way into the network namespace where it is now",
                departed.link.name,
            )

    def doubt(self, indexes: Iterable[int]) -> None:
        """Have the next look ask for these links again.

        The kernel does not tell what others do to a link that is not up (`ports.observed`, rule 6).
        """
        self._silent.update(indexes)

    def fileno(self) -> int:
        """A descriptor that is readable when the kernel has told what no look has taken in."""
        return self._listening().fileno()

    def watch(self, tell: Callable[[Heard], None]) -> None:
        """Have this told in each look that takes in something.

        The descriptor tells of that no more, whoever has looked; who looks may not act on it.
        """
        self._tell = tell

    def _listening(self) -> LinkWatch:
        if self._watch is None:
            self._watch = LinkWatch()
        return self._watch

    def look(self) -> LinkTable:
        """All links, with everything that has been done to them until now."""
        watch, before = self._listening(), self._table
        try:
            return self._look(watch)
        finally:  # also for one that failed: the messages are read
            heard = watch.take_heard()
            if heard is Heard.NOTHING and self._table is not before:
                heard = Heard.SOMETHING  # it was asked for
            if heard is not Heard.NOTHING:
                self._tell(heard)

    def _look(self, watch: LinkWatch) -> LinkTable:
        silent = set(self._silent)
        changes = watch.look(*silent, limit=_MANY) if silent else watch.read(_MANY)
        self._silent -= silent
        if self._ids and changes:
            self._ids.follow(changes)
        news: dict[int, Link | None] = {}
        departed = dict(self._departed)
        for change in changes:
            if isinstance(change, Disappeared):
                news[change.link.index] = None
                if change.departure:
                    departed[change.link.incarnation] = change
            else:
                link = change.link if isinstance(change, Appeared) else change.new
                departed.pop(link.incarnation, None)
                news[link.index] = self._with_id(link)
        if departed != self._departed:
            self._departed = dict([*departed.items()][-_DEPARTED:])
            self._table = replace(self._table, departed=MappingProxyType(self._departed))
        self._table = self._table.having(news)
        return self._table

    def _with_id(self, link: Link) -> Link:
        found = self._ids.id_of(link) if self._ids else None
        return replace(link, id=found) if found else link

    def close(self) -> None:
        """Hear no more; the next look lists."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
            self._table = LinkTable()
