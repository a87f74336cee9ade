"""JSON-RPC 1.0 over a stream, as RFC 7047 section 4 uses it. No I/O in here.

Messages are JSON objects one after another, with or without blanks in between. Bytes go into a
`Framer`, messages come out; the only error is `ProtocolError`, and after it the stream can't be
followed any further: close it, as Open vSwitch does. Bytes that can't be JSON are refused when
they come, so that junk is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from hotswitch.base.errors import HotswitchError
from hotswitch.ovsdb.skimming import DEEPEST, PIECE, skim

MAXIMUM_MESSAGE = 64 << 20
"""Bytes of one message."""

MAXIMUM_DEPTH = 200
"""Objects and arrays in each other, in one message."""

_BLANK = b" \t\r\n"

_IN_STRING = re.compile(rb'[^"\\\x00-\x1f]*+(?:\\["\\/bfnrtu][^"\\\x00-\x1f]*+)*+')
# Numbers, literals, separators and complete strings, up to the next bracket.
_TO_BRACKET = re.compile(
    rb'(?:[-+.,:0-9eEtrufalsn \t\r\n]++|"[^"\\\x00-\x1f]*+(?:\\["\\/bfnrtu][^"\\\x00-\x1f]*+)*+")*+'
)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class ProtocolError(HotswitchError):
    """What came is not JSON, not a JSON-RPC message, or too large."""


class Request(msgspec.Struct, frozen=True):
    """Wants a reply with the same `id`, which is any JSON value but null."""

    method: str
    params: list[Any]
    id: Any


class Notification(msgspec.Struct, frozen=True):
    """Wants no reply."""

    method: str
    params: list[Any]


class Reply(msgspec.Struct, frozen=True):
    """Exactly one of `result` and `error` is not null."""

    result: Any
    error: Any
    id: Any


Message = Request | Notification | Reply


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    method: str | None = None
    params: list[Any] | None = None
    result: Any = None
    error: Any = None
    id: Any = None


_decoder = msgspec.json.Decoder(_Wire)
_encoder = msgspec.json.Encoder()
_canonical_encoder = msgspec.json.Encoder(order="deterministic")


class Framer:
    """Cuts a stream of bytes into messages.

    Each byte is looked at a constant number of times, however the stream is cut into pieces.
    maximum: bytes that one message may have.
    """

    def __init__(self, maximum: int = MAXIMUM_MESSAGE) -> None:
        self._maximum = maximum
        self._buffer = bytearray()
        self._scanned = 0
        self._depth = 0
        self._in_string = False

    @property
    def held(self) -> int:
        """Bytes of a message that is not yet complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes, yield each message that is now complete. Raises ProtocolError.

        Messages in front of an error are yielded first. Run the iterator to its end.
        """
        if not self._buffer:
            data = yield from _whole_messages(data)
        self._buffer += data
        while self._scan():
            message = bytes(self._buffer[: self._scanned])
            del self._buffer[: self._scanned]
            self._scanned = 0
            yield decode(message)
        if len(self._buffer) > self._maximum:
            raise ProtocolError(f"a message has more than {self._maximum} bytes")

    def _scan(self) -> bool:
        """Go on to the end of an object; whether there is one."""
        if self._depth == 0 and not self._start():
            return False
        self._skim()
        buffer = self._buffer
        if self._in_string and not self._leave_string():
            return False
        while True:
            match = _TO_BRACKET.match(buffer, self._scanned)
            assert match is not None  # it matches nothing as well
            position = match.end()
            if position == len(buffer):
                self._scanned = position
                return False
            mark = buffer[position]
            self._scanned = position + 1
            if mark in b"{[":
                self._depth += 1
                if self._depth > MAXIMUM_DEPTH:
                    raise ProtocolError(f"a message nests more than {MAXIMUM_DEPTH} levels")
            elif mark in b"}]":
                self._depth -= 1
                if self._depth == 0:
                    return True
            elif mark == ord('"'):
                self._in_string = True
                if not self._leave_string():
                    return False
            else:
                raise ProtocolError(f"byte {mark:#04x} can't stand there in JSON")

    def _skim(self) -> None:
        """Go on quickly over pieces in which the message can't end."""
        while self._scanned < len(self._buffer):
            piece = bytes(self._buffer[self._scanned : self._scanned + PIECE])
            skimmed = skim(piece, self._in_string)
            if skimmed is None or skimmed.closes >= self._depth:
                return
            depth = self._depth - skimmed.closes + skimmed.opens
            if max(self._depth, depth) + DEEPEST > MAXIMUM_DEPTH:
                return
            self._depth, self._in_string = depth, skimmed.in_string
            self._scanned += len(piece)

    def _start(self) -> bool:
        """Skip blanks; whether an object begins."""
        buffer = self._buffer
        if buffer and buffer[0] in _BLANK:
            buffer = self._buffer = buffer.lstrip(_BLANK)
        if buffer and buffer[0] != ord("{"):
            raise ProtocolError("a message is a JSON object")
        return bool(buffer)

    def _leave_string(self) -> bool:
        """Go on behind the string's end; whether it has come."""
        match = _IN_STRING.match(self._buffer, self._scanned)
        assert match is not None
        self._scanned = match.end()
        rest = self._buffer[self._scanned : self._scanned + 2]
        if not rest or rest == b"\\":
            return False  # an escape is looked at when both its bytes are there
        if rest[0] != ord('"'):
            raise ProtocolError("a string holds a control character or an unknown escape")
        self._scanned += 1
        self._in_string = False
        return True


