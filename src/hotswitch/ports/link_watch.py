"""Follows the links of a network namespace: what the kernel tells, and what is in sysfs.

There is no waiting for more: act on what `read` gives. What happens meanwhile waits in the socket's
buffer and is the next flock, so a caller that is busy gets fewer and larger ones by itself.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable, Mapping

from hotswitch.base.closing import Closing
from hotswitch.kernel import netlink, netns
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_monitor import Changed, LinkEvent, LinkMonitor, Overflow, Removed
from hotswitch.kernel.links import Link, LinkLister, get_link
from hotswitch.kernel.netlink import NetlinkSocket
from hotswitch.ports.incarnation import incarnations
from hotswitch.ports.link_changes import LinkChange
from hotswitch.ports.observed import LinkBook

_RECEIVE_BUFFER = 4 << 20

_AT_ONCE = 1024
_ROUNDS = 64
"""So often the messages are read before listing, while there are more."""

_log = logging.getLogger(__name__)


class Heard(enum.Enum):
    """What the kernel has told, whether or not it changed anything."""

    NOTHING = enum.auto()
    SOMETHING = enum.auto()
    TOO_MUCH = enum.auto()
    """Some of it was lost."""


class LinkWatch(Closing):
    """The links of the network namespace of the thread that makes this.

    Afterwards it does not matter in which namespace a thread is that uses it; one at a time may.

    namespace: which one, as `netns.identity` tells it.
    """

    def __init__(self, *, receive_buffer: int = _RECEIVE_BUFFER) -> None:
        """Listen, with a buffer of so many bytes. The first `read` lists. Raises KernelError."""
        self.namespace = netns.identity()
        self._monitor = LinkMonitor(receive_buffer=receive_buffer)
        try:
            self._asker = NetlinkSocket(netlink.ROUTE)
        except BaseException:
            self._monitor.close()
            raise
        self._lister = LinkLister(self._asker)
        self._incarnations = incarnations()
        self._book = LinkBook(self._incarnations)
        self._heard = Heard.NOTHING

    @property
    def links(self) -> Mapping[int, Link]:
        """The links by index, as `read` or `look` have found them last."""
        return self._book.links

    def fileno(self) -> int:
        """A descriptor that is readable when `read` has something to do."""
        return self._monitor.fileno()

    def read(self, limit: int = _AT_ONCE) -> list[LinkChange]:
        """Take in what the kernel has told since, at most about `limit` messages, and list the
        links where some were lost. It does not wait for more. Raises KernelError; the next call
        makes up for it.
        """
        was_stale = self._book.stale
        self._hear(limit)
        if self._book.stale:
            if not was_stale:
                _log.info("link messages were lost: all links are listed")
            self._list()
        self._ask_doubtful()
        return self._book.take_changes()

    def look(self, *indexes: int, limit: int = _AT_ONCE) -> list[LinkChange]:
        """Look at these links again, after something was done to them that the kernel does not
        tell, such as an alternative name for a link that is not up; then `read`. Raises
        KernelError.
        """
        self._hear(limit)
        self._ask(indexes)
        return self.read(limit)

    def take_heard(self) -> Heard:
        """What was read since the last call.

        Who waits for the descriptor asks after each `read` and `look` of others: what those have
        read, it does not tell any more.
        """
        heard, self._heard = self._heard, Heard.NOTHING
        return heard

    def _hear(self, limit: int) -> bool:
        """Take in at most about so many messages; whether there were any. Raises KernelError."""
        try:
            events = self._monitor.read(limit)
        except KernelError:
            self._book.apply([Overflow()])  # what came before the error is lost
            raise
        if any(isinstance(each, Overflow) for each in events):
            self._heard = Heard.TOO_MUCH
        elif events and self._heard is Heard.NOTHING:
            self._heard = Heard.SOMETHING
        self._book.apply(events)
        return bool(events)

    def _list(self) -> None:
        """What was told before must not be applied after it."""
        for _ in range(_ROUNDS):
            if not self._hear(_AT_ONCE):
                break
        links, complete = self._lister.list()
        self._book.listed(links, complete=complete)

    def _ask_doubtful(self) -> None:
        while doubtful := self._book.take_doubtful():
            self._ask(doubtful)

    def _ask(self, indexes: Iterable[int]) -> None:
        events: list[LinkEvent] = []
        for index in indexes:
            link = get_link(index, self._asker)
            events.append(Changed(link) if link else Removed(index, ""))
        self._book.apply(events)

    def close(self) -> None:
        """Stop listening."""
        self._monitor.close()
        self._asker.close()
        self._incarnations.close()
