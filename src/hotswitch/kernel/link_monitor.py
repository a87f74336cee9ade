"""Tells of links that come, change and go; a hint, not a record (rtnetlink(7), RTNLGRP_LINK)."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import RTM_DELLINK, RTM_NEWLINK, Link, information, parse
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

    def read(self, limit: int = 1024) -> list[LinkEvent]:
        """The events that are there, of at most about `limit` messages; never waits.

        First what was removed, then what changed. Of all that was told about a link only the last
        is told here: if it was removed and there is one of its index again, both. `Overflow` comes
        alone, and then nothing older than it comes any more. Raises KernelError.
        """
        removed: dict[int, bytes] = {}
        changed: dict[int, bytes] = {}
        try:
            for _ in range(limit):
                datagram = self._socket.receive()
                if datagram is None:
                    break
                for message in netlink.messages(datagram):
                    _note(message, removed, changed)
        except KernelError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._drain()
            return [Overflow()]
        gone = (Removed(link.index, link.name) for link in map(parse, removed.values()) if link)
        return [*gone, *(Changed(link) for link in map(parse, changed.values()) if link)]

    def _drain(self) -> None:
        """Throw away what is there, until nothing is.

        Once it has told of a loss, the kernel goes on losing messages without a further word until
        the buffer is empty (NETLINK_S_CONGESTED in net/netlink/af_netlink.c). So links that are
        listed before that could change unheard.
        """
        while True:
            try:
                if self._socket.receive() is None:
                    return
            except KernelError as error:
                if error.errno != errno.ENOBUFS:
                    raise

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


def _note(message: netlink.Message, removed: dict[int, bytes], changed: dict[int, bytes]) -> None:
    if message.type not in (RTM_NEWLINK, RTM_DELLINK) or len(message.body) < information.size:
        return
    family, _, index, _, _ = information.unpack_from(message.body)
    if family != socket.AF_UNSPEC:
        return
    changed.pop(index, None)  # so that they come in the order of the last message
    (changed if message.type == RTM_NEWLINK else removed)[index] = message.body
