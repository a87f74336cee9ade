"""The commands of ovsdb-server(1) on the control socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hotswitch.ovsdb.databases import SERVER
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.server import Server
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.unixctl import CommandError, Commands


def register(commands: Commands, server: Server, *, needed: str = "") -> None:
    """Add the commands. needed: the database, if any, that can't be removed."""
    own = _ServerCommands(server, needed)
    prefix = "ovsdb-server"
    commands.add(f"{prefix}/add-remote", "REMOTE", 1, 1, own.add_remote)
    commands.add(f"{prefix}/remove-remote", "REMOTE", 1, 1, own.remove_remote)
    commands.add(f"{prefix}/list-remotes", "", 0, 0, own.list_remotes)
    commands.add(f"{prefix}/compact", "[DB]", 0, 1, own.compact)
    commands.add(f"{prefix}/reconnect", "", 0, 0, own.reconnect)
    commands.add(f"{prefix}/add-db", "FILE", 1, 1, own.add_database)
    commands.add(f"{prefix}/remove-db", "DB", 1, 1, own.remove_database)
    commands.add(f"{prefix}/list-dbs", "", 0, 0, own.list_databases)
    commands.add(f"{prefix}/get-db-storage-status", "DB", 1, 1, own.storage_status)
    commands.add(f"{prefix}/sync-status", "", 0, 0, lambda _: "state: active\n")


class _ServerCommands:
    def __init__(self, server: Server, needed: str) -> None:
        self._server = server
        self._needed = needed
        self._databases = server.databases

    async def add_remote(self, arguments: Sequence[str]) -> str:
        await self._server.add_remote(arguments[0])
        return ""

    async def remove_remote(self, arguments: Sequence[str]) -> str:
        await self._server.remove_remote(arguments[0])
        return ""

    def list_remotes(self, _: Sequence[str]) -> str:
        return "".join(f"{name}\n" for name in sorted(self._server.remotes))

    async def compact(self, arguments: Sequence[str]) -> str:
        if arguments:
            names = [self._storage(arguments[0]).name]
        else:
            names = [name for name in self._databases.names if name != SERVER]
        for name in names:
            await self._server.compact(self._storage(name))
        return ""

    def reconnect(self, _: Sequence[str]) -> str:
        self._server.disconnect_all("user request")
        return ""

    def add_database(self, arguments: Sequence[str]) -> str:
        storage = Storage.open(Path(arguments[0]))
        try:
            self._databases.add(storage)
        except OvsdbError:
            storage.close()
            raise
        return ""

    def remove_database(self, arguments: Sequence[str]) -> str:
        storage = self._storage(arguments[0])
        if storage.name == self._needed:
            raise CommandError(f"{storage.name} is what the daemon works on")
        if storage.compacting:
            raise CommandError(f"{storage.name} is being compacted; try again")
        self._databases.remove(storage.name).close()
        return ""

    def list_databases(self, _: Sequence[str]) -> str:
        return "".join(f"{name}\n" for name in self._databases.names)

    def storage_status(self, arguments: Sequence[str]) -> str:
        failure = self._storage(arguments[0]).failure
        return f"status: {failure or 'ok'}\n"

    def _storage(self, name: str) -> Storage:
        storage = self._databases.get(name)
        if storage is None:
            raise CommandError("no such database")
        return storage


def usage(server: Server) -> Counter[str]:
    """What the server holds, for `memory/show`."""
    amounts = Counter(sessions=len(server.connections()))
    for each in server.connections():
        amounts.update(each.session.usage())
        amounts["backlog"] += each.backlog
    for storage in server.databases.storages():
        schema = storage.database.schema
        for name, table in schema.tables.items():
            amounts["cells"] += len(storage.database.table(name)) * len(table.columns)
    return amounts
