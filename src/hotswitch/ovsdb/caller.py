"""A client's connection to one of the servers of a database: made again whenever it is lost.

What the messages mean is not known here, except that an `echo` is answered.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

from hotswitch.ovsdb.jsonrpc import Framer, Message, ProtocolError, Reply, Request, encode
from hotswitch.ovsdb.remotes import Connect, RemoteError, Transport, parse_servers
from hotswitch.ovsdb.tls import Tls, explain, take_authority

MAXIMUM_MESSAGE = 1 << 30
"""Bytes of one message: the contents of a large database are one."""

_PATIENCE = 5.0
"""Seconds that a server has to take a call; and of silence until it is asked if it is there."""

_LONGEST = 8.0
"""Seconds between two rounds of calls, at most, as of Open vSwitch's reconnect.c."""

_ECHO = "echo"

_log = logging.getLogger(__name__)


def usable_servers(text: str, tls: Tls | None) -> dict[str, Connect]:
    """Read where the servers are (`remotes.parse_servers`). Raises RemoteError.

    Also if one of them is to be called with TLS, and its files are no good.
    """
    servers = parse_servers(text)
    if any(each.transport is Transport.TLS for each in servers.values()):
        if tls is None:
            raise RemoteError(
                f"{text!r}: TLS needs a private key and a certificate",
                remedy="--private-key, --certificate and --ca-cert",
            )
        tls.context(server=False)
    return servers


class Pauses:
    """How long to wait before each call: not at all in the first round, then 1, 2, 4, 8 s.

    count: servers, that is calls in a round.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.reset()

    def reset(self) -> None:
        """The next round is the first again."""
        self._called = 0
        self._pause = 0.5

    def next(self) -> float:
        """Seconds until the next call."""
        self._called += 1
        if self._called <= self._count:
            return 0.0
        self._pause = min(self._pause * 2, _LONGEST)
        return self._pause


class Caller:
    """Calls `servers` in turn until one takes the call, and again when it is lost.

    tls: for `ssl:` servers. event: called in the loop when there is news: a message, a connection,
    or why there is none. It may use everything here.
    """

    def __init__(
        self, servers: Mapping[str, Connect], tls: Tls | None, event: Callable[[], None]
    ) -> None:
        self._servers = dict(servers)
        self._tls = tls
        self._event = event
        self._pauses = Pauses(len(servers))
        self._line: _Line | None = None
        self._task: asyncio.Task[None] | None = None
        self._asked_to_hang_up = ""
        self.name = ""
        self.generation = 0
        self.problems: dict[str, str] = {}

    @property
    def connected(self) -> bool:
        """Whether a server is on the line; with each other one `generation` is another."""
        return self._line is not None

    def start(self) -> None:
        """Begin to call."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Hang up for good."""
        if self._task is not None:
            self._task.cancel()
        if self._line is not None:
            self._line.abort()
            self._line = None

    def served(self) -> None:
        """The server is the right one: if it is lost, all are called again without a pause."""
        self._pauses.reset()
        self.problems.clear()

    def hang_up(self, reason: str) -> None:
        """This server won't do; go on with the next one."""
        if self._line is not None:
            self._asked_to_hang_up = reason
            self._line.abort()
            self._line = None

    def send(self, message: Message) -> bool:
        """Send it; False if nobody is on the line."""
        if self._line is None:
            return False
        self._line.send(message)
        return True

    def receive(self) -> Message | None:
        """The next message that has come, if any."""
        return self._line.received.popleft() if self._line and self._line.received else None

    @property
    def has_received(self) -> bool:
        """Whether `receive` has something."""
        return bool(self._line and self._line.received)

    async def _run(self) -> None:
        names = list(self._servers)
        random.shuffle(names)  # so that not all clients call the same one first
        while True:
            for name in names:
                await asyncio.sleep(self._pauses.next())
                try:
                    self.problems[name] = await self._talk(name)
                except RemoteError as error:
                    self.problems[name] = error.message
                except OSError as error:
                    self.problems[name] = explain(error)
                except Exception as error:
                    _log.exception("a bug in calling %s; it is called again", name)
                    self.problems[name] = str(error)
                self._event()

    async def _talk(self, name: str) -> str:
        """Call a server, and return why it is over. Raises OSError or RemoteError."""
        self._asked_to_hang_up = ""
        async with asyncio.timeout(_PATIENCE):
            line = await self._call(self._servers[name])
        self.name = name
        self.generation += 1
        self._line = line
        self._event()
        try:
            reason = await line.over
        finally:
            line.abort()
        if self._line is line:
            self._line = None
        return self._asked_to_hang_up or reason

    async def _call(self, server: Connect) -> _Line:
        loop = asyncio.get_running_loop()
        if server.transport is Transport.UNIX:
            _, line = await loop.create_unix_connection(
                lambda: _Line(self._event, probed=False), server.address
            )
            return line
        secure = None
        if server.transport is Transport.TLS:
            assert self._tls is not None, "see usable_servers"
            if self._tls.lacks_authority:
                subject = await take_authority(self._tls, server)
                _log.info("trusts %s from now on, as the database's server has shown it", subject)
            secure = self._tls.context(server=False)
        _, line = await loop.create_connection(
            lambda: _Line(self._event, probed=True),
            server.address,
            server.port,
            ssl=secure,
            server_hostname="" if secure else None,
        )
        return line


class _Line(asyncio.Protocol):
    """One connection. `over` is done when it is, with the reason."""

    def __init__(self, event: Callable[[], None], *, probed: bool) -> None:
        self._event = event
        self._probed = probed
        self._framer = Framer(MAXIMUM_MESSAGE)
        self._awaits_echo = False
        self._timer: asyncio.TimerHandle | None = None
        self.received: deque[Message] = deque()
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._heard()

    def data_received(self, data: bytes) -> None:
        self._heard()
        before = len(self.received)
        try:
            for message in self._framer.feed(data):
                self._take(message)
        except ProtocolError as error:
            self._end(f"what it sent is not the protocol: {error.message}")
            self.abort()
        if len(self.received) > before:
            self._event()

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._end(explain(error) if error else "closed by the server")

    def send(self, message: Message) -> None:
        self._transport.write(encode(message))

    def abort(self) -> None:
        self._transport.abort()

    def _take(self, message: Message) -> None:
        if isinstance(message, Request) and message.method == _ECHO:
            self.send(Reply(message.params, None, message.id))
        elif not (isinstance(message, Reply) and message.id == _ECHO):
            self.received.append(message)

    def _heard(self) -> None:
        self._awaits_echo = False
        if self._timer is not None:
            self._timer.cancel()
        if self._probed:
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._probe)

    def _probe(self) -> None:
        if self._awaits_echo:
            self._end(f"no sign of life for {2 * _PATIENCE:g} s")
            self.abort()
            return
        self._awaits_echo = True
        self.send(Request(_ECHO, [], _ECHO))
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._probe)

    def _end(self, reason: str) -> None:
        if not self.over.done():
            self.over.set_result(reason)
