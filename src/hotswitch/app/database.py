"""The configuration database in this process: its file, its server, and the loop to the switch."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from hotswitch.app.devices import KernelDevices
from hotswitch.app.identity import own_identity
from hotswitch.app.paths import RunDirectory
from hotswitch.app.store import RefusedError, StoreError, Whereabouts
from hotswitch.base.clock import Clock
from hotswitch.config.clearing import clearing
from hotswitch.config.edit import discard, edit
from hotswitch.config.follow import News
from hotswitch.config.foreign import Trimmer
from hotswitch.config.operations import Operation, Update
from hotswitch.config.pending import Departures
from hotswitch.config.reconcile import Reconciler
from hotswitch.config.rows import Tables, Uuid, embedded_tables, the_root
from hotswitch.config.unheeded import Refused, Unheeded
from hotswitch.ovsdb import server_commands
from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.coverage import Source
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.opening import open_or_create
from hotswitch.ovsdb.remotes import Options, RemoteError
from hotswitch.ovsdb.server import Server
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.switch.desired import Desired
from hotswitch.switch.switch import Switch

NAME = "Open_vSwitch"
_MANAGERS = f"db:{NAME},{NAME},manager_options"
_TLS = Tls(f"db:{NAME},SSL,private_key", f"db:{NAME},SSL,certificate", f"db:{NAME},SSL,ca_cert")
_OF_THE_SERVER = frozenset({"Manager", "SSL"})
"""Tables that concern the server, which keeps their status itself."""


class ConfigDatabase:
    """Once started, it is served on the run directory's `db.sock` and to its managers.

    To the daemon's own commands it is the store that keeps what they want.
    """

    def __init__(
        self,
        storage: Storage,
        files: RunDirectory,
        switch: Switch,
        clock: Clock,
        departures: Departures,
        *,
        tls: Tls | None = None,
        group: int | None = None,
    ) -> None:
        self._storage = storage
        self._files = files
        self._databases = Databases(clock)
        self._databases.add(self._storage)
        self._server = Server(
            self._databases, run_directory=files.path, tls=tls or _TLS, group=group
        )
        self._view = self._storage.database, embedded_tables(self._storage.database)
        self._trimmer = Trimmer(self._storage.database.schema)
        self._news: dict[str, set[Uuid]] | None = None
        self._is_writing = False
        self._running: asyncio.Task[None] | None = None
        self._adding: asyncio.Task[None] | None = None
        identity = own_identity(self._storage.database.schema.version)
        self.reconciler = Reconciler(self, switch, KernelDevices(), clock, identity, departures)

    async def start(self) -> None:
        """Make the switch as wanted, as far as possible, and serve from then on.

        Raises HotswitchError if the socket can't be had.
        """
        self._trimmer.say_what_is_missing()
        self._make_root()
        self._databases.observers.append(self._committed)
        await self.reconciler.start()
        try:
            remotes = {f"punix:{self._files.database}": Options()}
            await self._server.start(remotes | ({_MANAGERS: Options()} if self._can_manage else {}))
        except RemoteError as error:
            too_long = "too long" in error.message
            remedy = "give a --run-dir with a shorter path" if too_long else ""
            raise StoreError(error.message, remedy=remedy) from error
        self._running = asyncio.create_task(self.reconciler.run())

    @property
    def _can_manage(self) -> bool:
        """Whether managers can be named: schemas from before version 1 have no column for them."""
        return self._trimmer.has_column(NAME, "manager_options")

    def _make_root(self) -> None:
        """Make the row that all bridges hang from, if it is missing: any client may delete it."""
        if the_root(self.tables()) is None:
            self._commit([{"op": "insert", "table": NAME, "row": {}}])

    async def close(self) -> None:
        """Bring everything to the disk, and hang up. The storage stays open."""
        if self._running is not None:
            tasks = [each for each in (self._running, self._adding) if each is not None]
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._server.close()
        for added in self._databases.storages():
            if added is not self._storage:  # `ovsdb-server/add-db` has added it
                added.close()

    def commands(self, commands: Commands) -> tuple[Source, Source]:
        """Add those of the server. Returns what it counts, and what it holds."""
        server_commands.register(commands, self._server, needed=NAME)
        return lambda: self._databases.counts, lambda: server_commands.usage(self._server)

    # For the reconciler

    @property
    def is_current(self) -> bool:
        """It is in this process."""
        return True

    def tables(self) -> Tables:
        """The tables as they are now."""
        database, tables = self._view
        if database is not self._storage.database:  # it has been converted to another schema
            database = self._storage.database
            tables = embedded_tables(database)
            self._view = database, tables
        return tables

    def news(self) -> News | None:
        """The rows that have changed since the last call; None: any may have.

        What `transact` has written in them is no news to who has written it.
        """
        news, self._news = self._news, {}
        return news

    async def transact(self, updates: Sequence[Update]) -> None:
        """Make these changes, as far as the schema takes them. Raises StoreError.

        One of them may be `cur_cfg`, which says that managers, too, are as wanted.
        """
        await self._server.settled()
        news, self._news = self._news, {}
        try:
            self._commit([each.to_json() for each in self._trimmer.updates(updates)])
        finally:
            self._news = news

    async def change(self, operations: Sequence[Operation]) -> None:
        """Carry out these operations, as far as the schema has what they are about.

        Raises HotswitchError.
        """
        self._commit(self._trimmer.operations(operations))

    # For the daemon's own commands

    def whereabouts(self) -> Whereabouts:
        """See `Store`."""
        return Whereabouts(str(self._storage.path), unwritten=self.reconciler.unwritten)

    def check(self) -> None:
        """See `Store`: it is always there."""

    async def save(self, desired: Desired) -> None:
        """See `Store`. What others have written since stays."""
        self._make_root()
        self._carry_out(edit(self.tables(), self.reconciler.reading, desired))

    def unheeded(self) -> Unheeded:
        """See `Store`."""
        return self.reconciler.unheeded

    def watch(self, changed: Callable[[], None]) -> None:
        """See `Store`."""
        self.reconciler.watch(changed)

    async def discard(self, refused: Refused) -> None:
        """See `Store`."""
        self._carry_out(discard(self.tables(), refused))

    async def clear(self, bridge: str, port: str, fields: Collection[str]) -> None:
        """See `Store`."""
        self._carry_out(clearing(self.tables(), self.reconciler.reading, bridge, port, fields))

    def _carry_out(self, operations: list[Operation]) -> None:
        if operations:
            self._commit(self._trimmer.operations(operations))
            self._keep()
            self.reconciler.reread()
        self.reconciler.changed()

    def _keep(self) -> None:
        try:
            self._storage.sync()()
        except LogError as error:
            why = error.__cause__
            number = why.errno if isinstance(why, OSError) else None
            raise StoreError(
                f"the database can't keep it: {error}", errno=number or errno.EIO
            ) from error

    def _commit(self, operations: list[Any]) -> None:
        self._is_writing = True
        try:
            outcome = self._databases.transact(self._storage, operations)
        finally:
            self._is_writing = False
        for result in outcome.results:
            if result and "error" in result:
                raise RefusedError(result.get("details") or result["error"])

    def _committed(self, storage: Storage, changes: Changes | None) -> None:
        if storage is not self._storage:
            return
        if changes is None:
            self._news = None
            self._converted()
        elif self._news is not None:
            for table, rows in changes.tables.items():
                self._news.setdefault(table, set()).update(rows)
        if self._is_writing:
            return
        if changes is None or changes.tables.keys() - _OF_THE_SERVER:
            self.reconciler.changed()

    def _converted(self) -> None:
        self._trimmer = Trimmer(self._storage.database.schema)
        self._trimmer.say_what_is_missing()
        self.reconciler.identify(own_identity(self._storage.database.schema.version))
        if self._can_manage and self._running and _MANAGERS not in self._server.remotes:
            self._adding = asyncio.create_task(self._server.add_remote(_MANAGERS))


def open_storage(path: Path) -> Storage:
    """Open a database's file, or make it. Raises HotswitchError, and touches nothing else."""
    storage = open_or_create(path, NAME)
    if storage.name != NAME:
        storage.close()
        raise StoreError(f"{path} holds the database {storage.name}, not {NAME}")
    return storage
