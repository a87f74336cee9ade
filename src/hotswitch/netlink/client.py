"""A client of the Netlink server, for asyncio programs.

    async with Client(Path("/run/hotswitch/netlink.sock")) as client:
        made = await client.change(DATAPATH, "new", Attributes(name="dp1", upcall_pid=0))

A change is carried out exactly once, also if the connection breaks or the daemon is restarted
before the answer has come: it has an identity, and is sent again until it is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import socket
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ACK, CREATE, DUMP_INTERRUPTED, ECHO, EXCLUSIVE, REQUEST
from hotswitch.netlink.message import Acknowledgement, Done, Message, split

_LARGEST = 1 << 18
_DATAGRAM = 1 << 14
"""Bytes after which no more requests are put into one datagram."""
_IDENTITY = 16
_PAUSES = (0.01, 0.05, 0.2, 0.5)
"""Seconds between attempts to connect, the last one again and again."""


@dataclass(slots=True)
class _Waiting:
    """A request that waits: its answers until now, and the last of them."""

    ended: asyncio.Future[Acknowledgement | Done]
    answers: list[Message] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing. interrupted: something changed while it was made, so something may be missing
    that has not been there all the time."""

    messages: tuple[Message, ...]
    interrupted: bool


class Client:
    """Use it as an asynchronous context manager. Any number of requests may wait at a time.

    patience: seconds until a change gives up that can't reach the server.
    """

    def __init__(self, path: Path, *, patience: float = 60.0) -> None:
        self._path = path
        self._patience = patience
        self._codec = Codec()
        self._socket: socket.socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()
        self._outbox: deque[bytes] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._sequence = 0
        self._port = 0
        self._waiting: dict[int, _Waiting] = {}
        self._groups: set[str] = set()
        self._events: asyncio.Queue[Message | NetlinkError] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Raises OSError if nobody listens."""
        await self._connected()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in (self._recovery, self._reader):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._lose()

    @property
    def port(self) -> int:
        """The port id that it has now: packets that a vport or a flow names it for are sent here,
        and come by `event`. After a broken connection it can be another one, if somebody else has
        got it meanwhile."""
        return self._port

    async def ask(
        self, family: Family, command: str, attributes: Attributes = NONE, *, datapath: int = 0
    ) -> Message:
        """A question with one answer. Raises NetlinkError if it is refused, OSError."""
        answers = await self._request(family, command, attributes, datapath, ACK)
        return answers[0]

    async def change(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = CREATE | EXCLUSIVE,
    ) -> Message | None:
        """Change something, exactly once; what the server says of it, if anything.

        flags: for NEW, what else nlmsghdr says. Raises NetlinkError if it is refused, and
        ConnectionError if the server could not be reached for `patience`.
        """
        attributes += Attributes(transaction=os.urandom(_IDENTITY))
        asked = ACK | ECHO | (flags if command == "new" else 0)
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._until_answered(family, command, attributes, datapath, asked)
        except TimeoutError:
            raise ConnectionError(f"{self._path}: the server does not answer") from None
        return answers[0] if answers else None

    async def dump(
        self,
        family: Family,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        limit: int = 64 << 10,
    ) -> Listed:
        """All of something, in parts of at most `limit` bytes. Raises NetlinkError, OSError."""
        found: list[Message] = []
        interrupted = False
        cursor: bytes | None = b""
        while cursor is not None:
            part = attributes + Attributes(cursor=cursor, limit=limit)
            answers = await self._request(family, "get", part, datapath, 0)
            interrupted |= any(each.flags & DUMP_INTERRUPTED for each in answers)
            cursor = answers[-1].attributes.get("cursor") if answers else None
            found += answers
        return Listed(tuple(found), interrupted)

    async def subscribe(self, *groups: str) -> None:
        """Hear the multicast groups of these families from now on ("ovs_vport").

        What this client changes itself is answered, not told: it gets no events of that.

        Raises NetlinkError if there is none, OSError.
        """
        for name in groups:
            await self._connected()
            await self._join(name)
            self._groups.add(name)

    async def event(self) -> Message:
        """The next thing that was told to a group, or a packet that was sent to `port`.

        Raises NetlinkError with ENOBUFS if some were lost, also because the connection broke:
        then list anew (which raises OSError until the server is there again); what comes after
        that is whole again. A broken connection is made anew, for as long as it takes, with what
        was subscribed to.
        """
        if self._socket is None and (self._recovery is None or self._recovery.done()):
            # A task, as who waits here with little patience would never be connected.
            self._recovery = asyncio.get_running_loop().create_task(self._recover())
        event = await self._events.get()
        if isinstance(event, NetlinkError):
            raise event
        return event

    # The exchange

    async def _until_answered(
        self, family: Family, command: str, attributes: Attributes, datapath: int, flags: int
    ) -> list[Message]:
        for attempt in itertools.count():
            with contextlib.suppress(OSError):
                return await self._request(family, command, attributes, datapath, flags)
            await _pause(attempt)
        raise AssertionError

    async def _recover(self) -> None:
        for attempt in itertools.count():
            try:
                await self._connected()
            except OSError:
                await _pause(attempt)
            except NetlinkError as error:
                self._events.put_nowait(error)
                return
            else:
                return

    async def _request(
        self, family: Family, command: str, attributes: Attributes, datapath: int, flags: int
    ) -> list[Message]:
        await self._connected()
        return await self._exchange(family, command, attributes, datapath, flags)

    async def _exchange(
        self, family: Family, command: str, attributes: Attributes, datapath: int, flags: int
    ) -> list[Message]:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        sequence = self._sequence
        data = self._codec.encode(
            Message(family, command, attributes, datapath, REQUEST | flags, sequence)
        )
        exchange = _Waiting(asyncio.get_running_loop().create_future())
        self._waiting[sequence] = exchange
        try:
            self._send(data)
            last = await exchange.ended
        finally:
            self._waiting.pop(sequence, None)
        if last.error:
            said = last.attributes.get("message", os.strerror(last.error))
            raise NetlinkError(said, errno=last.error, offset=last.attributes.get("offset"))
        return exchange.answers

    def _send(self, data: bytes) -> None:
        """Send a request, in one datagram with those that are asked for at the same time."""
        if self._socket is None:
            raise ConnectionResetError(errno.ECONNRESET, "the connection is over")
        self._outbox.append(data)
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_all(self._socket))

    async def _send_all(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._outbox and self._socket is connection:
                await loop.sock_sendall(connection, _datagram(self._outbox))
        except OSError:
            if self._socket is connection:
                self._lose()
        finally:
            if self._sender is asyncio.current_task():
                self._sender = None

    async def _connected(self) -> None:
        async with self._connecting:
            if self._socket is not None:
                return
            await self._connect()
            try:
                for name in self._groups:
                    await self._join(name)
            except BaseException:
                self._lose()  # or it would be taken for one that hears all of them
                raise

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        wanted = Attributes(extended=True, together=True)
        options = Message(SOCKET, "option", wanted, flags=REQUEST)
        port = Attributes(port=self._port) if self._port else NONE
        hello = Message(SOCKET, "bind", port, flags=REQUEST, sequence=1)
        try:
            await loop.sock_connect(made, str(self._path))
            await loop.sock_sendall(made, self._codec.encode(options))
            await loop.sock_sendall(made, self._codec.encode(hello))
            data = await loop.sock_recv(made, _LARGEST)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "hung up at once")
            first, *more = split(data)
            answer = self._codec.decode(first)
        except BaseException:
            made.close()
            raise
        # A refusal, as another socket has the port id by now, is sent to the one that this has.
        self._port = answer.port
        if isinstance(answer, Message):
            self._port = answer.attributes["port"]
        self._socket = made
        for each in more:
            self._take(each)
        self._reader = loop.create_task(self._read(made))

    async def _join(self, name: str) -> None:
        asked = Attributes(family_name=name)
        (about,) = await self._exchange(CONTROLLER, "getfamily", asked, 0, ACK)
        for _, group in about.attributes.get("groups", NONE):
            await self._exchange(SOCKET, "join", Attributes(group=group["id"]), 0, ACK)

    async def _read(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(connection, _LARGEST):
                for each in split(data):
                    self._take(each)
        except (OSError, NetlinkError):
            pass  # it is over, or not what it should be: then it is over too
        finally:
            if self._socket is connection:
                self._lose()

    def _take(self, data: bytes) -> None:
        message = self._codec.decode(data)
        exchange = self._waiting.get(message.sequence)
        if exchange is not None and exchange.ended.done():
            exchange = None
        if isinstance(message, Message):
            # An event has the sequence number of who asked, so its port tells whether that is us.
            if exchange is None or message.port != self._port:
                self._events.put_nowait(message)
            else:
                exchange.answers.append(message)
        elif not message.sequence:
            self._events.put_nowait(NetlinkError("events were lost", errno=errno.ENOBUFS))
        elif isinstance(message, Acknowledgement | Done) and exchange is not None:
            exchange.ended.set_result(message)

    def _lose(self) -> None:
        self._outbox.clear()
        if self._sender is not None:
            self._sender.cancel()
            self._sender = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._events.put_nowait(NetlinkError("the connection broke", errno=errno.ENOBUFS))
        for exchange in self._waiting.values():
            if not exchange.ended.done():
                exchange.ended.set_exception(ConnectionResetError(errno.ECONNRESET, "hung up"))


async def _pause(attempt: int) -> None:
    await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])


def _datagram(messages: deque[bytes]) -> bytes:
    """Some of the messages, of which there is at least one, as one datagram."""
    parts = [messages.popleft()]
    size = len(parts[0])
    while messages and size + len(messages[0]) <= _DATAGRAM:
        padding = -size % 4
        parts += [bytes(padding), messages.popleft()]
        size += padding + len(parts[-1])
    return b"".join(parts)
