"""A client with messages made beforehand, so that what is measured is the server."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ACK, DUMP, ECHO, REQUEST
from hotswitch.netlink.message import DONE, ERROR, Acknowledgement, Message, Received, split

_LARGEST = 1 << 18
_TIMEOUT = 60.0
_IN_FLIGHT = 192
"""Datagrams of one message each: about what a Unix socket takes with its usual buffer."""
_DATAGRAM = 16 << 10
_DATAGRAMS = 4
_header = struct.Struct("=IHHIIi")


class NetlinkClient:
    """together: several messages go into a datagram, and several answers come in one."""

    def __init__(self, path: Path, *, together: bool = False) -> None:
        self.path = path
        self.codec = Codec()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(_TIMEOUT)
        self.socket.connect(str(path))
        self._together = together
        options = Attributes(extended=True, **({"together": True} if together else {}))
        self.ask(SOCKET, "option", options)
        self.port = self.ask(SOCKET, "bind").port

    def message(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        datapath: int = 0,
        flags: int = ACK,
    ) -> bytes:
        """The bytes of a request."""
        return self.codec.encode(Message(family, command, attributes, datapath, REQUEST | flags, 1))

    def ask(
        self, family: Family, command: str, attributes: Attributes = NONE, datapath: int = 0
    ) -> Message:
        """A request and its answer. Raises BenchError if it is refused."""
        self.socket.send(self.message(family, command, attributes, datapath, ECHO))
        return self.answer()

    def answer(self) -> Message:
        """The next message. Raises BenchError for anything else."""
        found = self.codec.decode(self.socket.recv(_LARGEST))
        if not isinstance(found, Message):
            raise BenchError(f"refused: {_why(found)}")
        return found

    def one_by_one(self, messages: Sequence[bytes]) -> list[float]:
        """Seconds from each request to its answer."""
        took = []
        send, receive = self.socket.send, self.socket.recv
        for each in messages:
            began = time.perf_counter()
            send(each)
            answer = receive(_LARGEST)
            took.append(time.perf_counter() - began)
            self._check(answer)
        return took

    def in_flight(self, messages: Sequence[bytes]) -> float:
        """Seconds for requests that do not wait for each other's answers, each with one answer."""
        datagrams = _packed(messages) if self._together else list(messages)
        most = _DATAGRAMS if self._together else _IN_FLIGHT
        self.socket.settimeout(None)
        began = time.perf_counter()
        sent = answered = 0
        counts = [1] * len(datagrams)
        if self._together:
            counts = [len(split(each)) for each in datagrams]
        ends = _running_sums(counts)
        while answered < len(messages):
            while sent < len(datagrams) and (sent < most or answered >= ends[sent - most]):
                self.socket.send(datagrams[sent])
                sent += 1
            answered += self._answers()
            with contextlib.suppress(BlockingIOError):
                while answered < len(messages):
                    answered += self._answers(socket.MSG_DONTWAIT)
        took = time.perf_counter() - began
        self.socket.settimeout(_TIMEOUT)
        return took

    def received(self) -> int:
        """How many messages come within a tenth of a second, of one datagram."""
        self.socket.settimeout(0.1)
        try:
            return len(split(self.socket.recv(_LARGEST)))
        except TimeoutError:
            return 0
        finally:
            self.socket.settimeout(_TIMEOUT)

    def listed(self, family: Family, datapath: int) -> tuple[int, float]:
        """List all of something: how many there are, and seconds. Raises BenchError."""
        began = time.perf_counter()
        self.socket.send(self.message(family, "get", datapath=datapath, flags=DUMP))
        count = 0
        while True:
            data = self.socket.recv(_LARGEST)
            at = 0
            while at < len(data):
                length, kind, _, _, _, error = _header.unpack_from(data, at)
                if kind in (DONE, ERROR):
                    if error:
                        raise BenchError(f"refused: errno {-error}")
                    return count, time.perf_counter() - began
                at += length + 3 & ~3
                count += 1

    def _answers(self, flags: int = 0) -> int:
        data = self.socket.recv(_LARGEST, flags)
        return self._check(data)

    def _check(self, data: bytes) -> int:
        """How many answers there are. Raises BenchError for a refusal."""
        if not data:
            raise BenchError("the server has hung up")
        count = at = 0
        while at < len(data):
            length, kind, _, _, _, error = _header.unpack_from(data, at)
            if kind == ERROR and error:
                raise BenchError(f"refused: {_why(self.codec.decode(data[at : at + length]))}")
            at += length + 3 & ~3
            count += 1
        return count

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


def _packed(messages: Sequence[bytes]) -> list[bytes]:
    datagrams: list[list[bytes]] = [[]]
    size = 0
    for each in messages:
        if size + len(each) > _DATAGRAM:
            datagrams.append([])
            size = 0
        datagrams[-1].append(each + bytes(-len(each) % 4))
        size += len(datagrams[-1][-1])
    return [b"".join(each) for each in datagrams if each]


def _running_sums(counts: Sequence[int]) -> list[int]:
    sums, total = [], 0
    for each in counts:
        total += each
        sums.append(total)
    return sums


def _why(found: Received) -> str:
    if isinstance(found, Acknowledgement):
        return str(found.attributes.get("message", found.error))
    return repr(found)
