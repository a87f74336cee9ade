"""The recordings: real messages of real clients and the real kernel, in both directions."""

from __future__ import annotations

import functools
import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hotswitch.netlink.codec import FAMILIES, Codec
from hotswitch.netlink.families import controller
from hotswitch.netlink.message import Message, Received, split

FOLDER = Path(__file__).with_name("recordings")
NAMES = ("dpctl", "vswitchd")

_RECORD = struct.Struct("<IIII")
_FILE_HEADER = 24
_COOKED_HEADER = 16  # of LINKTYPE_NETLINK: its last two bytes are the protocol
_GENERIC = b"\0\x10"


class Recorded(NamedTuple):
    """A message as bytes, as a value, and the codec that knows the types of that moment."""

    data: bytes
    message: Received
    codec: Codec


def frames(name: str) -> Iterator[bytes]:
    """The datagrams of a recording."""
    content = gzip.decompress((FOLDER / f"{name}.pcap.gz").read_bytes())
    position = _FILE_HEADER
    while position < len(content):
        length = _RECORD.unpack_from(content, position)[2]
        start = position + _RECORD.size
        position = start + length
        assert content[start + 14 : start + 16] == _GENERIC
        yield content[start + _COOKED_HEADER : position]


@functools.cache
def recording(name: str) -> tuple[Recorded, ...]:
    """All messages of a recording; message types are learned on the way, as clients do."""
    known = {family.name: family for family in FAMILIES}
    families = {controller.ID: controller.CONTROLLER}
    codec = Codec(families)
    found = []
    for datagram in frames(name):
        for data in split(datagram):
            message = codec.decode(data)
            found.append(Recorded(data, message, codec))
            if isinstance(message, Message) and message.command == "newfamily":
                family = known[message.attributes["family_name"]]
                families = {**families, message.attributes["family_id"]: family}
                codec = Codec(families)
    return tuple(found)


def everything() -> list[Recorded]:
    """All messages of all recordings."""
    return [each for name in NAMES for each in recording(name)]
