"""How answers are written: what a request says, acknowledgements, refusals."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extended import refuse
from hotswitch.netlink.flags import ACK, ECHO, MULTI
from hotswitch.netlink.message import ERROR, HEADER_SIZE, Done, Message
from hotswitch.netlink.server.request import Outcome, Request
from hotswitch.netlink.server.session import Session

_sequence = struct.Struct("=I")
_acknowledgement = struct.Struct("=IHHIIi")


def acknowledgement(request: bytes, port: int) -> bytes:
    """What a request that was carried out is answered with: `extended.accept`, quickly."""
    size = _acknowledgement.size + HEADER_SIZE
    (sequence,) = _sequence.unpack_from(request, 8)
    return _acknowledgement.pack(size, ERROR, 0, sequence, port, 0) + request[:HEADER_SIZE]


class Answers:
    """Writes answers as datagrams."""

    def __init__(self, codec: Codec) -> None:
        self.encode = codec.encode

    def all(self, request: Request, outcome: Outcome) -> tuple[bytes, ...]:
        """All that is said to who has asked for what was carried out."""
        return tuple(self._all(request, outcome))

    def _all(self, request: Request, outcome: Outcome) -> Iterator[bytes]:
        flags = request.message.flags
        if outcome.attributes is not None and (not outcome.event or flags & ECHO):
            yield self.encode(answer(request, outcome))
        if flags & ACK:
            yield acknowledgement(request.data, request.session.port)

    def refusal(self, session: Session, data: bytes, error: NetlinkError) -> bytes:
        """The answer to a request that is not carried out."""
        return self.encode(
            refuse(data, error, port=session.port, extended=session.extended, capped=session.capped)
        )

    def broken_off(self, request: Message, error: NetlinkError) -> bytes:
        """The end of a listing that can't go on."""
        return self.encode(
            Done(error.errno, flags=MULTI, sequence=request.sequence, port=request.port)
        )


def answer(request: Request, outcome: Outcome) -> Message:
    """What a request that was carried out has to say (`outcome.attributes` are there)."""
    message = request.message
    attributes = outcome.attributes
    assert attributes is not None
    return Message(
        message.family,
        outcome.command or message.command,
        attributes() if callable(attributes) else attributes,
        outcome.datapath,
        0,
        message.sequence,
        message.port,
    )
