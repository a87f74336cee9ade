"""The monitors of one client (RFC 7047 sections 4.1.5 to 4.1.7, ovsdb-server(7) 4.1.12 to 4.1.16).

While the client does not read, nothing is written for it: changes are kept as one, and rows that
come and go in the meantime leave no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.errors import OvsdbError, syntax_error
from hotswitch.ovsdb.jsonrpc import END, NEXT, Notification, begun, canonical, encode
from hotswitch.ovsdb.monitor import Method, Monitor
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.values import Json, parse_uuid

MAXIMUM_MONITORS = 1000
"""Monitors of one client."""

METHODS = {
    "monitor": Method.MONITOR,
    "monitor_cond": Method.MONITOR_COND,
    "monitor_cond_since": Method.MONITOR_COND_SINCE,
}

_UPDATES = {
    Method.MONITOR: "update",
    Method.MONITOR_COND: "update2",
    Method.MONITOR_COND_SINCE: "update3",
}
_PARAMETERS = {Method.MONITOR: 3, Method.MONITOR_COND: 3, Method.MONITOR_COND_SINCE: 4}


@dataclass(slots=True)
class _Subscription:
    id: Json
    storage: Storage
    method: Method
    monitor: Monitor
    #: How each of its notifications begins.
    head: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.head = begun(_UPDATES[self.method], self.id) + NEXT


class Subscriptions:
    """What one client monitors. `write` takes the notifications."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._by_id: dict[bytes, _Subscription] = {}
        self._held: dict[Storage, list[Changes]] = {}
        self._holding = False

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, storage: Storage, method: Method, params: list[Json]) -> Any:
        """Begin a monitor; return the reply's result. Raises OvsdbError."""
        if len(params) != _PARAMETERS[method]:
            raise syntax_error(params, "invalid parameters")
        identifier, requests = params[1], params[2]
        if not isinstance(requests, dict):
            raise syntax_error(requests, "monitor-requests must be object")
        key = canonical(identifier)
        if key in self._by_id:
            raise syntax_error(identifier, "duplicate monitor ID")
        if len(self._by_id) >= MAXIMUM_MONITORS:
            raise OvsdbError("resources exhausted", f"more than {MAXIMUM_MONITORS} monitors")
        last = _last_transaction(params[3]) if method is Method.MONITOR_COND_SINCE else None
        self._flush(storage)
        monitor = Monitor(storage.database, method, requests)
        result = monitor.initial() if last is None else list(monitor.since(last))
        self._by_id[key] = _Subscription(identifier, storage, method, monitor)
        return result

    def change(self, params: list[Json]) -> None:
        """Change a monitor's conditions, and notify what that brings. Raises OvsdbError."""
        if len(params) != 3:
            raise syntax_error(params, "invalid parameters")
        old, new, requests = params
        subscription = self._by_id.get(canonical(old))
        if subscription is None:
            raise syntax_error(old, "unknown monitor session")
        if canonical(old) != canonical(new) and canonical(new) in self._by_id:
            raise syntax_error(new, "duplicate monitor ID")
        if not isinstance(requests, dict):
            raise OvsdbError("syntax error", "monitor-cond-change-requests must be object")
        self._flush(subscription.storage)
        update = subscription.monitor.change_conditions(requests)
        del self._by_id[canonical(old)]
        subscription = replace(subscription, id=new)
        self._by_id[canonical(new)] = subscription
        if update is not None:
            self._notify(subscription, subscription.storage.database.transaction_id, update)

    def cancel(self, identifier: Json) -> bool:
        """End a monitor; whether there was one."""
        return self._by_id.pop(canonical(identifier), None) is not None

    def changed(self, storage: Storage, changes: Changes) -> None:
        """Notify what is monitored of a commit, or hold it back."""
        if not self._by_id:
            return
        if self._holding:
            _pile_up(self._held.setdefault(storage, []), changes)
            return
        for each in self._by_id.values():
            if each.storage is storage:
                update = each.monitor.encoded_update(changes)
                if update is not None:
                    self._write(each.head + update + END)

    def hold(self) -> None:
        """Hold notifications back from now on."""
        self._holding = True

    def release(self) -> None:
        """Notify what was held back, and hold nothing back any more."""
        self._holding = False
        for storage in list(self._held):
            self._flush(storage)

    def drop(self, storage: Storage | None = None) -> list[Json]:
        """Forget the monitors of a database, or all; return their identifiers."""
        dropped = {
            key: each.id
            for key, each in self._by_id.items()
            if storage is None or each.storage is storage
        }
        for key in dropped:
            del self._by_id[key]
        if storage is None:
            self._held.clear()
        else:
            self._held.pop(storage, None)
        return list(dropped.values())

    def flush(self) -> None:
        """Notify what was held back, in front of a reply that must not overtake it."""
        for storage in list(self._held):
            self._flush(storage)

    def _flush(self, storage: Storage) -> None:
        held = self._held.pop(storage, None)
        if held:
            holding, self._holding = self._holding, False
            self.changed(storage, _as_one(held))
            self._holding = holding

    def _notify(self, to: _Subscription, transaction_id: str, update: Any) -> None:
        since = to.method is Method.MONITOR_COND_SINCE
        params = [to.id, transaction_id, update] if since else [to.id, update]
        self._write(encode(Notification(_UPDATES[to.method], params)))


def _last_transaction(text: Json) -> Any:
    if not isinstance(text, str):
        raise syntax_error(text, "last-txn-id must be string")
    uuid = parse_uuid(text)
    if uuid is None:
        raise syntax_error(text, "last-txn-id must be UUID format.")
    return uuid


def _pile_up(pile: list[Changes], changes: Changes) -> None:
    """Add to a pile in which each is larger than the next, so that joining stays cheap."""
    pile.append(changes)
    while len(pile) > 1 and len(pile[-1]) * 2 >= len(pile[-2]):
        last = pile.pop()
        pile.append(pile.pop().then(last))


def _as_one(pile: list[Changes]) -> Changes:
    result = pile[-1]
    for each in reversed(pile[:-1]):
        result = each.then(result)
    return result
