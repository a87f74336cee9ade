"""The commands of ovsdb-server(1) on the control socket, as a standalone server has them.

What belongs to clusters, backups and relays is refused. Source of names and messages:
ovsdb-server(1), ovsdb/ovsdb-server.c.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hotswitch.ovsdb.databases import SERVER
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.server import Server
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.transaction_log import TransactionLog
from hotswitch.ovsdb.trim import can_trim
from hotswitch.ovsdb.unixctl import CommandError, Commands

_PREFIX = "ovsdb-server"
_NOT_FOUND = "Failed to find the database."
_REFUSED = {
    "set-active-ovsdb-server": ("REMOTE", 1, "this server can't be a backup of another"),
    "connect-active-ovsdb-server": ("", 0, "this server can't be a backup of another"),
    "set-active-ovsdb-server-probe-interval": ("MS", 1, "this server has no active server"),
    "set-sync-exclude-tables": ("DB:TABLE,...", 1, "this server can't be a backup of another"),
    "set-relay-source-probe-interval": ("MS", 1, "this server is no relay"),
    "reload": ("", 0, "Configuration file was not specified on command line"),
    "disable-monitor-cond": ("", 0, "monitor_cond is always there"),
}
"""Commands for what there is not: arguments, how many of them are needed, why it is refused."""

_EMPTY = (
    "get-active-ovsdb-server",
    "disconnect-active-ovsdb-server",
    "get-sync-exclude-tables",
    "perf-counters-clear",
)
"""Commands for which there is nothing to say or to do."""


def register(commands: Commands, server: Server, *, needed: str = "") -> None:
    """Add the commands. needed: the database, if any, that can't be removed."""
    own = _ServerCommands(server, needed)
    add = commands.add
    add(f"{_PREFIX}/add-remote", "REMOTE", 1, 1, own.add_remote)
    add(f"{_PREFIX}/remove-remote", "REMOTE", 1, 1, own.remove_remote)
    add(f"{_PREFIX}/list-remotes", "", 0, 0, own.list_remotes)
    add(f"{_PREFIX}/compact", "[DB]", 0, 1, own.compact)
    add(f"{_PREFIX}/memory-trim-on-compaction", "on|off", 1, 1, own.trim_on_compaction)
    add(f"{_PREFIX}/reconnect", "", 0, 0, own.reconnect)
    add(f"{_PREFIX}/add-db", "FILE", 1, 1, own.add_database)
    add(f"{_PREFIX}/remove-db", "DB", 1, 1, own.remove_database)
    add(f"{_PREFIX}/list-dbs", "", 0, 0, own.list_databases)
    add(f"{_PREFIX}/get-db-storage-status", "DB", 1, 1, own.storage_status)
    add(f"{_PREFIX}/tlog-set", "DB:TABLE on|off", 2, 2, own.set_logging)
    add(f"{_PREFIX}/tlog-list", "", 0, 0, own.list_logging)
    add(f"{_PREFIX}/sync-status", "", 0, 0, lambda _: "state: active\n")
    add(f"{_PREFIX}/perf-counters-show", "", 0, 0, lambda _: "there are no performance counters\n")
    for name in _EMPTY:
        add(f"{_PREFIX}/{name}", "", 0, 0, lambda _: "")
    for name, (usage, count, why) in _REFUSED.items():
        add(f"{_PREFIX}/{name}", usage, count, count, _Refusal(why))


class _Refusal:
    def __init__(self, why: str) -> None:
        self._why = why

    def __call__(self, _: Sequence[str]) -> str:
        raise CommandError(self._why)


class _ServerCommands:
    def __init__(self, server: Server, needed: str) -> None:
        self._server = server
        self._needed = needed
        self._databases = server.databases
        self._log = TransactionLog()
        self._databases.observers.append(self._log.committed)

    async def add_remote(self, arguments: Sequence[str]) -> str:
        await self._server.add_remote(arguments[0])
        return ""

    async def remove_remote(self, arguments: Sequence[str]) -> str:
        await self._server.remove_remote(arguments[0])
        return ""

    def list_remotes(self, _: Sequence[str]) -> str:
        return "".join(f"{name}\n" for name in sorted(self._server.remotes))

    async def compact(self, arguments: Sequence[str]) -> str:
        if arguments and arguments[0].startswith("_"):
            raise CommandError("cannot compact built-in databases")
        names = [name for name in self._databases.names if name != SERVER]
        if arguments:
            names = [name for name in names if name == arguments[0]]
        if not names:
            raise CommandError("no database by that name")
        for name in names:
            await self._server.compact(self._storage(name))
        return ""

    def trim_on_compaction(self, arguments: Sequence[str]) -> str:
        if not can_trim():
            raise CommandError("memory trimming is not supported")
        self._server.trim_memory = _on_or_off(arguments[0], "invalid argument")
        return ""

    def reconnect(self, _: Sequence[str]) -> str:
        self._server.disconnect_all("user request")
        return ""

    def add_database(self, arguments: Sequence[str]) -> str:
        path = Path(arguments[0])
        try:
            storage = Storage.open(path)
        except OSError as error:
            raise CommandError(f"can't open {path}: {error.strerror}") from error
        try:
            self._databases.add(storage)
        except OvsdbError:
            storage.close()
            raise
        return ""

    def remove_database(self, arguments: Sequence[str]) -> str:
        if arguments[0].startswith("_"):
            raise CommandError("Cannot remove reserved database.")
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
        storage = self._storage(arguments[0])
        return f"status: {storage.failure or storage.refusal or 'ok'}\n"

    def set_logging(self, arguments: Sequence[str]) -> str:
        logged = _on_or_off(arguments[1].lower(), "invalid command argument")
        name, _, table = arguments[0].partition(":")
        if not name or not table or ":" in table:
            raise CommandError("invalid DB:TABLE argument")
        storage = self._databases.get(name)
        if storage is None:
            raise CommandError("no such database")
        if table not in storage.database.schema.tables:
            raise CommandError("no such table")
        self._log.set(name, table, logged=logged)
        return ""

    def list_logging(self, _: Sequence[str]) -> str:
        lines = [
            "database        table                       logging",
            "--------        -----                       -------",
        ]
        for name in self._databases.names:
            tables = sorted(self._storage(name).database.schema.tables)
            logged = ["ON" if self._log.logs(name, table) else "OFF" for table in tables]
            pairs = zip(tables, logged, strict=True)
            lines += [f"{name:<16} ", *(f"{'':<16}{table:<27} {on}" for table, on in pairs)]
        return "\n".join([*lines, ""])

    def _storage(self, name: str) -> Storage:
        storage = self._databases.get(name)
        if storage is None:
            raise CommandError(_NOT_FOUND)
        return storage


def _on_or_off(word: str, otherwise: str) -> bool:
    if word not in ("on", "off"):
        raise CommandError(otherwise)
    return word == "on"


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
