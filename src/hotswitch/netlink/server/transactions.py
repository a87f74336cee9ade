"""Answers that are given again when the same request comes again."""

from __future__ import annotations

import errno
import hashlib
import struct
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.message import ERROR, HEADER_SIZE, Header
from hotswitch.netlink.server.records import Answered

KEPT = 65_536
"""Answers, at most; the oldest go."""
KEPT_BYTES = 16 << 20

_addressed = struct.Struct("=II")
_SEQUENCE = 8
_OVERHEAD = 256


def digest(request: bytes) -> bytes:
    """What makes two requests the same: all but sequence number and port id."""
    return hashlib.blake2b(request[:_SEQUENCE] + request[HEADER_SIZE:], digest_size=16).digest()


def addressed(answers: Sequence[bytes], sequence: int, port: int) -> tuple[bytes, ...]:
    """The same answers to the same request under another sequence number and port id."""
    return tuple(_addressed_one(each, sequence, port) for each in answers)


def _addressed_one(answer: bytes, sequence: int, port: int) -> bytes:
    changed = bytearray(answer)
    _addressed.pack_into(changed, _SEQUENCE, sequence, port)
    inner = HEADER_SIZE + 4
    if Header.unpack(answer).type == ERROR and len(answer) >= inner + HEADER_SIZE:
        _addressed.pack_into(changed, inner + _SEQUENCE, sequence, port)
    return bytes(changed)


class Transactions:
    """The answers by the transaction's identity."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._answers: OrderedDict[bytes, Answered] = OrderedDict()

    def find(self, identity: bytes, request: bytes) -> tuple[bytes, ...] | None:
        """What was answered to this request, or None.

        Raises NetlinkError if it was another request that had this identity.
        """
        found = self._answers.get(identity)
        if found is None:
            return None
        if found.digest != digest(request):
            raise NetlinkError(
                "another request had this identity", errno=errno.EEXIST, path=("transaction",)
            )
        return found.answers

    def keep(self, answered: Answered) -> None:
        """Keep an answer, in the place of one with that identity."""
        self.forget(answered.identity)
        self._answers[answered.identity] = answered
        self._bytes += _size(answered)
        while len(self._answers) > self._kept or self._bytes > self._kept_bytes:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= _size(oldest)

    def forget(self, identity: bytes) -> None:
        """Forget an answer, if there is one."""
        found = self._answers.pop(identity, None)
        if found is not None:
            self._bytes -= _size(found)

    def __iter__(self) -> Iterator[Answered]:
        """Each as it is when it is its turn; they may change meanwhile."""
        for identity in list(self._answers):
            answered = self._answers.get(identity)
            if answered is not None:
                yield answered


def _size(answered: Answered) -> int:
    return _OVERHEAD + sum(map(len, answered.answers))
