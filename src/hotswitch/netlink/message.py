"""Netlink messages as values (include/uapi/linux/netlink.h, genetlink.h)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.family import Family

HEADER_SIZE = 16
"""Bytes of nlmsghdr."""

NOOP, ERROR, DONE, OVERRUN = range(1, 5)
"""NLMSG_*: the types of control messages."""

_length = struct.Struct("=I")
_header = struct.Struct("=IHHII")


class Header(NamedTuple):
    """nlmsghdr. `length`: bytes, this header included; `port`: the sender's port id."""

    length: int
    type: int
    flags: int = 0
    sequence: int = 0
    port: int = 0

    @classmethod
    def unpack(cls, data: bytes, start: int = 0) -> Header:
        """The header that the 16 bytes at `start` are, whatever they say."""
        return cls._make(_header.unpack_from(data, start))

    def encode(self) -> bytes:
        """Its 16 bytes. Raises NetlinkError for a number that does not fit."""
        try:
            return _header.pack(*self)
        except struct.error:
            raise NetlinkError(f"{self} does not fit into a message's header") from None


@dataclass(frozen=True, slots=True)
class Message:
    """A generic Netlink message of a family that the codec knows.

    command: the command's name; datapath: the number in struct ovs_header, 0 in the controller's
    messages. version: of genlmsghdr, None: the family's own.
    padded: whether the last attribute has its padding; the kernel may leave it out.
    """

    family: Family
    command: str
    attributes: Attributes = NONE
    datapath: int = 0
    flags: int = 0
    sequence: int = 0
    port: int = 0
    version: int | None = None
    padded: bool = True

    def sent_by(self, port: int) -> Message:
        """The message as if its sender had written its port id correctly."""
        return Message(
            self.family,
            self.command,
            self.attributes,
            self.datapath,
            self.flags,
            self.sequence,
            port,
            self.version,
        )


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """NLMSG_ERROR: a request was carried out (error 0) or was not (error: an errno, positive).

    request: the whole request, or its header alone (with `flags.CAPPED`, or without an error).
    attributes: what else there is to say, of the set NLMSGERR_ATTR.
    """

    error: int
    request: bytes
    attributes: Attributes = NONE
    flags: int = 0
    sequence: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """NLMSG_DONE: the end of a dump. error: an errno, positive, or 0."""

    error: int = 0
    attributes: Attributes = NONE
    flags: int = 0
    sequence: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Control:
    """Another control message: NOOP, or OVERRUN (something was lost)."""

    type: int
    body: bytes = b""
    flags: int = 0
    sequence: int = 0
    port: int = 0


Received: TypeAlias = Message | Acknowledgement | Done | Control


def read_header(data: bytes, start: int = 0) -> Header:
    """The header of the message at `start`. Raises NetlinkError if there is none."""
    left = len(data) - start
    if left < HEADER_SIZE:
        raise NetlinkError(f"{left} bytes are no Netlink message, which has at least 16")
    header = Header.unpack(data, start)
    if not HEADER_SIZE <= header.length <= left:
        raise NetlinkError(f"the message says it has {header.length} bytes, there are {left}")
    return header


def is_whole(datagram: bytes) -> bool:
    """Whether a datagram is one message and nothing else, as most are."""
    return len(datagram) >= HEADER_SIZE and _length.unpack_from(datagram)[0] == len(datagram)


def split(datagram: bytes) -> list[bytes]:
    """The messages in a datagram, without the padding between them. Raises NetlinkError."""
    messages = []
    start = 0
    while start < len(datagram):
        length = _length.unpack_from(datagram, start)[0] if start + 4 <= len(datagram) else 0
        if not HEADER_SIZE <= length <= len(datagram) - start:
            length = read_header(datagram, start).length  # raises
        messages.append(datagram[start : start + length])
        start += length + 3 & ~3
    return messages
