"""The databases that are served, and what all clients share: locks, waiting transactions, the
`_Server` database that describes the others (ovsdb-server(5))."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from hotswitch.base.clock import Clock
from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.database import Database, Outcome
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.locks import Locks
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.schemas import load
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.values import Json, Uuid, new_uuid
from hotswitch.ovsdb.waiting import Waiters

SERVER = "_Server"
"""The name of the database about databases."""

Observer = Callable[[Storage, Changes | None], None]
"""Called after each commit; without changes when all may have changed (another schema)."""

Durable = Callable[[Storage, Callable[[LogError | None], None]], None]
"""Calls back when all that is committed by now is on the disk, or can't be brought there."""


class Client(Protocol):
    """What a session is to the databases."""

    def changed(self, storage: Storage, changes: Changes) -> None:
        """Tell the client what it monitors of a commit."""

    def replaced(self, storage: Storage, reason: str) -> None:
        """Have the client look at the databases anew."""

    def notify_lock(self, method: str, name: str) -> None:
        """Tell the client that it has got (`locked`) or lost (`stolen`) a lock."""


def sync_at_once(storage: Storage, done: Callable[[LogError | None], None]) -> None:
    """The simplest `Durable`: wait for the disk."""
    try:
        storage.sync()()
    except LogError as error:
        done(error)
    else:
        done(None)


class Databases:
    """All databases, by name, and all clients.

    observers: called after each commit.
    durable: how durable transactions come to the disk.
    counts: what has happened how often.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.durable: Durable = sync_at_once
        self.locks: Locks[Client] = Locks()
        self.waiters = Waiters()
        self.observers: list[Observer] = []
        self.counts: Counter[str] = Counter()
        self.server_id = new_uuid()
        self._clients: dict[Client, None] = {}
        self._rows: dict[str, Uuid] = {}
        self._storages: dict[str, Storage] = {}
        self.add(Storage(Database(load(SERVER))))

    @property
    def names(self) -> list[str]:
        """The databases' names, sorted."""
        return sorted(self._storages)

    def get(self, name: str) -> Storage | None:
        """Return the database of this name, or None."""
        return self._storages.get(name)

    def storages(self) -> Iterable[Storage]:
        """Return all databases."""
        return list(self._storages.values())

    def add(self, storage: Storage) -> None:
        """Serve one more database. Raises OvsdbError if there is one of its name."""
        if storage.name in self._storages:
            raise OvsdbError("duplicate database", f"{storage.name} is served already")
        self._storages[storage.name] = storage
        self._rows[storage.name] = new_uuid()
        self._describe(storage)
        for client in list(self._clients):
            client.replaced(storage, f"adding {storage.name} database")

    def remove(self, name: str) -> Storage:
        """Serve a database no longer; the caller closes it. Raises OvsdbError."""
        if name == SERVER or name not in self._storages:
            raise OvsdbError("unknown database", f"{name} can't be removed")
        storage = self._storages.pop(name)
        self._cancel(storage)
        self.apply(self._server(), {"Database": {self._rows.pop(name): None}})
        for client in list(self._clients):
            client.replaced(storage, f"removing {name} database")
        return storage

    def join(self, client: Client) -> None:
        """Tell a client of commits from now on."""
        self._clients[client] = None

    def leave(self, client: Client) -> None:
        """Forget a client, and pass its locks on."""
        self._clients.pop(client, None)
        for owner, name in self.locks.release(client):
            owner.notify_lock("locked", name)

    def transact(
        self,
        storage: Storage,
        operations: list[Json],
        *,
        read_only: bool = False,
        elapsed: int = 0,
        owns_lock: Callable[[str], bool] = lambda name: False,
    ) -> Outcome:
        """Execute operations, and tell all who want to know of the changes."""
        outcome = storage.transact(
            operations, read_only=read_only, elapsed=elapsed, owns_lock=owns_lock
        )
        self.counts["ovsdb_transactions"] += 1
        if outcome.changes is not None:
            self._announce(storage, outcome.changes)
        return outcome

    def apply(self, storage: Storage, record: Json) -> None:
        """Commit changes of the server's own, as in the log. Raises OvsdbError."""
        changes = storage.apply(record)
        if changes is not None:
            self._announce(storage, changes)

    def convert(
        self,
        storage: Storage,
        schema: DatabaseSchema,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """Bring a database to another schema. Raises OvsdbError, then nothing has changed.

        `committed` is called when that is done, before any client is told.
        """
        if storage.compacting:
            raise OvsdbError("not allowed", f"{storage.name} is being compacted; try again")
        storage.convert(schema)
        committed()
        self._cancel(storage)
        self._describe(storage)
        for client in list(self._clients):
            client.replaced(storage, f"committed {storage.name} database schema conversion")
        for observer in self.observers:
            observer(storage, None)

    def _cancel(self, storage: Storage) -> None:
        for waiter in self.waiters.on(storage):
            self.waiters.remove(waiter)
            waiter.cancel()

    def _server(self) -> Storage:
        return self._storages[SERVER]

    def _describe(self, storage: Storage) -> None:
        """Bring the row about a database up to date."""
        row = {
            "name": storage.name,
            "model": "standalone",
            "connected": True,
            "leader": True,
            "schema": json.dumps(
                storage.database.schema.to_json(),
                sort_keys=True,
                separators=(",", ":"),
                ensure_ascii=False,
            ),
        }
        self.apply(self._server(), {"Database": {self._rows[storage.name]: row}})

    def _announce(self, storage: Storage, changes: Changes) -> None:
        self.counts["ovsdb_commits"] += 1
        for client in list(self._clients):
            client.changed(storage, changes)
        for observer in self.observers:
            observer(storage, changes)
        if len(self.waiters):
            self.waiters.changed(storage)
