"""One client's socket, in an asyncio loop that is running."""

from __future__ import annotations

import array
import asyncio
import os
import select
import socket
import stat

from hotswitch.netlink.server.session import Session

_LARGEST = 1 << 18
_DESCRIPTORS = 4
_BUFFER = 1 << 20
_TURN = 64
_TURN_BYTES = 1 << 15
"""Datagrams of one client, and about how many bytes, before others have their turn."""
_ANCILLARY = socket.CMSG_SPACE(_DESCRIPTORS * 4)


def receive_buffer() -> memoryview:
    """Room for one datagram, which connections may share."""
    return memoryview(bytearray(_LARGEST))


class Connection:
    """One client's socket.

    unsignalled: datagrams that have not been answered yet.
    """

    def __init__(self, client: socket.socket, session: Session, buffer: memoryview) -> None:
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self.unsignalled = 0
        self._owed = 0
        self.socket = client
        self._session = session
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._pending: bytes | None = None
        self._empty: asyncio.Future[None] | None = None
        self._signal = -1

    def receive(self) -> list[bytes] | None:
        """The datagrams that have come, but not more than are one turn's; None: the client has
        gone. Raises OSError.
        """
        found: list[bytes] = []
        receive, buffers = self.socket.recvmsg_into, [self._buffer]
        total = 0
        for _ in range(_TURN):
            if total >= _TURN_BYTES:
                break
            try:
                size, more, _, _ = receive(buffers, _ANCILLARY, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            if more:
                self._take_descriptors(more)
            if not size:  # its end, or an empty datagram, which says nothing
                if self._has_gone():
                    return found or None
                continue
            # What was cut off says in its header that it is longer: then it is refused.
            found.append(bytes(self._buffer[:size]))
            total += size
        return found

    def _has_gone(self) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def _take_descriptors(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        """A pipe is for signals; anything else is closed."""
        found = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found.frombytes(data[: len(data) - len(data) % found.itemsize])
        for descriptor in found:
            if self._signal < 0 and stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.set_blocking(descriptor, False)
                self._signal = descriptor
                self._session.signalled = True
            else:
                os.close(descriptor)

    def answered(self) -> None:
        """What has been received is answered: send that, and say so."""
        self._owed, self.unsignalled = self._owed + self.unsignalled, 0
        self.flush()

    def flush(self) -> bool:
        """Send what waits, as far as it goes at once; whether that is all."""
        try:
            while (data := self._pending or self._session.take()) is not None:
                self._pending = data
                self.socket.send(data, socket.MSG_NOSIGNAL)
                self._pending = None
        except BlockingIOError:
            if self._empty is None:
                self._empty = self._loop.create_future()
                self._loop.add_writer(self.socket, self._writable)
        except OSError:
            self._pending = None  # it has gone: the next `receive` tells
        if self._owed:
            self._say_so()
        return self._empty is None

    async def drained(self) -> None:
        """Return when all that waits has been sent."""
        while not self.flush():
            assert self._empty is not None
            await asyncio.shield(self._empty)

    def _writable(self) -> None:
        if self._empty is not None:
            self._loop.remove_writer(self.socket)
            _set(self._empty)
            self._empty = None
        self.flush()

    def _say_so(self) -> None:
        """Write the bytes that are owed, if there is a pipe for them."""
        if self._signal >= 0:
            try:
                os.write(self._signal, b"." * self._owed)
            except BlockingIOError:
                pass  # it has more signals than it can count
            except OSError:
                os.close(self._signal)
                self._signal = -1
                self._session.signalled = False
        self._owed = 0

    def close(self) -> None:
        """Hang up."""
        if self._empty is not None:
            self._loop.remove_writer(self.socket)
            self._empty.cancel()
        self.socket.close()
        if self._signal >= 0:
            os.close(self._signal)
            self._signal = -1


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
