"""Tells of links that come, change and go; a hint, not a record (rtnetlink(7), RTNLGRP_LINK)."""

from __future__ import annotations

import errno
import socket
import sys
from dataclasses import dataclass
from typing import TypeAlias

from hotswitch.base.closing import Closing
from hotswitch.kernel import netlink
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import (
    IFLA_NEW_IFINDEX,
    IFLA_NEW_NETNSID,
    RTM_DELLINK,
    RTM_NEWLINK,
    Link,
    information,
    parse,
)
from hotswitch.kernel.netlink import NetlinkSocket

_GROUP_LINK = 1
_RECEIVE_BUFFER = 4 << 20
_LOST = frozenset((errno.ENOBUFS, errno.ENOMEM, errno.EMSGSIZE))
"""A message had no room in this socket; or could not be made at all, which the kernel tells all who
listen by its own error (rtnl_set_sk_err in rtmsg_ifinfo_build_skb, net/core/rtnetlink.c)."""
_WHERE = frozenset((IFLA_NEW_NETNSID, IFLA_NEW_IFINDEX))


@dataclass(frozen=True, slots=True)
class Changed:
    """The link is new, or something about it is."""

    link: Link


@dataclass(frozen=True, slots=True)
class Departure:
    """A link's way to another network namespace: that one's id, and the link's index there.

    peer: the index of the device here that it stays tied to, or 0.
    """

    namespace: int
    index: int
    peer: int


@dataclass(frozen=True, slots=True)
class Removed:
    """The link has gone, from the machine or to another network namespace (`departure`)."""

    index: int
    name: str
    departure: Departure | None = None


@dataclass(frozen=True, slots=True)
class Overflow:
    """Events were lost: list the links again."""


LinkEvent: TypeAlias = Changed | Removed | Overflow


class LinkMonitor(Closing):
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

        First all that was removed, then what is there and has changed, each as it was told last.
        `Overflow` comes alone, and then nothing older than it comes any more. Raises KernelError.
        """
        removed: list[bytes] = []
        changed: dict[int, bytes] = {}
        try:
            for _ in range(limit):
                datagram = self._socket.receive()
                if datagram is None:
                    break
                for message in netlink.messages(datagram):
                    _note(message, removed, changed)
        except KernelError as error:
            if error.errno not in _LOST:
                raise
            self._drain()
            return [Overflow()]
        gone = map(_removed, removed)
        return [
            *(each for each in gone if each),
            *(Changed(link) for link in map(parse, changed.values()) if link),
        ]

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
                if error.errno not in _LOST:
                    raise

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def _note(message: netlink.Message, removed: list[bytes], changed: dict[int, bytes]) -> None:
    if message.type not in (RTM_NEWLINK, RTM_DELLINK) or len(message.body) < information.size:
        return
    family, _, index, _, _ = information.unpack_from(message.body)
    if family != socket.AF_UNSPEC:
        return
    changed.pop(index, None)  # so that they come in the order of the last message
    if message.type == RTM_NEWLINK:
        changed[index] = message.body
    else:
        removed.append(message.body)


def _removed(body: bytes) -> Removed | None:
    link = parse(body)
    if link is None:
        return None
    found = netlink.chosen_attributes(body, information.size, _WHERE)
    if not found.keys() >= _WHERE:
        return Removed(link.index, link.name)
    where, index = (_signed(found[each]) for each in (IFLA_NEW_NETNSID, IFLA_NEW_IFINDEX))
    peer = link.peer if link.peer_namespace == -1 else 0
    return Removed(link.index, link.name, Departure(where, index, peer))


def _signed(value: bytes) -> int:
    return int.from_bytes(value, sys.byteorder, signed=True)
