"""Tells of links that come, change and go; a hint, not a record (rtnetlink(7), RTNLGRP_LINK)."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import RTM_DELLINK, RTM_NEWLINK, Link, parse
from hotswitch.kernel.netlink import NetlinkSocket

_GROUP_LINK = 1
_RECEIVE_BUFFER = 4 << 20


@dataclass(frozen=True, slots=True)
class Changed:
    """The link is new, or something about it is."""

    link: Link


@dataclass(frozen=True, slots=True)
class Removed:
    """The link has gone, from the machine or to another network namespace."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class Overflow:
    """Events were lost: list the links again."""


LinkEvent: TypeAlias = Changed | Removed | Overflow


class LinkMonitor:
    """Listens from its making on: make it first, then list the links."""

    def __init__(self, *, receive_buffer: int = _RECEIVE_BUFFER) -> None:
        """Listen with a buffer of so many bytes, in this thread's namespace. Raises KernelError."""
        self._socket = NetlinkSocket(
            netlink.ROUTE, groups=(_GROUP_LINK,), receive_buffer=receive_buffer
        )

    def fileno(self) -> int:
        """A descriptor that is readable when there are events."""
        return self._socket.fileno()

    def read(self, limit: int = 256) -> list[LinkEvent]:
        """The events that are there, at most about `limit`, in order; never waits.

        Raises KernelError.
        """
        events: list[LinkEvent] = []
        while len(events) < limit:
            try:
                datagram = self._socket.receive()
            except KernelError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                events.append(Overflow())
                continue
            if datagram is None:
                break
            for message in netlink.messages(datagram):
                event = _event(message)
                if event:
                    events.append(event)
        return events

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _event(message: netlink.Message) -> LinkEvent | None:
    if message.type not in (RTM_NEWLINK, RTM_DELLINK):
        return None
    link = parse(message.body)
    if link is None:
        return None
    return Changed(link) if message.type == RTM_NEWLINK else Removed(link.index, link.name)
