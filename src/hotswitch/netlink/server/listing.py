"""Listings, part by part. Between two parts there is nothing but a position and a generation."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.flags import DUMP_INTERRUPTED, MULTI
from hotswitch.netlink.message import Done, Message, Received

PART = 8192
"""Bytes of a part, if the client does not say (the kernel's NLMSG_GOODSIZE is about as much)."""

_cursor = struct.Struct("=QQ")
_Encode = Callable[[Received], bytes]


class Listed(NamedTuple):
    """One that is listed. place: its own for all its life; later ones have a higher place."""

    place: int
    attributes: Attributes
    datapath: int = 0


class Table(Protocol):
    """What can be listed."""

    @property
    def generation(self) -> int:
        """Another one after each change of what is listed."""

    def listed(self, place: int) -> Iterator[Listed]:
        """What has this place or a higher one, in order."""


class Cursor(NamedTuple):
    """Where a listing goes on, and what the table's generation was when it began."""

    generation: int
    place: int

    def encode(self) -> bytes:
        """What a client is given."""
        return _cursor.pack(*self)

    @classmethod
    def decode(cls, data: bytes) -> Cursor:
        """Raises NetlinkError for what `encode` has not given."""
        if len(data) != _cursor.size:
            raise NetlinkError("this is no cursor", path=("cursor",))
        return cls._make(_cursor.unpack(data))


@dataclass
class Listing:
    """A listing that has begun, for the request that asked for it."""

    request: Message
    table: Table
    cursor: Cursor

    def part(self, encode: _Encode) -> tuple[bytes, bool]:
        """The next datagram, and whether it is the last one.

        One that is longer than PART goes alone.
        """
        found, more = self._collect(encode, PART)
        data = b"".join([each for _, each in found])
        if more is not None:
            self.cursor = self.cursor._replace(place=more)
            return data, False
        done = encode(self._done())
        if found and len(data) + len(done) > PART:
            self.cursor = self.cursor._replace(place=_END)
            return data, False
        return data + done, True

    def whole_part(self, encode: _Encode, limit: int) -> bytes:
        """A part with its own end, of at most `limit` bytes, that says where the next begins.

        Raises NetlinkError if not even one fits.
        """
        done = encode(self._done())
        room = limit - len(done) - _CURSOR_ROOM
        found, more = self._collect(encode, room, strict=True)
        if more is not None:
            if not found:
                raise NetlinkError(
                    f"{limit} bytes have no room for one of them",
                    errno=errno.EMSGSIZE,
                    path=("limit",),
                )
            cursor = self.cursor._replace(place=more).encode()
            last = _with(found[-1][0], Attributes(cursor=cursor))
            found[-1] = last, _padded(encode(last))
        if len(done) > limit:
            raise NetlinkError(
                f"{limit} bytes have no room for an end", errno=errno.EMSGSIZE, path=("limit",)
            )
        return b"".join([each for _, each in found]) + done

    def _collect(
        self, encode: _Encode, limit: int, *, strict: bool = False
    ) -> tuple[list[tuple[Message, bytes]], int | None]:
        """Messages of at most `limit` bytes, and the place of the first that is left, if any."""
        found: list[tuple[Message, bytes]] = []
        size = 0
        for listed in self.table.listed(self.cursor.place):
            message = self._message(listed)
            data = _padded(encode(message))
            size += len(data)
            if size > limit and (found or strict):
                return found, listed.place
            found.append((message, data))
        return found, None

    def _message(self, listed: Listed) -> Message:
        request = self.request
        return Message(
            request.family,
            _ANSWERS.get(request.command, request.command),
            listed.attributes,
            listed.datapath,
            MULTI | self._interrupted,
            request.sequence,
            request.port,
        )

    def _done(self) -> Done:
        flags = MULTI | self._interrupted
        return Done(flags=flags, sequence=self.request.sequence, port=self.request.port)

    @property
    def _interrupted(self) -> int:
        changed = self.cursor.generation != self.table.generation
        return DUMP_INTERRUPTED if changed else 0


_ANSWERS = {"getfamily": "newfamily"}
_END = (1 << 64) - 1
_CURSOR_ROOM = 4 + _cursor.size


def _with(message: Message, more: Attributes) -> Message:
    return Message(
        message.family,
        message.command,
        message.attributes + more,
        message.datapath,
        message.flags,
        message.sequence,
        message.port,
    )


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
