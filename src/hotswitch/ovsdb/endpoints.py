"""Where connections come from: sockets that listen, and peers that are called again and again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hotswitch.base import unix_socket
from hotswitch.ovsdb.connection import Connection
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.log_limit import LogLimit
from hotswitch.ovsdb.remotes import Connect, Listen, Options, RemoteError, Transport
from hotswitch.ovsdb.tls import Tls, explain, take_authority

MAXIMUM_CONNECTIONS = 2000
"""Clients of one listener."""

_RECEIVED_AT_ONCE = 64 << 10
_DEFAULT_PROBE = 5.0
_HANDSHAKE = 10.0
_PAUSE = 1.0
"""Seconds between the first two calls; it doubles each time."""

_log = logging.getLogger(__name__)


class Endpoint(Protocol):
    """A remote in use."""

    @property
    def connections(self) -> set[Connection]:
        """Who is connected."""

    async def start(self) -> None:
        """Begin. Raises RemoteError."""

    async def close(self) -> None:
        """End, and close all connections."""

    def status(self) -> dict[str, str]:
        """Return what a Manager's `status` column says."""

    async def secure(self, tls: Tls) -> None:
        """Use these settings, or what is now in their files, for connections from now on.

        Raises RemoteError; then it goes on with those of before.
        """


class _Connections:
    """The connections of an endpoint."""

    def __init__(self, name: str, databases: Databases, options: Options) -> None:
        self.name = name
        self.connections: set[Connection] = set()
        self._databases = databases
        self._options = options
        self._limit = LogLimit(logger=__name__)
        self._buffer = bytearray(_RECEIVED_AT_ONCE)
        self._to_flush: list[Connection] = []
        self._empty = asyncio.Event()
        self._empty.set()

    def _connection(self, probe: bool) -> Connection:
        default = _DEFAULT_PROBE if probe else 0.0
        given = self._options.probe
        interval = default if given is None else given / 1000
        return Connection(
            self.name,
            self._databases,
            self._options,
            interval,
            self._buffer,
            self._opened,
            self._written,
            self._over,
        )

    def _opened(self, connection: Connection) -> None:
        self.connections.add(connection)
        self._empty.clear()

    def _written(self, connection: Connection) -> None:
        """Collect what all send in one turn of the loop, and send it at the turn's end."""
        if not self._to_flush:
            asyncio.get_running_loop().call_soon(self._flush)
        self._to_flush.append(connection)

    def _flush(self) -> None:
        connections, self._to_flush = self._to_flush, []
        for each in connections:
            each.flush()

    def _over(self, connection: Connection, reason: str) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()
        if connection.dropped:
            self._warn(f"dropped a client: {reason}")

    def _warn(self, what: str) -> None:
        if not self._limit.passes(asyncio.get_running_loop().time()):
            return
        suppressed = self._limit.suppressed()
        more = f" (and {suppressed} messages not logged before)" if suppressed else ""
        _log.warning("%s: %s%s", self.name, what, more)

    async def _hang_up(self) -> None:
        for each in list(self.connections):
            each.disconnect("the remote is removed")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), 1.0)
        for each in list(self.connections):
            each.drop("it did not take its last messages")
        await self._empty.wait()


