"""One socket: its port id, its memberships, and what is to be sent to it."""

from __future__ import annotations

import errno
from collections import deque

from hotswitch.netlink.codec import Codec
from hotswitch.netlink.flags import CAPPED
from hotswitch.netlink.message import HEADER_SIZE, Acknowledgement
from hotswitch.netlink.server.listing import Listing

EVENTS = 1 << 20
"""Bytes of events that wait for a slow reader, at most."""
PACKETS = 4 << 20
"""Bytes of packets likewise."""

TOGETHER = 1 << 15
"""Bytes after which no more is put into one datagram. With the longest of what there is, it still
is one that a Unix socket takes with its usual buffer."""

LOST = Acknowledgement(errno.ENOBUFS, bytes(HEADER_SIZE), flags=CAPPED)
"""What a reader is told that was too slow: an error, to no request (its sequence number is 0)."""
_LOST = Codec().encode(LOST)


class Queue:
    """Datagrams that wait, of at most so many bytes together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._waiting: deque[bytes] = deque()

    def put(self, data: bytes) -> bool:
        """Whether there was room."""
        if self._bytes + len(data) > self._limit:
            return False
        self._waiting.append(data)
        self._bytes += len(data)
        return True

    def take(self) -> bytes | None:
        """The oldest, or None."""
        if not self._waiting:
            return None
        data = self._waiting.popleft()
        self._bytes -= len(data)
        return data

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._bytes = 0


class Session:
    """A client's socket, as the server sees it.

    answers: to be sent, the oldest first. dump: a listing that is to go on.
    extended, capped: NETLINK_EXT_ACK, NETLINK_CAP_ACK. together: a datagram may be several of
    what waits. signalled: it has handed over a pipe to be written to.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.groups: set[int] = set()
        self.extended = False
        self.capped = False
        self.together = False
        self.signalled = False
        self.answers: deque[bytes] = deque()
        self.dump: Listing | None = None
        self._events = Queue(EVENTS)
        self._packets = Queue(PACKETS)
        self._lost = False
        self._congested = False

    def announce(self, event: bytes) -> None:
        """An event. If there is no room, it and those that wait are dropped, and that is said."""
        if not self._events.put(event):
            self._events.clear()
            self._lost = True

    def deliver(self, packet: bytes) -> bool:
        """A packet for user space; whether there was room."""
        if self._packets.put(packet):
            return True
        self.overrun()
        return False

    def overrun(self) -> None:
        """Packets for it were lost. That is said once until all that wait have been read, as the
        kernel does (net/netlink/af_netlink.c, netlink_overrun)."""
        if not self._congested:
            self._congested = self._lost = True

    def take(self) -> bytes | None:
        """The datagram to be sent next."""
        data = self._next()
        if data is None or not self.together:
            return data
        parts, size = [data], len(data)
        while size < TOGETHER and (following := self._next()) is not None:
            if padding := -size % 4:
                parts.append(bytes(padding))
            parts.append(following)
            size += padding + len(following)
        return b"".join(parts) if len(parts) > 1 else data

    def _next(self) -> bytes | None:
        """What comes next: answers, then events, then packets."""
        if self.answers:
            return self.answers.popleft()
        if self._lost:
            self._lost = False
            return _LOST
        found = self._events.take() or self._packets.take()
        if found is None:
            self._congested = False
        return found
