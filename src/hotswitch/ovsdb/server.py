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
from hotswitch.ovsdb.endpoints import Connector, Endpoint, Listener
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.group_commit import GroupCommit
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.remote_rows import (
    expand,
    names_of,
    status_record,
    tls_of,
    watched_tables,
)
from hotswitch.ovsdb.remotes import Column, Listen, Options, RemoteError, Transport, parse
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.trim import trim

MEMORY = 512 << 20
"""Bytes kept for all connections together, above which the greediest is dropped."""

_OUTDATED = Options(probe=-1)  # other than any that is wanted
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
        self.remotes: dict[str, Options] = {}
        self.trim_memory = False
        self._run_directory = run_directory
        self._tls = tls
        self._tls_in_use: Tls | None = None
        self._tls_files: tuple[object, ...] = ()
        self._group = group
        self._endpoints: dict[str, tuple[Options, Endpoint]] = {}
        self._refused: dict[str, str] = {}
        self._watched: set[tuple[str, str]] = set()
        self._reconciling = asyncio.Lock()
        self._settling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._group_commit = GroupCommit()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def start(self, remotes: Mapping[str, Options]) -> None:
        """Serve from now on. Raises RemoteError if one of the remotes can't be had."""
        self.databases.durable = self._group_commit
        self.databases.observers.append(self._committed)
        self.remotes.update(remotes)
        self._spawn(self._watch_clients())
        self.databases.waiters.added = self._expire
        self._spawn(self._report())
        try:
            await self._reconcile(strict=True)
        except RemoteError:
            await self.close()
            raise

    async def close(self) -> None:
        """Bring to the disk what is promised, and hang up. Databases stay open."""
        self._closed = True
        self.databases.observers.remove(self._committed)
        if self._timer is not None:
            self._timer.cancel()
        await self._group_commit.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for _, endpoint in self._endpoints.values():
            await endpoint.close()
        self._endpoints.clear()

    async def add_remote(self, name: str) -> None:
        """Serve one more remote. Raises RemoteError, then nothing has changed."""
        parse(name)
        if name in self.remotes:
            return
        self.remotes[name] = Options()
        try:
            await self._reconcile(strict=True)
        except RemoteError:
            del self.remotes[name]
            raise

    async def remove_remote(self, name: str) -> None:
        """Serve a remote no longer. Raises RemoteError if it isn't served."""
        if name not in self.remotes:
            raise RemoteError("no such remote")
        del self.remotes[name]
        await self._reconcile()

    async def settled(self) -> None:
        """Return when the remotes are as what is committed wants them, as far as possible."""
        if self._settling is not None:
            await asyncio.wait([self._settling])

    def port(self, name: str) -> int:
        """Return the port that a listening remote has got; 0 if none."""
        _, endpoint = self._endpoints[name]
        return endpoint.port if isinstance(endpoint, Listener) else 0

    def connections(self) -> list[Connection]:
        """Return all clients' connections."""
        return [each for _, endpoint in self._endpoints.values() for each in endpoint.connections]

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

    # Remotes

    def _committed(self, storage: Storage, changes: Changes | None) -> None:
        if storage.wants_compaction():
            self._spawn(self._compact(storage))
        tables = storage.database.schema.tables if changes is None else changes.tables
        if any((storage.name, table) in self._watched for table in tables):
            # One at a time, in this order: when the last is done, all are.
            self._settling = self._spawn(self._reconcile())

    async def _reconcile(self, *, strict: bool = False) -> None:
        """Bring the endpoints in line with what is configured."""
        async with self._reconciling:
            wanted = self._wanted(strict)
            await self._refresh_tls()
            for name in [each for each in self._endpoints if self._stale(each, wanted)]:
                _, endpoint = self._endpoints.pop(name)
                _log.info("%s: remote removed", name)
                await endpoint.close()
            for name, options in wanted.items():
                if name in self._endpoints:
                    continue
                try:
                    endpoint = self._endpoint(name, options)
                    await endpoint.start()
                except RemoteError as error:
                    if strict and name in self.remotes:
                        raise
                    self._refuse(name, str(error))
                else:
                    self._refused.pop(name, None)
                    self._endpoints[name] = options, endpoint
            self._refused = {name: why for name, why in self._refused.items() if name in wanted}
        self._write_status()

    def _refuse(self, name: str, why: str) -> None:
        """Say why a remote is not served: once in the log, and in its row."""
        if self._refused.get(name) != why:
            _log.error("%s", why)
        self._refused[name] = why

    def _wanted(self, strict: bool) -> dict[str, Options]:
        self._watched = watched_tables(self.databases, [*self.remotes, *names_of(self._tls)])
        try:
            wanted = expand(self.databases, self.remotes)
        except RemoteError as error:
            if strict:
                raise
            _log.error("%s", error)
            wanted = {name: options for name, (options, _) in self._endpoints.items()}
        return wanted

    def _stale(self, name: str, wanted: Mapping[str, Options]) -> bool:
        return wanted.get(name) != self._endpoints[name][0]

    def _endpoint(self, name: str, options: Options) -> Endpoint:
        remote = parse(name)
        assert not isinstance(remote, Column)
        if options.role and self._has_roles():
            raise RemoteError(f"{name}: roles are not kept here, so nobody is let in with one")
        tls = self._tls_in_use if remote.transport is Transport.TLS else None
        if remote.transport is Transport.TLS:
            if tls is None:
                raise RemoteError(f"{name}: TLS needs a private key and a certificate")
            tls.context(server=isinstance(remote, Listen))
        if remote.transport is Transport.UNIX:
            path = str(self._run_directory / remote.address)
            remote = type(remote)(remote.transport, path)
        if isinstance(remote, Listen):
            return Listener(name, remote, self.databases, options, tls=tls, group=self._group)
        return Connector(name, remote, self.databases, options, tls=tls, changed=self._write_status)

    def _has_roles(self) -> bool:
        schemas = [each.database.schema for each in self.databases.storages()]
        return any("RBAC_Role" in each.tables for each in schemas)

    async def _refresh_tls(self) -> None:
        """Read the TLS settings; connections from now on are made with them.

        Those that are there stay, unless there is to be no TLS any more.
        """
        try:
            now = tls_of(self.databases, self._tls) if self._tls else None
        except RemoteError as error:
            _log.error("%s", error)
            return
        files = now.fingerprint() if now else ()
        if (now, files) == (self._tls_in_use, self._tls_files):
            return
        self._tls_in_use, self._tls_files = now, files
        for name, (_, endpoint) in list(self._endpoints.items()):
            remote = parse(name)
            if isinstance(remote, Column) or remote.transport is not Transport.TLS:
                continue
            try:
                if now is not None:
                    await endpoint.secure(now)
                else:
                    self._endpoints[name] = _OUTDATED, endpoint
                self._refused.pop(name, None)
            except RemoteError as error:
                self._refuse(name, f"{name}: goes on as before: {error}")

    def _look_at_tls_files(self) -> None:
        """Read them again when they have changed."""
        if self._tls_in_use and self._tls_in_use.fingerprint() != self._tls_files:
            self._spawn(self._reconcile())

    # Housekeeping

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
            self._look_at_tls_files()
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
            self._write_status()

    def _write_status(self) -> None:
        """Bring the status of remotes up to date in the rows that configure them."""
        if self._closed:
            return
        for name in self.remotes:
            update = status_record(self.databases, name, self._status)
            if update is None:
                continue
            storage = self.databases.get(update[0])
            assert storage is not None
            try:
                self.databases.apply(storage, update[1])
            except OvsdbError as error:
                _log.warning("can't report the status of %s: %s", name, error)

    def _status(self, name: str) -> tuple[bool, Mapping[str, str]] | None:
        found = self._endpoints.get(name)
        wrong = {"last_error": self._refused[name]} if name in self._refused else {}
        if found is None:
            return (False, wrong) if wrong else None
        endpoint = found[1]
        status = {**endpoint.status(), **wrong}
        if isinstance(endpoint, Connector):
            for each in endpoint.connections:
                status.update({k: " ".join(v) for k, v in each.session.locks().items() if v})
        return bool(endpoint.connections), status
