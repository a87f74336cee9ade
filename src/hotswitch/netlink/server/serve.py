"""The server's sockets: a Unix socket of datagrams in order, in an asyncio loop that is running.

A client that does not read is not read from. What one client does never waits for another.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import os
import socket
import stat
import struct
from pathlib import Path

from hotswitch.base.errors import HotswitchError
from hotswitch.netlink.message import HEADER_SIZE, Header
from hotswitch.netlink.server.core import Server
from hotswitch.netlink.server.journal_file import JournalFile
from hotswitch.netlink.server.session import Session

_BACKLOG = 4096
_LARGEST = 1 << 18
_DESCRIPTORS = 4
_BUFFER = 1 << 20
_TURN = 64
"""Datagrams of one client before others have their turn."""
_PAUSE = 0.1
"""Seconds, where no descriptor is left."""
_CREDENTIALS = struct.Struct("=iII")

_log = logging.getLogger(__name__)


class ServeError(HotswitchError):
    """The socket can't be made."""


class NetlinkServer:
    """Serves on a socket that only its owner, and `group` if given, may use."""

    def __init__(
        self, path: Path, server: Server, journal: JournalFile, *, group: int | None = None
    ) -> None:
        self._path = path
        self._server = server
        self._journal = journal
        self._group = group
        self._buffer = memoryview(bytearray(_LARGEST))
        self._listening: socket.socket | None = None
        self._connections: dict[Session, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin. Raises ServeError."""
        try:
            self._listening = _bind(self._path, self._group)
        except OSError as error:
            raise ServeError(f"{self._path}: can't listen: {error.strerror or error}") from error
        self._spawn(self._accept(self._listening))

    async def close(self) -> None:
        """Hang up on all."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listening is not None:
            self._listening.close()
            self._path.unlink(missing_ok=True)

    def links_changed(self) -> None:
        """Something happened to devices."""
        try:
            self._server.links_changed()
        except HotswitchError as error:
            _log.error("netlink: %s", error)
        self._kick()

    def arrived(self, name: str) -> None:
        """Packets have come to user space from a datapath."""
        for own in self._server.datapaths.values():
            if own.name == name:
                self._server.upcalls(own)
                break
        self._kick()

    def tidy(self) -> None:
        """Write the journal anew if that pays."""
        if self._journal.is_outdated:
            try:
                self._journal.rewrite(self._server.records())
            except HotswitchError as error:
                _log.error("netlink: %s", error)

    def _kick(self) -> None:
        """Send events and packets to those who have got some."""
        for session in self._server.reached():
            connection = self._connections.get(session)
            if connection is not None:
                connection.flush()

    def _spawn(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listening)
                self._spawn(self._serve(client))
                with contextlib.suppress(BlockingIOError):
                    while True:  # as many as there are: those that wait here are refused soon
                        self._spawn(self._serve(listening.accept()[0]))
            except OSError as error:
                _log.warning("netlink: a client can't be taken: %s", error.strerror)
                await asyncio.sleep(_PAUSE)

    async def _serve(self, client: socket.socket) -> None:
        pid, _, _ = _CREDENTIALS.unpack(
            client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        session = self._server.connect(pid)
        connection = Connection(client, session, self._buffer)
        self._connections[session] = connection
        try:
            await self._converse(connection, session)
        except OSError as error:
            _log.debug("netlink: a connection has ended: %s", error)
        except Exception:
            _log.exception("netlink: a bug ends a connection")
        finally:
            self._server.disconnect(session)
            del self._connections[session]
            connection.close()

    async def _converse(self, connection: Connection, session: Session) -> None:
        while datagrams := await connection.receive():
            connection.unsignalled = len(datagrams)
            requests: list[bytes] = []
            for datagram in datagrams:
                # What is no message is refused after what came before it.
                if len(datagram) < HEADER_SIZE or Header.unpack(datagram).length > len(datagram):
                    await self._carry_out(connection, session, requests)
                    requests = []
                requests += self._server.split(session, datagram)
            await self._carry_out(connection, session, requests)
            connection.answered()
            self._kick()
            await connection.drained()
            await asyncio.sleep(0)

    async def _carry_out(
        self, connection: Connection, session: Session, requests: list[bytes]
    ) -> None:
        done = 0
        while done < len(requests):
            count, waiting = self._server.receive_some(session, requests[done:])
            done += count
            if waiting is not None:
                await asyncio.wait([asyncio.wrap_future(waiting)])
            while session.dump is not None:
                connection.answered()
                await connection.drained()
                await asyncio.sleep(0)
                self._server.more(session)


class Connection:
    """One client's socket.

    unsignalled: datagrams that have not been answered yet.
    """

    def __init__(self, client: socket.socket, session: Session, buffer: memoryview) -> None:
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self.unsignalled = 0
        self._owed = 0
        self._socket = client
        self._session = session
        self._buffer = buffer
        self._loop = asyncio.get_running_loop()
        self._pending: bytes | None = None
        self._empty: asyncio.Future[None] | None = None
        self._signal = -1

    async def receive(self) -> list[bytes]:
        """The datagrams that have come, at least one, but not more than are one turn's.

        If there are none, the client has gone. Raises OSError.
        """
        found: list[bytes] = []
        while len(found) < _TURN:
            try:
                size, more, _, _ = self._socket.recvmsg_into(
                    [self._buffer],
                    socket.CMSG_SPACE(_DESCRIPTORS * 4),
                    socket.MSG_CMSG_CLOEXEC,
                )
            except BlockingIOError:
                if found:
                    break
                await self._readable()
                continue
            if more:
                self._take_descriptors(more)
            if not size:
                break
            # What was cut off says in its header that it is longer: then it is refused.
            found.append(bytes(self._buffer[:size]))
        return found

    async def _readable(self) -> None:
        ready = self._loop.create_future()
        self._loop.add_reader(self._socket, _set, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._socket)

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
                self._socket.send(data, socket.MSG_NOSIGNAL)
                self._pending = None
        except BlockingIOError:
            if self._empty is None:
                self._empty = self._loop.create_future()
                self._loop.add_writer(self._socket, self._writable)
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
            self._loop.remove_writer(self._socket)
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
        self._owed = 0

    def close(self) -> None:
        """Hang up."""
        if self._empty is not None:
            self._loop.remove_writer(self._socket)
            self._empty.cancel()
        self._socket.close()
        if self._signal >= 0:
            os.close(self._signal)
            self._signal = -1


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _bind(path: Path, group: int | None) -> socket.socket:
    """A socket at `path`, in place of one that nobody listens on any more. Raises OSError."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        if path.is_socket():
            _remove_dead(path)
        mask = os.umask(0o177)
        try:
            listening.bind(str(path))
        finally:
            os.umask(mask)
        if group is not None:
            os.chown(path, -1, group)
            path.chmod(0o660)
        listening.listen(_BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def _remove_dead(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except (BlockingIOError, OSError):
            return
