"""One connection of a session: bytes in and out, probes, and no more memory than it is due.

A client that does not read is not read from either, and what it monitors is kept as one change;
if it goes on for long, its connection is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import cast

from hotswitch.ovsdb.databases import Databases
from hotswitch.ovsdb.jsonrpc import Framer, Message, ProtocolError, Reply, Request, encode
from hotswitch.ovsdb.remotes import Options
from hotswitch.ovsdb.session import Session

HIGH_WATER = 1 << 20
"""Bytes waiting to be sent at which a client is no longer read from."""

STALLED = 30.0
"""Seconds without a byte sent, though some wait, after which a client is dropped."""

_PROBE = encode(Request("echo", [], "echo"))


class Connection(asyncio.BufferedProtocol):
    """A client's connection, accepted or made.

    buffer: what comes is received into it, and not kept there: connections may share one.
    probe: seconds of silence after which to ask for a sign of life; 0 for never.
    opened: called once when it is there.
    written: called when it has something to send, for it to be sent (`flush`) soon.
    closed: called once when it is over, with the reason.
    """

    def __init__(
        self,
        name: str,
        databases: Databases,
        options: Options,
        probe: float,
        buffer: bytearray,
        opened: Callable[[Connection], None],
        written: Callable[[Connection], None],
        closed: Callable[[Connection, str], None],
    ) -> None:
        self.name = name
        self.reason = "closed by the peer"
        self.dropped = False
        self._databases = databases
        self._options = options
        self._probe_interval = probe
        self._buffer = memoryview(buffer)
        self._opened = opened
        self._written = written
        self._closed = closed
        self._framer = Framer()
        self._messages: Iterator[Message] = iter(())
        self._unread: list[bytes] = []
        self._out: list[bytes] = []
        self._out_size = 0
        self._full = False
        self._processing = False
        self._stalled_size = 0
        self._stalled_since = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_WATER, low=HIGH_WATER // 8)
        self.since = self._heard = self._loop.time()
        self._probed = False
        self.session = Session(
            self._databases, self._send, self.disconnect, read_only=self._options.read_only
        )
        self._opened(self)
        if self._probe_interval:
            self._timer = self._loop.call_later(self._probe_interval, self._probe)

    def get_buffer(self, sizehint: int) -> memoryview:
        # A new one for each message would be a mapping of memory, and page faults, each time.
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        self._probed = False
        self._unread.append(bytes(self._buffer[:nbytes]))
        if not self._full:
            self._process()

    def pause_writing(self) -> None:
        self._full = True
        self._stalled_size = self.backlog
        self._stalled_since = self._loop.time()
        self.session.hold()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        self.session.release()
        self.flush()
        if not self._full:
            self._transport.resume_reading()
            self._process()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self.reason = str(error) or type(error).__name__
        if self._timer is not None:
            self._timer.cancel()
        self._unread.clear()
        self.session.close()
        self._closed(self, self.reason)
        # Nobody waits for the collector of cycles: it counts objects, and these hold megabytes.
        self._framer, self._messages = Framer(), iter(())
        self._out.clear()
        del self.session

    # What the server calls

    @property
    def backlog(self) -> int:
        """Bytes waiting to be sent."""
        return self._out_size + self._transport.get_write_buffer_size()

    @property
    def held(self) -> int:
        """Bytes kept for this connection: not yet sent, or of a message that isn't complete."""
        return self.backlog + self._framer.held + sum(map(len, self._unread))

    def stalled(self, now: float) -> bool:
        """Whether the client has not read for too long. Ask now and then."""
        if not self._full:
            return False
        backlog = self.backlog
        if backlog < self._stalled_size:
            self._stalled_size, self._stalled_since = backlog, now
        return now - self._stalled_since > STALLED

    def flush(self) -> None:
        """Send what has been written, in one piece."""
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            if not self._transport.is_closing():
                self._transport.write(data)

    def disconnect(self, reason: str) -> None:
        """Close, once all that is written is sent."""
        self.reason = reason
        self.flush()
        self._transport.close()

    def drop(self, reason: str) -> None:
        """Close at once."""
        self.reason = reason
        self.dropped = True
        self._transport.abort()

    # Inside

    def _process(self) -> None:
        """Handle what has been received, until the client should read first."""
        self._processing = True
        try:
            while not self._full and not self._transport.is_closing():
                message = next(self._messages, None)
                if message is None:
                    if not self._unread:
                        break
                    self._messages = self._framer.feed(self._unread.pop(0))
                    continue
                self._handle(message)
                if self._out_size > HIGH_WATER:
                    self.flush()
        except ProtocolError as error:
            self.flush()
            self.drop(f"what it sent is not the protocol: {error}")
        finally:
            self._processing = False
        self.flush()

    def _handle(self, message: Message) -> None:
        if not isinstance(message, Reply):
            self.session.receive(message)

    def _send(self, data: bytes) -> None:
        if not self._out and not self._processing:
            self._written(self)
        self._out.append(data)
        self._out_size += len(data)

    def _probe(self) -> None:
        idle = self._loop.time() - self._heard
        if self._full:
            idle = 0.0  # it isn't read from, so it can't be heard
        if idle >= self._probe_interval:
            if self._probed:
                self.drop(f"no response to inactivity probe after {idle:.3g} seconds")
                return
            self._probed = True
            self._transport.write(_PROBE)
            idle = 0.0
        self._timer = self._loop.call_later(self._probe_interval - idle, self._probe)