def _whole_messages(data: bytes) -> Generator[Message, None, bytes]:
    """The common case, fast: data is whole messages. Returns what is left to look at closely.

    `}{` stands between messages, and in strings; so a piece may be cut wrongly, but then it is
    not a JSON object, since no beginning of an object is one.
    """
    while data:
        end = data.find(b"}{") + 1 or len(data)
        piece = data[:end]
        if piece.count(b"[") + piece.count(b"{") > MAXIMUM_DEPTH:
            break  # too deep, perhaps
        try:
            wire = _decoder.decode(piece)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            break
        yield _message(wire, piece)
        data = data[end:]
    return data


def decode(data: bytes) -> Message:
    """Read one whole message. Raises ProtocolError."""
    try:
        wire = _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not a JSON-RPC message: {error}") from error
    return _message(wire, data)


def encode(message: Message) -> bytes:
    """Write a message. Values in it may be `msgspec.Raw`, already encoded."""
    if isinstance(message, Notification):
        members = {"id": None, "method": message.method, "params": message.params}
        return _encoder.encode(members)
    return _encoder.encode(message)


def begun(method: str, identifier: Any) -> bytes:
    """Write a notification up to its first parameter. `NEXT`, more of them and `END` follow.

    For those of which many differ only in the beginning.
    """
    return encode(Notification(method, [identifier])).removesuffix(END)


NEXT = b","
END = b"]}"


def canonical(value: Any) -> bytes:
    """Return a JSON value as something to compare and look up: 1 and 1.0 are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _canonical_encoder.encode(value)


def _message(wire: _Wire, data: bytes) -> Message:
    if b"\\u0000" in data and _NUL.search(data):
        raise ProtocolError("a string holds a null character")
    if wire.method is None:
        if wire.params is not None or wire.id is None:
            raise ProtocolError("a message is a request, a notification or a reply")
        if (wire.result is None) == (wire.error is None):
            raise ProtocolError("a reply has either a result or an error")
        return Reply(wire.result, wire.error, wire.id)
    if wire.params is None or wire.result is not None or wire.error is not None:
        raise ProtocolError('a request has "method", "params" and "id", and nothing else')
    if wire.id is None:
        return Notification(wire.method, wire.params)
    return Request(wire.method, wire.params, wire.id)
