"""The server's sockets: a Unix socket of datagrams in order, in an asyncio loop that is running.

A client that does not read is not read from. What one client does never waits for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from pathlib import Path

from hotswitch.base import unix_socket
from hotswitch.base.errors import HotswitchError
from hotswitch.base.pieces import by_turns
from hotswitch.netlink.server.connection import Connection, receive_buffer
from hotswitch.netlink.server.conversation import Conversation
from hotswitch.netlink.server.core import Server
from hotswitch.netlink.server.journal_file import JournalFile
from hotswitch.netlink.server.session import Session

_BACKLOG = 4096
_PAUSE = 0.1
"""Seconds, where no descriptor is left."""
_SLICE = 0.002
"""Seconds of writing the journal anew before clients have their turn."""
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
        self._buffer = receive_buffer()
        self._listening: socket.socket | None = None
        self._conversations: dict[Session, Conversation] = {}
        self._accepting: asyncio.Task[None] | None = None
        self._tidying: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Raises ServeError."""
        try:
            self._listening = unix_socket.bind(self._path, socket.SOCK_SEQPACKET, self._group)
            self._listening.setblocking(False)
            self._listening.listen(_BACKLOG)
        except OSError as error:
            raise ServeError(f"{self._path}: can't listen: {error.strerror or error}") from error
        self._accepting = asyncio.get_running_loop().create_task(self._accept(self._listening))

    async def close(self) -> None:
        """Hang up on all."""
        for task in (self._accepting, self._tidying):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        for conversation in list(self._conversations.values()):
            await conversation.close()
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
        """Begin to write the journal anew if that pays."""
        if self._journal.is_outdated and self._tidying is None:
            self._tidying = asyncio.get_running_loop().create_task(self._rewrite())

    async def _rewrite(self) -> None:
        try:
            await by_turns(self._journal.rewriting(self._server.records()), _SLICE)
        except HotswitchError as error:
            _log.error("netlink: %s", error)
        finally:
            self._tidying = None

    def _kick(self) -> None:
        """Send events and packets to those who have got some."""
        for session in self._server.reached():
            conversation = self._conversations.get(session)
            if conversation is not None:
                conversation.connection.flush()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        is_said = False
        while True:
            try:
                client, _ = await loop.sock_accept(listening)
                is_said = False
                self._begin(client)
                with contextlib.suppress(BlockingIOError):
                    while True:  # as many as there are: those that wait here are refused soon
                        self._begin(listening.accept()[0])
            except OSError as error:
                if not is_said:
                    _log.warning("netlink: a client can't be taken yet: %s", error.strerror)
                is_said = True
                await asyncio.sleep(_PAUSE)

    def _begin(self, client: socket.socket) -> None:
        pid, _, _ = _CREDENTIALS.unpack(
            client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        session = self._server.connect(pid)
        connection = Connection(client, session, self._buffer)
        conversation = Conversation(self._server, session, connection, self._kick, self._forget)
        self._conversations[session] = conversation
        conversation.begin()

    def _forget(self, session: Session) -> None:
        self._server.disconnect(session)
        del self._conversations[session]
