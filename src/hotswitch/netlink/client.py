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
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.exchange import Exchange
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ACK, CREATE, DUMP_INTERRUPTED, ECHO, EXCLUSIVE
from hotswitch.netlink.message import Message

_IDENTITY = 16
_PAUSES = (0.01, 0.05, 0.2, 0.5)
"""Seconds between attempts to connect, the last one again and again."""
_PATIENCE = 60.0
"""Seconds until a change gives up that can't reach the server."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing. interrupted: something changed while it was made, so something may be missing
    that has not been there all the time."""

    messages: tuple[Message, ...]
    interrupted: bool


class Client:
    """Use it as an asynchronous context manager. Any number of requests may wait at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._codec = Codec()
        self._exchange: Exchange | None = None
        self._connecting = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None
        self._numbers = itertools.count()
        self._port = 0
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
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)
        if self._exchange is not None:
            await self._exchange.end()

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
        ConnectionError if the server could not be reached for a minute.
        """
        attributes += Attributes(transaction=os.urandom(_IDENTITY))
        asked = ACK | ECHO | (flags if command == "new" else 0)
        try:
            async with asyncio.timeout(_PATIENCE):
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
            await _join(await self._connected(), name)
            self._groups.add(name)

    async def event(self) -> Message:
        """The next thing that was told to a group, or a packet that was sent to `port`.

        Raises NetlinkError with ENOBUFS if some were lost, also because the connection broke:
        then list anew (which raises OSError until the server is there again); what comes after
        that is whole again. A broken connection is made anew, for as long as it takes, with what
        was subscribed to.
        """
        if self._exchange is None and (self._recovery is None or self._recovery.done()):
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
        exchange = await self._connected()
        return await exchange.request(family, command, attributes, datapath, flags)

    async def _connected(self) -> Exchange:
        async with self._connecting:
            if self._exchange is not None:
                return self._exchange
            exchange = await Exchange.open(
                self._path,
                self._codec,
                self._port,
                self._numbers,
                self._events.put_nowait,
                self._lose,
            )
            self._exchange, self._port = exchange, exchange.port
            try:
                for name in self._groups:
                    await _join(exchange, name)
            except BaseException:
                exchange.close()  # or it would be taken for one that hears all of them
                raise
            return exchange

    def _lose(self) -> None:
        self._exchange = None
        self._events.put_nowait(NetlinkError("the connection broke", errno=errno.ENOBUFS))


async def _join(exchange: Exchange, name: str) -> None:
    asked = Attributes(family_name=name)
    (about,) = await exchange.request(CONTROLLER, "getfamily", asked, 0, ACK)
    for _, group in about.attributes.get("groups", NONE):
        await exchange.request(SOCKET, "join", Attributes(group=group["id"]), 0, ACK)


async def _pause(attempt: int) -> None:
    await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
