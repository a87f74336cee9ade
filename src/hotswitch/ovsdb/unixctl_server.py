"""The control socket: many clients, one request of each at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Collection
from pathlib import Path

from hotswitch.base import unix_socket
from hotswitch.ovsdb.jsonrpc import Framer, ProtocolError, Request, encode
from hotswitch.ovsdb.remotes import RemoteError
from hotswitch.ovsdb.unixctl import Commands, Conversation

_CHUNK = 1 << 16
_MAXIMUM_REQUEST = 1 << 20
_GRACE = 2.0
"""Seconds that commands in progress and clients have in the end."""

_log = logging.getLogger(__name__)


class ControlServer:
    """Listens on a Unix socket that only its owner, and `group` if given, may use."""

    def __init__(self, path: Path, commands: Commands, *, group: int | None = None) -> None:
        self._path = path
        self._commands = commands
        self._group = group
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> None:
        """Begin to listen. Raises RemoteError."""
        try:
            listening = unix_socket.bind(self._path, socket.SOCK_STREAM, self._group)
            self._server = await asyncio.start_unix_server(self._serve, sock=listening)
        except OSError as error:
            what = f"{self._path}: can't listen: {error.strerror or error}"
            raise RemoteError(what) from error

    async def hang_up(self, *, but: Collection[asyncio.Task[None]] = ()) -> None:
        """Take no more clients and commands; only those in the tasks `but` are still answered."""
        self._closing = True
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)
        await _cancel(self._clients.difference(but))

    async def close(self) -> None:
        """End, and hang up; commands in progress are still answered."""
        await self.hang_up(but=self._busy)
        if self._busy:
            await asyncio.wait(self._busy, timeout=_GRACE)
        await _cancel(self._clients)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        framer, conversation = Framer(_MAXIMUM_REQUEST), Conversation()
        try:
            while not self._closing and (data := await reader.read(_CHUNK)):
                self._busy.add(task)
                for message in framer.feed(data):
                    if isinstance(message, Request):
                        reply = await self._commands.answer(message, conversation)
                        writer.write(encode(reply))
                        await writer.drain()
                    if self._closing:
                        return
                self._busy.discard(task)
        except ProtocolError as error:
            _log.warning("control socket: %s", error)
        except (ConnectionError, asyncio.CancelledError):
            _log.debug("a control connection is over")
        finally:
            self._clients.discard(task)
            self._busy.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
