"""What the server has to know again after a restart, as a sequence of records.

What forwards is in the pins; these say what the pins can't: identities, who gets misses, and
answers that may be asked for again. A record takes the place of one before it with the same
names. On disk each has its length and its CRC-32 before it; reading ends where that is wrong, as
the process may have died in the middle of a write.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec

_frame = struct.Struct("=II")


class DatapathKept(msgspec.Struct, frozen=True, array_like=True, tag="datapath"):
    """There is a datapath; `received`: packets of its former ports; `number`: 0: not kept."""

    name: str
    features: int
    pids: tuple[int, ...]
    received: int = 0
    number: int = 0


class DatapathGone(msgspec.Struct, frozen=True, array_like=True, tag="-datapath"):
    """There is none any more, nor anything in it."""

    name: str


class VportKept(msgspec.Struct, frozen=True, array_like=True, tag="vport"):
    """A datapath has a vport. taken: it was made to take all frames."""

    datapath: str
    number: int
    kind: int
    name: str
    pids: tuple[int, ...]
    taken: bool


class VportGone(msgspec.Struct, frozen=True, array_like=True, tag="-vport"):
    """It has no longer."""

    datapath: str
    number: int


class FlowKept(msgspec.Struct, frozen=True, array_like=True, tag="flow"):
    """A datapath has a flow.

    identity: as `ufid.identity` gives it; named: whether that is a UFID. request: the message that
    has made it. actions: the payload of the actions that it has, if they are no longer those.
    """

    datapath: str
    cookie: int
    identity: bytes
    named: bool
    request: bytes
    actions: bytes | None = None


class FlowGone(msgspec.Struct, frozen=True, array_like=True, tag="-flow"):
    """It has no longer. cookie 0: it has none at all."""

    datapath: str
    cookie: int


class Answered(msgspec.Struct, frozen=True, array_like=True, tag="answer"):
    """A transaction was answered so; digest: of the request.

    flow: if the answer was kept before the change was made: the datapath and the cookie of the flow
    that has to be there for it to hold or, with `gone`, must not be there any more.
    kind: "vport": it is the number of a vport instead; "datapath": it is about the datapath itself.
    """

    identity: bytes
    digest: bytes
    answers: tuple[bytes, ...]
    flow: tuple[str, int] | None = None
    gone: bool = False
    kind: str = "flow"


def unconditional(answered: Answered) -> Answered:
    """The answer, which holds whatever becomes of the flow."""
    return msgspec.structs.replace(answered, flow=None, gone=False)


Record: TypeAlias = (
    DatapathKept | DatapathGone | VportKept | VportGone | FlowKept | FlowGone | Answered
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def encode(records: Iterable[Record]) -> bytes:
    """The bytes of records."""
    parts = []
    for record in records:
        body = _encoder.encode(record)
        parts += [_frame.pack(len(body), zlib.crc32(body)), body]
    return b"".join(parts)


def decode(data: bytes) -> Iterator[Record]:
    """The records in `data`, as far as they are whole."""
    position = 0
    while position + _frame.size <= len(data):
        length, checksum = _frame.unpack_from(data, position)
        position += _frame.size
        body = data[position : position + length]
        if len(body) != length or zlib.crc32(body) != checksum:
            return
        try:
            yield _decoder.decode(body)
        except msgspec.DecodeError:
            return
        position += length
