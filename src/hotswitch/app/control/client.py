"""A blocking client of the control socket, for the command line."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

from hotswitch.base.errors import HotswitchError
from hotswitch.ovsdb.jsonrpc import Framer, ProtocolError, Reply, Request, encode

MAXIMUM_REPLY = 1 << 30
_CHUNK = 1 << 16
_TIMEVAL = struct.Struct("@ll")
"""struct timeval (time.h)."""


class ControlError(HotswitchError):
    """The daemon can't be reached, or has refused a request."""


class NoDaemonError(ControlError):
    """No daemon is running there."""


class LostError(ControlError):
    """The daemon has gone, or answers no more, amid a conversation."""


class ControlClient:
    """One connection; use it as a context manager.

    timeout: seconds to wait for each part of a reply.
    """

    def __init__(self, path: Path, timeout: float = 60.0) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._framer = Framer(MAXIMUM_REPLY)
        try:
            # With a timeout of Python's own the socket does not block, and so many clients at
            # once that the daemon has not accepted yet would be an error instead of a wait.
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*_parts(timeout))
            )
            self._socket.connect(str(path))
            self._socket.settimeout(timeout)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self._socket.close()
            raise NoDaemonError(
                f"no daemon is running in {path.parent}",
                remedy=f"start it: hotswitchd --run-dir {path.parent}",
            ) from error
        except BlockingIOError as error:
            self._socket.close()
            raise ControlError(f"the daemon at {path} does not answer") from error
        except OSError as error:
            self._socket.close()
            raise ControlError(
                f"can't connect to {path}: {error.strerror or error}",
                remedy="run it as root" if isinstance(error, PermissionError) else "",
            ) from error

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> Any:
        """Ask and wait for the answer. Raises ControlError."""
        try:
            self._socket.sendall(encode(Request(method, [parameters], 0)))
            reply = self._receive()
        except TimeoutError as error:
            raise LostError(f"the daemon at {self._path} does not answer") from error
        except (OSError, ProtocolError) as error:
            raise LostError(f"lost the daemon at {self._path}: {error}") from error
        if reply.error is not None:
            raise ControlError(str(reply.error))
        return reply.result

    def _receive(self) -> Reply:
        while True:
            data = self._socket.recv(_CHUNK)
            if not data:
                raise ConnectionResetError("it closed the connection")
            for message in list(self._framer.feed(data)):
                if isinstance(message, Reply):
                    return message


def _parts(seconds: float) -> tuple[int, int]:
    """Seconds and microseconds."""
    return divmod(round(seconds * 1_000_000), 1_000_000)