class Listener(_Connections):
    """Accepts connections. See `Endpoint`.

    group: the group that may use a Unix socket as well as its owner, or None.
    """

    def __init__(
        self,
        name: str,
        remote: Listen,
        databases: Databases,
        options: Options,
        *,
        tls: Tls | None = None,
        group: int | None = None,
    ) -> None:
        super().__init__(name, databases, options)
        self._remote = remote
        self._tls = tls
        self._group = group
        self._servers: list[asyncio.Server] = []

    @property
    def port(self) -> int:
        """The port in use; 0 for a Unix socket."""
        if self._remote.transport is Transport.UNIX or not self._servers:
            return 0
        return int(self._servers[0].sockets[0].getsockname()[1])

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        context = self._tls.context(server=True) if self._tls else None
        try:
            if self._remote.transport is Transport.UNIX:
                listening = unix_socket.bind(
                    Path(self._remote.address), socket.SOCK_STREAM, self._group
                )
                server = await loop.create_unix_server(self._accept, sock=listening)
            else:
                server = await loop.create_server(
                    self._accept,
                    self._remote.address or None,
                    self._remote.port,
                    ssl=context,
                    ssl_handshake_timeout=_HANDSHAKE if context else None,
                )
        except OSError as error:
            raise RemoteError(f"{self.name}: can't listen: {error.strerror or error}") from error
        self._servers = [server]

    async def secure(self, tls: Tls) -> None:
        context = tls.context(server=True)
        self._tls = tls
        # The sockets stay, so that nobody is turned away meanwhile.
        before, loop = self._servers, asyncio.get_running_loop()
        self._servers = [
            await loop.create_server(
                self._accept, sock=each.dup(), ssl=context, ssl_handshake_timeout=_HANDSHAKE
            )
            for server in before
            for each in server.sockets
        ]
        for server in before:
            server.close()

    async def close(self) -> None:
        if self._servers:
            for server in self._servers:
                server.close()
            self._servers = []
            if self._remote.transport is Transport.UNIX:
                Path(self._remote.address).unlink(missing_ok=True)
        await self._hang_up()

    def status(self) -> dict[str, str]:
        status = {"state": "ACTIVE" if self.connections else "LISTENING"}
        if len(self.connections) > 1:
            status["n_connections"] = str(len(self.connections))
        if self.port:
            status["bound_port"] = str(self.port)
        return status

    def _accept(self) -> asyncio.BaseProtocol:
        if len(self.connections) >= MAXIMUM_CONNECTIONS:
            self._warn(f"refused a client: {len(self.connections)} are connected")
            return _Refusal()
        return self._connection(self._remote.transport is not Transport.UNIX)


class Connector(_Connections):
    """Keeps one connection up, with pauses that grow between attempts. See `Endpoint`.

    changed: called when its status says something else than before, but for seconds.
    """

    def __init__(
        self,
        name: str,
        remote: Connect,
        databases: Databases,
        options: Options,
        *,
        tls: Tls | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(name, databases, options)
        self._remote = remote
        self._tls = tls
        self._tell = changed
        self._task: asyncio.Task[None] | None = None
        self._error = ""
        self._changed = 0.0

    async def start(self) -> None:
        self._changed = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._hang_up()

    def status(self) -> dict[str, str]:
        seconds = str(int(asyncio.get_running_loop().time() - self._changed))
        if self.connections:
            return {"state": "ACTIVE", "sec_since_connect": seconds}
        status = {"state": "BACKOFF", "sec_since_disconnect": seconds}
        if self._error:
            status["last_error"] = self._error
        return status

    async def _run(self) -> None:
        longest = max(self._options.backoff, 1000) / 1000
        pause = _PAUSE
        said = ""
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._connect(), max(pause, _HANDSHAKE))
            except (OSError, RemoteError) as error:
                self._error = error.message if isinstance(error, RemoteError) else explain(error)
                if self._error != said:  # it is tried again for as long as it takes
                    _log.info("%s: can't connect: %s; trying on", self.name, self._error)
                    said = self._error
                self._tell()
            else:
                said = ""
                self._changed = asyncio.get_running_loop().time()
                self._tell()
                await self._empty.wait()
                self._changed = asyncio.get_running_loop().time()
                self._tell()
            lasted = asyncio.get_running_loop().time() - began
            pause = _PAUSE if lasted > longest else min(pause * 2, longest)
            await asyncio.sleep(pause)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        if self._remote.transport is Transport.UNIX:
            await loop.create_unix_connection(lambda: self._connection(False), self._remote.address)
            return
        if self._tls is not None and self._tls.lacks_authority:
            subject = await take_authority(self._tls, self._remote)
            _log.info("%s: trusts %s from now on, as it has shown itself", self.name, subject)
        # Files that have changed are read anew.
        context = self._tls.context(server=False) if self._tls else None
        await loop.create_connection(
            lambda: self._connection(True),
            self._remote.address,
            self._remote.port,
            ssl=context,
            server_hostname="" if context else None,
        )

    async def secure(self, tls: Tls) -> None:
        tls.context(server=False)
        self._tls = tls

    def _over(self, connection: Connection, reason: str) -> None:
        self._error = reason
        super()._over(connection, reason)


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
