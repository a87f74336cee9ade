"""The endpoints of a server: what listens or connects for the remotes that are configured."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from hotswitch.ovsdb.connection import Connection
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.endpoints import Connector, Endpoint, Listener
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.remote_rows import (
    expand,
    names_of,
    status_record,
    tls_of,
    watched_tables,
)
from hotswitch.ovsdb.remotes import Column, Listen, Options, RemoteError, Transport, parse
from hotswitch.ovsdb.tls import Tls

_OUTDATED = Options(probe=-1)  # other than any that is wanted
_log = logging.getLogger(__name__)


class ServedRemotes:
    """Has an endpoint for each remote that is configured, and writes in its row how it is.

    configured: by name; a name may be `db:DATABASE,TABLE,COLUMN`, then the rows say which remotes.
    reports: whether it writes in rows how they are.
    run_directory, tls, group: as of `Server`.
    """

    def __init__(
        self, databases: Databases, run_directory: Path, tls: Tls | None, group: int | None
    ) -> None:
        self.configured: dict[str, Options] = {}
        self.reports = True
        self._databases = databases
        self._run_directory = run_directory
        self._tls = tls
        self._tls_in_use: Tls | None = None
        self._tls_files: tuple[object, ...] = ()
        self._group = group
        self._endpoints: dict[str, tuple[Options, Endpoint]] = {}
        self._refused: dict[str, str] = {}
        self._watched: set[tuple[str, str]] = set()
        self._reconciling = asyncio.Lock()

    async def close(self) -> None:
        """Hang up."""
        for _, endpoint in self._endpoints.values():
            await endpoint.close()
        self._endpoints.clear()

    async def add(self, name: str) -> None:
        """Have one more. Raises RemoteError, then nothing has changed."""
        parse(name)
        if name in self.configured:
            return
        self.configured[name] = Options()
        try:
            await self.reconcile(strict=True)
        except RemoteError:
            del self.configured[name]
            raise

    async def remove(self, name: str) -> None:
        """Have one less. Raises RemoteError if it isn't configured."""
        if name not in self.configured:
            raise RemoteError("no such remote")
        del self.configured[name]
        await self.reconcile()

    def port(self, name: str) -> int:
        """Return the port that a listening remote has got; 0 if none."""
        _, endpoint = self._endpoints[name]
        return endpoint.port if isinstance(endpoint, Listener) else 0

    def connections(self) -> list[Connection]:
        """Return all clients' connections."""
        return [each for _, endpoint in self._endpoints.values() for each in endpoint.connections]

    def depend_on(self, database: str, tables: Iterable[str]) -> bool:
        """Whether one of these tables says what the remotes are, or their TLS."""
        return any((database, table) in self._watched for table in tables)

    def tls_files_have_changed(self) -> bool:
        """Whether the files with keys and certificates are others than those in use."""
        return self._tls_in_use is not None and self._tls_in_use.fingerprint() != self._tls_files

    async def reconcile(self, *, strict: bool = False) -> None:
        """Bring the endpoints in line with what is configured.

        strict: raise RemoteError for what is configured by name and can't be had.
        """
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
                    if strict and name in self.configured:
                        raise
                    self._refuse(name, str(error))
                else:
                    self._refused.pop(name, None)
                    self._endpoints[name] = options, endpoint
            self._refused = {name: why for name, why in self._refused.items() if name in wanted}
        self.write_status()

    def write_status(self) -> None:
        """Bring the status of remotes up to date in the rows that configure them."""
        if not self.reports:
            return
        for name in self.configured:
            update = status_record(self._databases, name, self._status)
            if update is None:
                continue
            storage = self._databases.get(update[0])
            assert storage is not None
            try:
                self._databases.apply(storage, update[1])
            except OvsdbError as error:
                _log.warning("can't report the status of %s: %s", name, error)

    def _refuse(self, name: str, why: str) -> None:
        """Say why a remote is not served: once in the log, and in its row."""
        if self._refused.get(name) != why:
            _log.error("%s", why)
        self._refused[name] = why

    def _wanted(self, strict: bool) -> dict[str, Options]:
        self._watched = watched_tables(self._databases, [*self.configured, *names_of(self._tls)])
        try:
            wanted = expand(self._databases, self.configured)
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
            return Listener(name, remote, self._databases, options, tls=tls, group=self._group)
        return Connector(name, remote, self._databases, options, tls=tls, changed=self.write_status)

    def _has_roles(self) -> bool:
        schemas = [each.database.schema for each in self._databases.storages()]
        return any("RBAC_Role" in each.tables for each in schemas)

    async def _refresh_tls(self) -> None:
        """Read the TLS settings; connections from now on are made with them.

        Those that are there stay, unless there is to be no TLS any more.
        """
        try:
            now = tls_of(self._databases, self._tls) if self._tls else None
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
