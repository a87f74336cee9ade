"""A server in a loop, and clients of it, for the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hotswitch.base.clock import MonotonicClock
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.jsonrpc import Framer, Message, Notification, Reply, Request, encode
from hotswitch.ovsdb.remotes import Options
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.server import Server
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls

PATIENCE = 20.0
"""Seconds after which something has not happened."""


class Peer:
    """A client of the database over a stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._framer = Framer()
        self._messages: list[Message] = []
        self._next = 0

    @classmethod
    async def unix(cls, path: Path) -> Peer:
        return cls(*await asyncio.open_unix_connection(str(path)))

    @classmethod
    async def tcp(cls, port: int, **more: Any) -> Peer:
        return cls(*await asyncio.open_connection("127.0.0.1", port, **more))

    async def receive(self) -> Message:
        while not self._messages:
            data = await asyncio.wait_for(self.reader.read(1 << 16), PATIENCE)
            if not data:
                raise EOFError
            self._messages.extend(self._framer.feed(data))
        return self._messages.pop(0)

    def send(self, method: str, *params: Any) -> int:
        self._next += 1
        self.writer.write(encode(Request(method, list(params), self._next)))
        return self._next

    async def ask(self, method: str, *params: Any) -> Any:
        """Send a request and return the result; what comes before it is forgotten."""
        wanted = self.send(method, *params)
        while True:
            message = await self.receive()
            if isinstance(message, Reply) and message.id == wanted:
                assert message.error is None, message
                return message.result

    async def update(self) -> Notification:
        """Return the next notification."""
        while True:
            message = await self.receive()
            if isinstance(message, Notification):
                return message

    async def ended(self) -> bool:
        """Wait until the server has closed the connection; nothing else may come."""
        try:
            return not await asyncio.wait_for(self.reader.read(1), PATIENCE)
        except ConnectionError:
            return True

    def close(self) -> None:
        self.writer.close()


class Room:
    """The server, its database and its Unix socket."""

    def __init__(self, directory: Path, server: Server, storage: Storage) -> None:
        self.server = server
        self.storage = storage
        self.socket = directory / "db.sock"

    async def client(self) -> Peer:
        return await Peer.unix(self.socket)


@asynccontextmanager
async def room(
    directory: Path,
    *,
    options: Options | None = None,
    remotes: tuple[str, ...] = (),
    tls: Tls | None = None,
    group: int | None = None,
) -> AsyncIterator[Room]:
    """Serve a new Open_vSwitch database in `directory`, on db.sock and `remotes`."""
    databases = Databases(MonotonicClock())
    storage = Storage.create(directory / "conf.db", load("Open_vSwitch"))
    storage.transact([{"op": "insert", "table": "Open_vSwitch", "row": {}}])
    databases.add(storage)
    server = Server(databases, run_directory=directory, tls=tls, group=group)
    wanted = {"punix:db.sock": options or Options(), **dict.fromkeys(remotes, Options())}
    await server.start(wanted)
    try:
        yield Room(directory, server, storage)
    finally:
        await server.close()
        storage.close()


async def eventually(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait until the condition holds, and return what it is."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not (value := condition()):
        assert asyncio.get_running_loop().time() < deadline, what or condition
        await asyncio.sleep(0.01)
    return value


def insert_bridge(name: str, **row: Any) -> list[dict[str, Any]]:
    """Return the operations that add a bridge."""
    change = ["bridges", "insert", ["set", [["named-uuid", "b"]]]]
    return [
        {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": {"name": name, **row}},
        {"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [change]},
    ]
