"""Bytes to messages and back, for the families that this codec has been given.

Nothing here reads a socket or a clock. Every error is a NetlinkError; anything else is a bug.
"""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Mapping
from types import MappingProxyType

from hotswitch.netlink.attributes import NONE
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extended import EXTENDED
from hotswitch.netlink.families import controller
from hotswitch.netlink.families.ct_limit import CT_LIMIT
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.meter import METER
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import ID as SOCKET_ID
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ACK_ATTRIBUTES, CAPPED
from hotswitch.netlink.message import (
    DONE,
    ERROR,
    HEADER_SIZE,
    NOOP,
    OVERRUN,
    Acknowledgement,
    Control,
    Done,
    Header,
    Message,
    Received,
    read_header,
)

FAMILIES = (controller.CONTROLLER, DATAPATH, VPORT, FLOW, PACKET, METER, CT_LIMIT, SOCKET)
"""All families, the controller first, hotswitch's own last."""

FIRST_ID = 32
"""The message type of the first family after the controller, here as in Linux by habit."""

_generic = struct.Struct("=BBH")
_signed = struct.Struct("=i")


def numbered() -> Mapping[int, Family]:
    """The families under the message types that hotswitch gives them."""
    others = {FIRST_ID + place: family for place, family in enumerate(FAMILIES[1:-1])}
    return MappingProxyType({controller.ID: controller.CONTROLLER, **others, SOCKET_ID: SOCKET})


class Codec:
    """Encodes and decodes messages of families by message type."""

    def __init__(self, families: Mapping[int, Family] | None = None) -> None:
        self.families: Mapping[int, Family] = numbered() if families is None else families
        self.ids: Mapping[Family, int] = {family: each for each, family in self.families.items()}

    def decode(self, data: bytes) -> Received:
        """The one message that `data` is (see `message.split`). Raises NetlinkError.

        The error's errno is ENOENT for a type that no family has, EOPNOTSUPP for a command that
        the family does not have.
        """
        header = read_header(data)
        if header.length != len(data):
            raise NetlinkError(f"{len(data) - header.length} bytes follow the message")
        if header.type >= controller.ID:
            return self._generic(header, data)
        if header.type == ERROR:
            return _acknowledgement(header, data)
        if header.type == DONE:
            return _done(header, data)
        if header.type in (NOOP, OVERRUN):
            return Control(header.type, data[HEADER_SIZE:], *header[2:])
        raise NetlinkError(f"no control message has the type {header.type}")

    def encode(self, message: Received) -> bytes:
        """The bytes of a message. Raises NetlinkError for values that its tables do not allow."""
        match message:
            case Message():
                kind, body = self._encode_generic(message)
            case Acknowledgement():
                body = _pack(_signed, -message.error) + message.request
                if message.attributes or message.flags & ACK_ATTRIBUTES:
                    body += bytes(-len(body) % 4) + EXTENDED.encode(message.attributes)
                kind = ERROR
            case Done():
                body = _pack(_signed, -message.error) + EXTENDED.encode(message.attributes)
                kind = DONE
            case Control():
                kind, body = message.type, message.body
        header = Header(
            HEADER_SIZE + len(body), kind, message.flags, message.sequence, message.port
        )
        return header.encode() + body

    def _generic(self, header: Header, data: bytes) -> Message:
        family = self.families.get(header.type)
        if family is None:
            raise NetlinkError(f"no family has the type {header.type}", errno=errno.ENOENT)
        start = HEADER_SIZE + _generic.size + family.header
        if len(data) < start:
            raise NetlinkError(f"{len(data)} bytes are too few for {family.name}")
        number, version, reserved = _generic.unpack_from(data, HEADER_SIZE)
        command = family.by_number.get(number)
        if command is None:
            raise NetlinkError(f"{family.name} has no command {number}", errno=errno.EOPNOTSUPP)
        if reserved:
            raise NetlinkError("the reserved bytes of the generic header are not zero")
        datapath = _signed.unpack_from(data, start - 4)[0] if family.header else 0
        attributes = family.attributes.decode(data, start, len(data))
        return Message(
            family,
            command.name,
            attributes,
            datapath,
            header.flags,
            header.sequence,
            header.port,
            version,
            padded=not len(data) % 4,
        )

    def _encode_generic(self, message: Message) -> tuple[int, bytes]:
        family = message.family
        command = family.by_name.get(message.command)
        if command is None or family not in self.ids:
            raise NetlinkError(f"{family.name} has no command {message.command!r} here")
        version = family.version if message.version is None else message.version
        attributes = family.attributes.encode(message.attributes)
        if not message.padded:
            attributes = attributes[: len(attributes) - _last_padding(attributes)]
        own = _pack(_signed, message.datapath) if family.header else b""
        return self.ids[family], _pack(_generic, command.number, version, 0) + own + attributes


def _acknowledgement(header: Header, data: bytes) -> Acknowledgement:
    start = HEADER_SIZE + _signed.size
    request = read_header(data, start) if _holds_whole_request(header, data) else None
    if request is None:
        if len(data) < start + HEADER_SIZE:
            raise NetlinkError(f"{len(data)} bytes are too few for an acknowledgement")
        end = start + HEADER_SIZE
    else:
        end = start + request.length
    attributes = NONE
    if header.flags & ACK_ATTRIBUTES:
        attributes = EXTENDED.decode(data, min(end + 3 & ~3, len(data)), len(data))
    elif end != len(data):
        raise NetlinkError(f"{len(data) - end} bytes follow the acknowledgement", offset=end)
    error = _errno(data)
    return Acknowledgement(error, data[start:end], attributes, *header[2:])


def _holds_whole_request(header: Header, data: bytes) -> bool:
    return _errno(data) != 0 and not header.flags & CAPPED


def _done(header: Header, data: bytes) -> Done:
    start = HEADER_SIZE + _signed.size
    return Done(_errno(data), EXTENDED.decode(data, start, len(data)), *header[2:])


def _errno(data: bytes) -> int:
    if len(data) < HEADER_SIZE + _signed.size:
        raise NetlinkError(f"{len(data)} bytes are too few for an error number")
    number: int = _signed.unpack_from(data, HEADER_SIZE)[0]
    return -number


def _last_padding(attributes: bytes) -> int:
    """How many bytes of padding the last attribute has."""
    position = 0
    while True:
        length = int.from_bytes(attributes[position : position + 2], sys.byteorder)
        following = position + (length + 3 & ~3)
        if following >= len(attributes):
            return following - position - length
        position = following


def _pack(form: struct.Struct, *values: int) -> bytes:
    try:
        return form.pack(*values)
    except struct.error:
        raise NetlinkError(f"{values} do not fit into the message") from None
