"""One connection of an asyncio program to the Netlink server.

Any number of requests wait for their answers at a time. When it is over, it stays so.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import REQUEST
from hotswitch.netlink.message import Acknowledgement, Done, Message, split

_LARGEST = 1 << 18
_DATAGRAM = 1 << 14
"""Bytes after which no more requests are put into one datagram."""


@dataclass(slots=True)
class _Waiting:
    """A request that waits: its answers until now, and the last of them."""

    ended: asyncio.Future[Acknowledgement | Done]
    answers: list[Message] = field(default_factory=list)


class Exchange:
    """Requests and answers over one connection. Made by `open`.

    port: its port id. told: gets events and packets, and an error if some were lost. lost: is
    called once when it is over. numbers: never the same one, for sequence numbers.
    """

    def __init__(
        self,
        connection: socket.socket,
        codec: Codec,
        port: int,
        numbers: Iterator[int],
        told: Callable[[Message | NetlinkError], None],
        lost: Callable[[], None],
    ) -> None:
        self.port = port
        self._socket = connection
        self._codec = codec
        self._numbers = numbers
        self._told = told
        self._lost = lost
        self._outbox: deque[bytes] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._is_over = False
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def open(
        cls,
        path: Path,
        codec: Codec,
        port: int,
        numbers: Iterator[int],
        told: Callable[[Message | NetlinkError], None],
        lost: Callable[[], None],
    ) -> Exchange:
        """Connect; port: the port id to have if nobody else has it, or 0.

        Raises OSError, and NetlinkError if it is no such server.
        """
        loop = asyncio.get_running_loop()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        wanted = Attributes(extended=True, together=True)
        options = Message(SOCKET, "option", wanted, flags=REQUEST)
        bound = Attributes(port=port) if port else NONE
        hello = Message(SOCKET, "bind", bound, flags=REQUEST, sequence=1)
        try:
            await loop.sock_connect(made, str(path))
            await loop.sock_sendall(made, codec.encode(options))
            await loop.sock_sendall(made, codec.encode(hello))
            data = await loop.sock_recv(made, _LARGEST)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "hung up at once")
            first, *more = split(data)
            answer = codec.decode(first)
        except BaseException:
            made.close()
            raise
        # A refusal, as another socket has the port id by now, is sent to the one that this has.
        given = answer.attributes["port"] if isinstance(answer, Message) else answer.port
        exchange = cls(made, codec, given, numbers, told, lost)
        for each in more:
            exchange._take(each)
        return exchange

    async def request(
        self, family: Family, command: str, attributes: Attributes, datapath: int, flags: int
    ) -> list[Message]:
        """A request's answers. Raises NetlinkError if it is refused, OSError."""
        sequence = next(self._numbers) % 0xFFFFFFFF + 1
        data = self._codec.encode(
            Message(family, command, attributes, datapath, REQUEST | flags, sequence)
        )
        waiting = _Waiting(asyncio.get_running_loop().create_future())
        self._waiting[sequence] = waiting
        try:
            self._send(data)
            last = await waiting.ended
        finally:
            self._waiting.pop(sequence, None)
        if last.error:
            said = last.attributes.get("message", os.strerror(last.error))
            raise NetlinkError(said, errno=last.error, offset=last.attributes.get("offset"))
        return waiting.answers

    def close(self) -> None:
        """Hang up; who waits gets a ConnectionResetError."""
        if self._is_over:
            return
        self._is_over = True
        self._outbox.clear()
        for task in (self._sender, self._reader):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        # What waits for the socket must not look for it any more: its number may be another's then.
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        loop.remove_writer(self._socket)
        self._socket.close()
        for waiting in self._waiting.values():
            if not waiting.ended.done():
                waiting.ended.set_exception(ConnectionResetError(errno.ECONNRESET, "hung up"))
        self._lost()

    async def end(self) -> None:
        """Hang up, and return when nothing of it goes on."""
        self.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    def _send(self, data: bytes) -> None:
        """Send a request, in one datagram with those that are asked for at the same time."""
        if self._is_over:
            raise ConnectionResetError(errno.ECONNRESET, "the connection is over")
        self._outbox.append(data)
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._outbox:
                await loop.sock_sendall(self._socket, _datagram(self._outbox))
        except OSError:
            self.close()
        finally:
            self._sender = None

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(self._socket, _LARGEST):
                for each in split(data):
                    self._take(each)
        except (OSError, NetlinkError):
            pass  # it is over, or not what it should be: then it is over too
        finally:
            self.close()

    def _take(self, data: bytes) -> None:
        message = self._codec.decode(data)
        waiting = self._waiting.get(message.sequence)
        if waiting is not None and waiting.ended.done():
            waiting = None
        if isinstance(message, Message):
            # An event has the sequence number of who asked, so its port tells whether that is us.
            if waiting is None or message.port != self.port:
                self._told(message)
            else:
                waiting.answers.append(message)
        elif not message.sequence:
            self._told(NetlinkError("events were lost", errno=errno.ENOBUFS))
        elif isinstance(message, Acknowledgement | Done) and waiting is not None:
            waiting.ended.set_result(message)


def _datagram(messages: deque[bytes]) -> bytes:
    """Some of the messages, of which there is at least one, as one datagram."""
    parts = [messages.popleft()]
    size = len(parts[0])
    while messages and size + len(messages[0]) <= _DATAGRAM:
        padding = -size % 4
        parts += [bytes(padding), messages.popleft()]
        size += padding + len(parts[-1])
    return b"".join(parts)
