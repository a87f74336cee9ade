"""The control socket: many clients, each in its own task."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from hotswitch.app.control.codec import CodecError, Framer, Reply, Request, decode_request, encode

Answer = Callable[[Request], Awaitable[Reply]]

_CHUNK = 1 << 16
_log = logging.getLogger(__name__)


class ControlServer:
    """Listens on `path`, which only its owner may open, and has `answer` answer each request.

    A client that does not read its replies is not read from, and nobody else waits for it.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self._path = path
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start to listen, in place of a socket that an earlier daemon left. Raises OSError."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(str(self._path))
        finally:
            os.umask(mask)
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)

    def close(self) -> None:
        """Stop to listen; connections stay."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    async def hang_up(self) -> None:
        """End all connections."""
        for each in self._clients:
            each.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except ConnectionError:
            pass
        except asyncio.CancelledError:
            _log.debug("a client's connection is closed with the daemon")
        finally:
            self._clients.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        framer = Framer()
        while data := await reader.read(_CHUNK):
            try:
                for message in framer.feed(data):
                    writer.write(encode(await self._answer(decode_request(message))))
                    await writer.drain()
            except CodecError as error:
                writer.write(encode(Reply(error=str(error))))
                await writer.drain()
                return
