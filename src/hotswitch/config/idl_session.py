"""What the `ovs` library's replica asks of a connection, over one that is here already.

The library parses a message whole, which takes it a third of a millisecond a row. So large ones
are cut, and it gets one piece in a turn of the event loop: links that come and go don't wait.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any

from ovs.jsonrpc import Message as LibraryMessage

from hotswitch.ovsdb.caller import Caller
from hotswitch.ovsdb.jsonrpc import Message, Notification, Reply, Request

_ROWS = 16
"""Rows in one piece."""

_UPDATES = ("update", "update2", "update3")


class LibrarySession:
    """In the place of an `ovs.jsonrpc.Session`; what has no docstring is as there.

    why_unfit: says why the library wants another server.
    """

    def __init__(self, caller: Caller, why_unfit: Callable[[], str]) -> None:
        self._caller = caller
        self._why_unfit = why_unfit
        self._pieces: list[Message] = []
        self._generation = 0
        self._may_read = True

    @property
    def is_amid(self) -> bool:
        """Whether pieces of a message are still to come."""
        return bool(self._pieces)

    def run(self) -> None:
        self._may_read = True
        if self._generation != self._caller.generation:
            self._generation = self._caller.generation
            self._pieces.clear()

    def recv(self) -> Any:
        if not self._may_read:
            return None
        if not self._pieces:
            message = self._caller.receive()
            if message is None:
                return None
            if isinstance(message, Notification) and message.method == "monitor_canceled":
                self._caller.served()
                self._caller.hang_up("has been converted, or removed")
                return None
            self._pieces = list(pieces(message))
            self._pieces.reverse()
        self._may_read = len(self._pieces) == 1
        return _to_library(self._pieces.pop())

    def send(self, message: Any) -> int:
        request = Request(message.method, message.params, message.id)
        return 0 if self._caller.send(request) else errno.ENOTCONN

    def is_connected(self) -> bool:
        return self._caller.connected

    def get_seqno(self) -> int:
        return self._caller.generation

    def get_name(self) -> str:
        return self._caller.name

    def force_reconnect(self) -> None:
        self._caller.hang_up(self._why_unfit())

    def reset_backoff(self) -> None:
        self._caller.served()

    def close(self) -> None:
        """Whoever has made the caller closes it."""


def pieces(message: Message) -> Iterator[Message]:
    """Cut what tells of many rows into messages that together say the same."""
    if isinstance(message, Reply) and _is_initial(message.result):
        found, position, updates = message.result
        yield Reply([found, position, {}], None, message.id)
        for part in _parts(updates):
            yield Notification("update3", ["", position, part])
    elif isinstance(message, Notification) and message.method in _UPDATES and message.params:
        *first, updates = message.params
        for part in _parts(updates):
            yield Notification(message.method, [*first, part])
    else:
        yield message


def _is_initial(result: Any) -> bool:
    """Whether it answers `monitor_cond_since`."""
    return isinstance(result, list) and len(result) == 3 and isinstance(result[0], bool)


def _parts(updates: Any) -> Iterator[Any]:
    if not isinstance(updates, dict) or sum(map(len, updates.values())) <= _ROWS:
        yield updates
        return
    for table, rows in updates.items():
        names = list(rows)
        for first in range(0, len(names), _ROWS):
            yield {table: {name: rows[name] for name in names[first : first + _ROWS]}}


def _to_library(message: Message) -> Any:
    if isinstance(message, Reply):
        if message.error is not None:
            return LibraryMessage.create_error(message.error, message.id)
        return LibraryMessage.create_reply(message.result, message.id)
    if isinstance(message, Notification):
        return LibraryMessage.create_notify(message.method, message.params)
    kind = LibraryMessage.T_REQUEST
    return LibraryMessage(kind, message.method, message.params, None, None, message.id)
