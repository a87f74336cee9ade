"""The database server, as a component of an asyncio loop that is running.

Make one, `start` it, `close` it. What must happen on each commit goes into
`databases.observers`; it is called in the loop, before the client has its reply.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.connection import Connection
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.group_commit import GroupCommit
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.remotes import Options, RemoteError
from hotswitch.ovsdb.served_remotes import ServedRemotes
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.trim import trim

MEMORY = 512 << 20
"""Bytes kept for all connections together, above which the greediest is dropped."""

_TICK = 1.0
_STATUS = 2.5
_log = logging.getLogger(__name__)


class Server:
    """Serves databases to remotes.

    run_directory: where relative names of Unix sockets lie.
    tls: for `ssl:` and `pssl:`; each of its paths may be `db:DATABASE,TABLE,COLUMN`.
    group: the numeric group that may use Unix sockets as well, or None.
    trim_memory: whether freed memory is given back to the system after each compaction.
    """

    def __init__(
        self,
        databases: Databases,
        *,
        run_directory: Path,
        tls: Tls | None = None,
        group: int | None = None,
    ) -> None:
        self.databases = databases
        self.trim_memory = False
        self._remotes = ServedRemotes(databases, run_directory, tls, group)
        self._settling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._group_commit = GroupCommit()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def remotes(self) -> Mapping[str, Options]:
        """What is configured by name."""
        return self._remotes.configured

    async def start(self, remotes: Mapping[str, Options]) -> None:
        """Serve from now on. Raises RemoteError if one of the remotes can't be had."""
        self.databases.durable = self._group_commit
        self.databases.observers.append(self._committed)
        self._remotes.configured.update(remotes)
        self._spawn(self._watch_clients())
        self.databases.waiters.added = self._expire
        self._spawn(self._report())
        try:
            await self._remotes.reconcile(strict=True)
        except RemoteError:
            await self.close()
            raise

    async def close(self) -> None:
        """Bring to the disk what is promised, and hang up. Databases stay open."""
        self._closed = True
        self._remotes.reports = False
        self.databases.observers.remove(self._committed)
        if self._timer is not None:
            self._timer.cancel()
        await self._group_commit.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._remotes.close()

    async def add_remote(self, name: str) -> None:
        """Serve one more remote. Raises RemoteError, then nothing has changed."""
        await self._remotes.add(name)

    async def remove_remote(self, name: str) -> None:
        """Serve a remote no longer. Raises RemoteError if it isn't served."""
        await self._remotes.remove(name)

    async def settled(self) -> None:
        """Return when the remotes are as what is committed wants them, as far as possible."""
        if self._settling is not None:
            await asyncio.wait([self._settling])

    def port(self, name: str) -> int:
        """Return the port that a listening remote has got; 0 if none."""
        return self._remotes.port(name)

    def connections(self) -> list[Connection]:
        """Return all clients' connections."""
        return self._remotes.connections()

    async def compact(self, storage: Storage) -> None:
        """Write a database's file anew, while it goes on being used. Raises LogError."""
        begun = storage.begin_compaction()
        if begun is None:
            return
        content, replacement = begun
        installed = False
        before = storage.size
        try:
            await asyncio.to_thread(content.write, replacement)
            storage.join_compaction(replacement)
            await asyncio.to_thread(replacement.install)
            installed = True
        finally:
            storage.end_compaction(replacement, installed=installed)
        if self.trim_memory:
            trim()
        _log.info("compacted %s: %d bytes, now %d", storage.path, before, storage.size)

    def disconnect_all(self, reason: str) -> None:
        """Hang up on all clients; they are free to come again."""
        for each in self.connections():
            each.disconnect(reason)

    # Housekeeping

    def _committed(self, storage: Storage, changes: Changes | None) -> None:
        if storage.wants_compaction():
            self._spawn(self._compact(storage))
        tables = storage.database.schema.tables if changes is None else changes.tables
        if self._remotes.depend_on(storage.name, tables):
            # One at a time, in this order: when the last is done, all are.
            self._settling = self._spawn(self._remotes.reconcile())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._closed:
            work.close()
            return None
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a task of the database server has failed", exc_info=task.exception())

    async def _compact(self, storage: Storage) -> None:
        try:
            if storage.wants_compaction():
                await self.compact(storage)
        except LogError as error:
            _log.error("can't compact: %s", error)

    async def _watch_clients(self) -> None:
        """Drop clients that do not read, and the greediest when all together are too much."""
        while True:
            await asyncio.sleep(_TICK)
            if self._remotes.tls_files_have_changed():
                self._spawn(self._remotes.reconcile())
            now = asyncio.get_running_loop().time()
            connections = self.connections()
            for each in connections:
                if each.stalled(now):
                    each.drop("it does not read")
            held = {each: each.held for each in connections}
            if sum(held.values()) > MEMORY:
                max(held, key=held.__getitem__).drop("clients together take too much memory")

    def _expire(self) -> None:
        """Let transactions give up waiting whose time is up; see when the next one's is."""
        waiters = self.databases.waiters
        waiters.expire(self.databases.clock.now())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = waiters.deadline()
        if deadline is not None and not self._closed:
            pause = max(0, deadline - self.databases.clock.now()) / 1e9
            self._timer = asyncio.get_running_loop().call_later(pause, self._expire)

    async def _report(self) -> None:
        """Write of remotes what changes with time, and with clients that come and go."""
        while True:
            await asyncio.sleep(_STATUS)
            self._remotes.write_status()
