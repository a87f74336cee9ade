"""One client of the databases: messages in, messages out (RFC 7047 section 4, ovsdb-server(7)).

No I/O in here: `send` takes encoded messages, `disconnect` wants the connection closed once they
are sent.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import msgspec

from hotswitch.base.collections_paused import collections_paused
from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.jsonrpc import Message, Notification, Reply, Request, canonical, encode
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.storage import Storage, io_error
from hotswitch.ovsdb.subscriptions import METHODS, Subscriptions
from hotswitch.ovsdb.values import Json, is_identifier
from hotswitch.ovsdb.waiting import Waiter

MAXIMUM_WAITING = 1000
"""Transactions of one client that wait."""

_MANY = 1000
"""Operations of one transaction, above which most of what is made stays."""

_READ_ONLY_LOCK = "lock and unlock methods not allowed, DB server is read only."


class _RefusedError(Exception):
    """A request is answered with this bare text as the error."""


class Session:
    """A client, from its first message to its last.

    read_only: it may not change anything, nor lock.
    """

    def __init__(
        self,
        databases: Databases,
        send: Callable[[bytes], None],
        disconnect: Callable[[str], None],
        *,
        read_only: bool = False,
    ) -> None:
        self.read_only = read_only
        self._databases = databases
        self._write = send
        self._disconnect = disconnect
        self._aware = False
        self._subscriptions = Subscriptions(send)
        self._waiting: dict[bytes, Waiter] = {}
        databases.join(self)

    def receive(self, message: Message) -> None:
        """Take a message in."""
        if isinstance(message, Request):
            self._answer(message)
        elif isinstance(message, Notification) and message.method == "cancel":
            self._cancel(message.params)

    def hold(self) -> None:
        """The client does not read: write no notifications until `release`."""
        self._subscriptions.hold()

    def release(self) -> None:
        """The client reads again."""
        self._subscriptions.release()

    def close(self) -> None:
        """The client is gone: forget what it waits for, monitors and locks."""
        for waiter in self._waiting.values():
            self._databases.waiters.remove(waiter)
        self._waiting.clear()
        self._subscriptions.drop()
        self._databases.leave(self)

    def usage(self) -> dict[str, int]:
        """Return how many monitors and waiting transactions there are."""
        return {"monitors": len(self._subscriptions), "triggers": len(self._waiting)}

    def locks(self) -> dict[str, list[str]]:
        """Return the names of the locks held, and of those waited for or lost."""
        locks = self._databases.locks
        names = sorted(locks.names(self))
        return {
            "locks_held": [name for name in names if locks.owns(self, name)],
            "locks_waiting": [name for name in names if not locks.owns(self, name)],
        }

    # What the databases tell

    def changed(self, storage: Storage, changes: Changes) -> None:
        self._subscriptions.changed(storage, changes)

    def replaced(self, storage: Storage, reason: str) -> None:
        dropped = self._subscriptions.drop(storage)
        if self._aware:
            for identifier in dropped:
                self._send(Notification("monitor_canceled", [identifier]))
        else:
            self._disconnect(reason)

    def notify_lock(self, method: str, name: str) -> None:
        self._send(Notification(method, [name]))

    # Requests

    def _answer(self, request: Request) -> None:
        handler = _HANDLERS.get(request.method)
        try:
            if handler is None:
                raise _RefusedError("unknown method")
            result = handler(self, request)
        except OvsdbError as error:
            self._reply(Reply(None, error.to_json(), request.id))
        except _RefusedError as error:
            self._reply(Reply(None, str(error), request.id))
        else:
            if result is not None:
                self._reply(Reply(result, None, request.id))

    def _storage(self, request: Request) -> Storage:
        params = request.params
        if not params or not isinstance(params[0], str):
            raise syntax_error(params, f"{request.method} request params must begin with <db-name>")
        storage = self._databases.get(params[0])
        if storage is None:
            raise syntax_error(
                params,
                f"{request.method} request specifies unknown database {params[0]}",
                "unknown database",
            )
        return storage

    def _list_databases(self, _: Request) -> Json:
        return self._databases.names

    def _get_schema(self, request: Request) -> Json:
        return msgspec.Raw(self._storage(request).database.schema.encoded)

    def _get_server_id(self, _: Request) -> Json:
        return self._databases.server_id

    def _echo(self, request: Request) -> Json:
        return request.params

    def _set_aware(self, request: Request) -> Json:
        if len(request.params) != 1 or not isinstance(request.params[0], bool):
            raise _bad(request, "true or false parameter expected")
        self._aware = request.params[0]
        return {}

    # Transactions

    def _transact(self, request: Request) -> None:
        storage = self._storage(request)
        if self._waiting and canonical(request.id) in self._waiting:
            raise _bad(request, "duplicate request ID")
        started = self._databases.clock.now()
        operations = request.params[1:]
        timeout = self._try(storage, operations, started, request.id)
        if timeout is not None and timeout < 0:
            return
        if len(self._waiting) >= MAXIMUM_WAITING:
            raise OvsdbError("resources exhausted", f"more than {MAXIMUM_WAITING} wait already")
        key = canonical(request.id)

        def retry() -> int | None:
            timeout = self._try(storage, operations, started, request.id)
            if timeout is not None and timeout < 0:
                self._waiting.pop(key, None)
            return timeout

        def cancel() -> None:
            self._waiting.pop(key, None)
            self._reply(Reply(None, "canceled", request.id))

        waiter = Waiter(storage, retry, cancel, started, timeout)
        self._waiting[key] = waiter
        self._databases.waiters.add(waiter)

    def _try(self, storage: Storage, operations: list[Json], started: int, id_: Json) -> int | None:
        """Execute and reply; return -1, or if it must wait how long at most in all."""
        elapsed = (self._databases.clock.now() - started) // 1_000_000
        with collections_paused() if len(operations) > _MANY else nullcontext():
            outcome = self._databases.transact(
                storage,
                operations,
                read_only=self.read_only or storage.name.startswith("_"),
                elapsed=elapsed,
                owns_lock=lambda name: self._databases.locks.owns(self, name),
            )
        if outcome.waiting is not None:
            return outcome.waiting.timeout
        reply = Reply(outcome.results, None, id_)
        if outcome.durable and outcome.changes is not None:
            self._databases.durable(storage, lambda error: self._reply_durable(reply, error))
        else:
            self._reply(reply)
        return -1

    def _reply_durable(self, reply: Reply, error: LogError | None) -> None:
        if error is not None:
            reply = Reply([*reply.result, io_error(error)], None, reply.id)
        self._reply(reply)

    def _cancel(self, params: list[Json]) -> None:
        if len(params) != 1:
            return
        waiter = self._waiting.get(canonical(params[0]))
        if waiter is not None:
            self._databases.waiters.remove(waiter)
            waiter.cancel()

    def _convert(self, request: Request) -> None:
        storage = self._storage(request)
        if self.read_only or storage.name.startswith("_"):
            raise OvsdbError(
                "not allowed", f"conversion is not allowed for read-only database {storage.name}"
            )
        if len(request.params) != 2:
            raise syntax_error(request.params, "array expected")
        schema = DatabaseSchema.from_json(request.params[1])
        if schema.name != storage.name:
            raise OvsdbError(
                "invalid parameters",
                f"new schema name ({schema.name}) does not match database name ({storage.name})",
            )
        # The reply goes first: a client that doesn't know of such changes is disconnected.
        self._databases.convert(
            storage, schema, committed=lambda: self._reply(Reply({}, None, request.id))
        )

    # Monitors

    def _monitor(self, request: Request) -> Any:
        return self._subscriptions.add(
            self._storage(request), METHODS[request.method], request.params
        )

    def _monitor_change(self, request: Request) -> Json:
        self._subscriptions.change(request.params)
        return {}

    def _monitor_cancel(self, request: Request) -> Json:
        if len(request.params) != 1:
            raise _RefusedError("invalid parameters")
        if not self._subscriptions.cancel(request.params[0]):
            raise _RefusedError("unknown monitor")
        return {}

    # Locks

    def _lock(self, request: Request) -> Json:
        name = self._new_lock(request)
        return {"locked": self._databases.locks.lock(self, name)}

    def _steal(self, request: Request) -> Json:
        name = self._new_lock(request)
        victim = self._databases.locks.steal(self, name)
        if victim is not None:
            victim.notify_lock("stolen", name)
        return {"locked": True}

    def _unlock(self, request: Request) -> Json:
        name = self._lock_name(request)
        locks = self._databases.locks
        if not locks.asked(self, name):
            raise _bad(request, '"unlock" without "lock" or "steal"')
        owner = locks.unlock(self, name)
        if owner is not None:
            owner.notify_lock("locked", name)
        return {}

    def _new_lock(self, request: Request) -> str:
        name = self._lock_name(request)
        if self._databases.locks.asked(self, name):
            raise syntax_error(request.params, f'must issue "unlock" before new "{request.method}"')
        return name

    def _lock_name(self, request: Request) -> str:
        if self.read_only:
            raise _RefusedError(_READ_ONLY_LOCK)
        params = request.params
        if len(params) != 1 or not isinstance(params[0], str) or not is_identifier(params[0]):
            raise syntax_error(params, f"{request.method} request params must be <id>")
        return params[0]

    # Out

    def _reply(self, reply: Reply) -> None:
        self._subscriptions.flush()
        self._send(reply)

    def _send(self, message: Message) -> None:
        self._write(encode(message))


def _bad(request: Request, details: str) -> OvsdbError:
    return syntax_error(request.params, f"{request.method}: {details}")


_HANDLERS: dict[str, Callable[[Session, Request], Any]] = {
    "list_dbs": Session._list_databases,
    "get_schema": Session._get_schema,
    "get_server_id": Session._get_server_id,
    "set_db_change_aware": Session._set_aware,
    "echo": Session._echo,
    "transact": Session._transact,
    "convert": Session._convert,
    **dict.fromkeys(METHODS, Session._monitor),
    "monitor_cond_change": Session._monitor_change,
    "monitor_cancel": Session._monitor_cancel,
    "lock": Session._lock,
    "steal": Session._steal,
    "unlock": Session._unlock,
}
"""By method: returns the result, or None if the reply comes by itself."""
