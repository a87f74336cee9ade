"""Bytes to requests and replies, and back. No I/O in here.

The only error that comes out is `CodecError`; anything else is a bug.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from hotswitch.base.errors import HotswitchError

MAXIMUM_REQUEST = 1 << 20
"""Bytes of one request."""

MAXIMUM_DEPTH = 64
"""Objects and lists in each other."""

_OUTSIDE_A_STRING = re.compile(rb'["{}\[\]]')
_IN_A_STRING = re.compile(rb'["\\]')
_BLANK = b" \t\r\n"

_Message = TypeVar("_Message")


class CodecError(HotswitchError):
    """Bytes that are not the protocol's. The stream can't be followed any further."""


class Request(msgspec.Struct, frozen=True):
    """A request: `params` are either texts or one object."""

    method: str
    params: list[Any] = []
    id: Any = None


class Reply(msgspec.Struct, frozen=True):
    """A reply: `error` is null if it went well, else a text; then `result` is null."""

    id: Any = None
    result: Any = None
    error: Any = None


class Framer:
    """Cuts a stream of bytes into JSON objects, each byte looked at once.

    maximum: bytes that one object may have.
    """

    def __init__(self, maximum: int = MAXIMUM_REQUEST) -> None:
        self._maximum = maximum
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._in_string = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the objects that are now complete. Raises CodecError."""
        self._buffer += data
        complete = []
        while self._scan():
            complete.append(bytes(self._buffer[: self._scanned]))
            del self._buffer[: self._scanned]
            self._scanned = 0
        if len(self._buffer) > self._maximum:
            raise CodecError(f"more than {self._maximum} bytes in one message")
        return complete

    def _scan(self) -> bool:
        """Go on to the end of an object; whether there is one."""
        if self._depth == 0:
            self._start()
        while True:
            pattern = _IN_A_STRING if self._in_string else _OUTSIDE_A_STRING
            found = pattern.search(self._buffer, self._scanned)
            if found is None:
                self._scanned = max(self._scanned, len(self._buffer))
                return False
            self._scanned = found.end()
            if self._step(found[0]):
                return True

    def _start(self) -> None:
        stripped = self._buffer.lstrip(_BLANK)
        if stripped and stripped[0] != ord("{"):
            raise CodecError("a message is a JSON object")
        self._buffer = stripped

    def _step(self, mark: bytes) -> bool:
        """Take note of a mark; whether it ends the object."""
        if mark == b'"':
            self._in_string = not self._in_string
        elif mark == b"\\":
            self._scanned += 1  # whatever is escaped, even if it has not come yet
        elif mark in (b"{", b"["):
            self._depth += 1
            if self._depth > MAXIMUM_DEPTH:
                raise CodecError(f"a message nests at most {MAXIMUM_DEPTH} levels")
        else:
            self._depth -= 1
            return self._depth == 0
        return False


def decode_request(data: bytes) -> Request:
    """Read a request. Raises CodecError."""
    return _decode(data, Request)


def decode_reply(data: bytes) -> Reply:
    """Read a reply. Raises CodecError."""
    return _decode(data, Reply)


def encode(message: Request | Reply) -> bytes:
    """Write a message, with a newline behind it for those who look."""
    return msgspec.json.encode(message) + b"\n"


def _decode(data: bytes, kind: type[_Message]) -> _Message:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CodecError(f"not a message: {error}") from error
