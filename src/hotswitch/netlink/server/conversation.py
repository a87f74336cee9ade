"""One client's requests, turn by turn.

What can be done at once is done as soon as the socket tells that something has come. What has to
be waited for (the compiler, other clients during a long listing, a client that does not read)
goes on in a task, and the socket is not read meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

from hotswitch.netlink.message import is_whole
from hotswitch.netlink.server.connection import Connection
from hotswitch.netlink.server.core import Server
from hotswitch.netlink.server.request import Waiting
from hotswitch.netlink.server.session import Session

_log = logging.getLogger(__name__)

_SLICE = 0.004
"""Seconds of work for one client before others have their turn."""

_Steps = Iterator[Waiting | None]
"""A turn's work. Between two steps it waits: for what is there, or else for the client to read
and for other clients' turns."""


class Conversation:
    """kick: is called when others may have got something; ended: when the client has gone."""

    def __init__(
        self,
        server: Server,
        session: Session,
        connection: Connection,
        kick: Callable[[], None],
        ended: Callable[[Session], None],
    ) -> None:
        self.connection = connection
        self._server = server
        self._session = session
        self._kick = kick
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Read from now on."""
        self._loop.add_reader(self.connection.socket, self._readable)

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        else:
            self._end()

    def _readable(self) -> None:
        try:
            datagrams = self.connection.receive()
            if datagrams is None:
                self._end()
                return
            steps = self._turn(datagrams)
            for waiting in steps:
                self._go_on_later(steps, waiting)
                return
            if not self.connection.flush():
                self._go_on_later(steps, None)
        except Exception as error:
            self._failed(error)
            self._end()

    def _go_on_later(self, steps: _Steps, waiting: Waiting | None) -> None:
        self._loop.remove_reader(self.connection.socket)
        self._task = self._loop.create_task(self._go_on(steps, waiting))

    async def _go_on(self, steps: _Steps, waiting: Waiting | None) -> None:
        try:
            await self._wait(waiting)
            for following in steps:
                await self._wait(following)
            await self.connection.drained()
        except asyncio.CancelledError:
            self._end()
            raise
        except Exception as error:
            self._failed(error)
            self._end()
        else:
            self._task = None
            self.begin()

    async def _wait(self, waiting: Waiting | None) -> None:
        if waiting is not None:
            await asyncio.wait([asyncio.wrap_future(waiting)])
        else:
            await self.connection.drained()
            await asyncio.sleep(0)

    def _turn(self, datagrams: Sequence[bytes]) -> _Steps:
        server, session = self._server, self._session
        self.connection.unsignalled = len(datagrams)
        requests: list[bytes] = []
        for datagram in datagrams:
            if is_whole(datagram):
                requests.append(datagram)
                continue
            # What is no message is refused after what came before it.
            yield from self._carry_out(requests)
            requests = server.split(session, datagram)
        yield from self._carry_out(requests)
        self.connection.answered()
        self._kick()

    def _carry_out(self, requests: list[bytes]) -> _Steps:
        server, session = self._server, self._session
        done = 0
        began = self._loop.time()
        while done < len(requests):
            count, waiting = server.receive_some(session, requests[done:] if done else requests)
            done += count
            if waiting is not None:
                yield waiting
            while session.dump is not None:
                self.connection.answered()
                yield None
                server.more(session)
            if done < len(requests) and self._loop.time() - began > _SLICE:
                yield None
                began = self._loop.time()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, OSError):
            _log.debug("netlink: a connection has ended: %s", error)
        else:
            _log.error("netlink: a bug ends a connection", exc_info=error)

    def _end(self) -> None:
        self._loop.remove_reader(self.connection.socket)
        self.connection.close()
        self._ended(self._session)
