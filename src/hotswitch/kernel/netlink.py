"""Netlink: attributes, and a socket that asks and gets its answer.

The source is RFC 3549 and include/uapi/linux/netlink.h. Numbers are in the machine's byte order.
pyroute2's sockets run an event loop of their own, which can't be used inside a running one; this is
all that is needed here.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from hotswitch.base.closing import Closing
from hotswitch.kernel.error import KernelError

ROUTE = 0
GENERIC = 16

REQUEST = 0x001
ACKNOWLEDGE = 0x004
DUMP = 0x300
REPLACE = 0x100
EXCLUSIVE = 0x200
CREATE = 0x400

_DUMP_INTERRUPTED = 0x010
_ERROR_CAPPED = 0x100
_ERROR_HAS_ATTRIBUTES = 0x200
_ERROR = 2
_DONE = 3
_ATTRIBUTE_MESSAGE = 1
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1
_EXTENDED_ACKNOWLEDGE = 11
_BUFFER = 1 << 18
_DUMP_ATTEMPTS = 10
_AT_ONCE = 32
"""So many answers fit into a receive buffer of the usual size, also where each describes a link."""

_header = struct.Struct("=IHHII")
_attribute = struct.Struct("=HH")


class Message(NamedTuple):
    """A message without its header."""

    type: int
    flags: int
    sequence: int
    body: bytes


class Request(NamedTuple):
    """What is asked for among others: no dump. `attempt` says what for."""

    type: int
    flags: int
    body: bytes
    attempt: str


def attribute(kind: int, payload: bytes) -> bytes:
    """An attribute with its padding."""
    return _attribute.pack(4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def text(kind: int, value: str) -> bytes:
    """An attribute that is a string that ends with a zero byte."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """An attribute that is a 32-bit number."""
    return attribute(kind, struct.pack("=I", value))


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in `data`, in order; what is malformed at the end is left out."""
    position, end = 0, len(data)
    while position + 4 <= end:
        length, kind = _attribute.unpack_from(data, position)
        if length < 4 or position + length > end:
            return
        yield kind & _TYPE_MASK, data[position + 4 : position + length]
        position += length + 3 & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes by kind; of several of a kind the last one."""
    return dict(each_attribute(data))


def chosen_attributes(data: bytes, start: int, kinds: Container[int]) -> dict[int, bytes]:
    """The attributes from `start` on that are of these kinds; of several of a kind the last one.

    A link's message has 60 attributes, of which a fourth is of use: copying only those halves
    the time.
    """
    found: dict[int, bytes] = {}
    position, end = start, len(data)
    unpack = _attribute.unpack_from
    while position + 4 <= end:
        length, kind = unpack(data, position)
        if length < 4 or position + length > end:
            break
        kind &= _TYPE_MASK
        if kind in kinds:
            found[kind] = data[position + 4 : position + length]
        position += length + 3 & ~3
    return found


def messages(datagram: bytes) -> Iterator[Message]:
    """The messages of a datagram."""
    position, end = 0, len(datagram)
    while position + 16 <= end:
        length, kind, flags, sequence, _ = _header.unpack_from(datagram, position)
        if length < 16 or position + length > end:
            return
        yield Message(kind, flags, sequence, datagram[position + 16 : position + length])
        position += length + 3 & ~3


class NetlinkSocket(Closing):
    """A socket in the network namespace of the thread that makes it."""

    def __init__(
        self, protocol: int, *, groups: tuple[int, ...] = (), receive_buffer: int = 0
    ) -> None:
        """Open it, as a member of multicast groups, with a buffer of so many bytes (0: as it is).

        Raises KernelError.
        """
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        except OSError as error:
            raise KernelError("open a netlink socket", error.errno or 0) from None
        self._sequence = 0
        try:
            self._socket.setsockopt(_SOL_NETLINK, _EXTENDED_ACKNOWLEDGE, 1)
            if receive_buffer:
                self._set_receive_buffer(receive_buffer)
            self._socket.bind((0, 0))
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError as error:
            self._socket.close()
            raise KernelError("set up a netlink socket", error.errno or 0) from None

    def _set_receive_buffer(self, size: int) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)

    def fileno(self) -> int:
        """The descriptor, readable when a datagram is there."""
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return a datagram that is there, or None. Raises KernelError: ENOBUFS if any was lost."""
        try:
            return self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise KernelError("receive netlink messages", error.errno or 0) from None

    def request(
        self, kind: int, flags: int, body: bytes, attempt: str, *, attempts: int = _DUMP_ATTEMPTS
    ) -> list[Message]:
        """Ask, wait for the answer, and return its messages without the acknowledgement.

        attempts: how often a dump is asked for while something changes during it.
        Raises KernelError with the kernel's own words if it says any.
        """
        for _ in range(attempts):
            try:
                answer = self._request(kind, flags, body, attempt)
            except OSError as error:
                raise KernelError(attempt, error.errno or 0) from None
            if not is_interrupted(answer):
                break
        # Changed all the while: what is there is as good as a snapshot gets.
        return answer

    def _request(self, kind: int, flags: int, body: bytes, attempt: str) -> list[Message]:
        self._sequence += 1
        flags |= REQUEST | (0 if flags & DUMP == DUMP else ACKNOWLEDGE)
        self._socket.send(_header.pack(16 + len(body), kind, flags, self._sequence, 0) + body)
        found: list[Message] = []
        while True:
            for message in messages(self._socket.recv(_BUFFER)):
                if message.sequence != self._sequence:
                    continue  # of a request that was given up
                if message.type == _ERROR:
                    if error := _error(message, attempt):
                        raise error
                    return found
                if message.type == _DONE:
                    _check_done(message, attempt)
                    return found
                found.append(message)

    def requests(self, asked: Sequence[Request]) -> list[list[Message] | KernelError]:
        """Ask many things with few system calls; what `request` would return, or raise, for each.

        The kernel carries them out in their order. Raises KernelError if it can't even be asked.
        """
        answers: list[list[Message] | KernelError] = []
        for first in range(0, len(asked), _AT_ONCE):
            try:
                answers += self._requests(asked[first : first + _AT_ONCE])
            except OSError as error:
                raise KernelError(asked[first].attempt, error.errno or 0) from None
        return answers

    def _requests(self, asked: Sequence[Request]) -> list[list[Message] | KernelError]:
        first = self._sequence + 1
        self._sequence += len(asked)
        flags = REQUEST | ACKNOWLEDGE
        parts: list[bytes] = []
        for sequence, each in enumerate(asked, first):
            header = _header.pack(16 + len(each.body), each.type, each.flags | flags, sequence, 0)
            parts += header, each.body, bytes(-len(each.body) % 4)
        self._socket.send(b"".join(parts))
        found: list[list[Message]] = [[] for _ in asked]
        errors: dict[int, KernelError] = {}
        left = len(asked)
        while left:
            for message in messages(self._socket.recv(_BUFFER)):
                at = message.sequence - first
                if not 0 <= at < len(asked):
                    continue  # of a request that was given up
                if message.type != _ERROR:
                    found[at].append(message)
                    continue
                left -= 1
                if error := _error(message, asked[at].attempt):
                    errors[at] = error
        return [errors.get(at, answer) for at, answer in enumerate(found)]

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def _error(message: Message, attempt: str) -> KernelError | None:
    """What an acknowledgement says, if it is not that all is well."""
    (number,) = struct.unpack_from("=i", message.body)
    if not number:
        return None
    words = ""
    if message.flags & _ERROR_HAS_ATTRIBUTES:
        (length,) = struct.unpack_from("=I", message.body, 4)
        start = 4 + (16 if message.flags & _ERROR_CAPPED else length + 3 & ~3)
        words = attributes(message.body[start:]).get(_ATTRIBUTE_MESSAGE, b"").decode().rstrip("\0")
    return KernelError(f"{attempt}: {words}" if words else attempt, -number)


def _check_done(message: Message, attempt: str) -> None:
    number = struct.unpack_from("=i", message.body)[0] if len(message.body) >= 4 else 0
    if number < 0:
        raise KernelError(attempt, -number)


def is_interrupted(answer: Iterable[Message]) -> bool:
    """Whether something changed during this dump, so that what is there may be missing in it."""
    return any(each.flags & _DUMP_INTERRUPTED for each in answer)


def is_gone(error: KernelError) -> bool:
    """Whether the kernel says that there is no such thing."""
    return error.errno in (errno.ENODEV, errno.ENOENT, errno.ENXIO)
