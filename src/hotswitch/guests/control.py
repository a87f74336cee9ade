"""The daemon's control socket, with what a script that starts in no time can afford.

The protocol is in docs/control.md: one JSON object asks, one answers.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hotswitch.guests.errors import AbsentError, GuestError, RefusedError

RUN_DIRECTORY = "HOTSWITCH_RUN_DIR"
DEFAULT_RUN_DIRECTORY = "/run/hotswitch"
_CHUNK = 1 << 16
_PAUSE = 0.05
"""Seconds."""
PATIENCE = 5.0
"""Seconds: longer than a daemon needs to start."""

_Result = TypeVar("_Result")


class Control:
    """One connection to the daemon of a run directory; use it as a context manager.

    timeout: seconds to wait for an answer.
    """

    def __init__(self, run_directory: str, timeout: int = 30) -> None:
        """Raises GuestError."""
        # No pathlib in here: it takes longer to load than all of this.
        path = self._path = f"{run_directory}/ctl.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # With a timeout of Python's own, connecting to a daemon that is busy would not wait.
            limit = struct.pack("@ll", int(timeout), 0)  # struct timeval, time.h
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            self._socket.connect(path)
            self._socket.settimeout(timeout)
        except BlockingIOError:
            self._socket.close()
            raise GuestError(f"the daemon at {path} does not answer") from None
        except PermissionError:
            self._socket.close()
            raise GuestError(
                f"may not ask the daemon at {path}", remedy="it is for root and the daemon's group"
            ) from None
        except OSError as error:
            self._socket.close()
            raise AbsentError(
                f"no daemon answers at {path}: {error.strerror or error}",
                remedy=f"start it: hotswitchd --run-dir {run_directory}",
            ) from error

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Ask and wait for the answer. Raises RefusedError; AbsentError; GuestError."""
        request = {"id": 0, "method": method, "params": [parameters]}
        try:
            self._socket.sendall(json.dumps(request).encode())
            reply = self._receive()
        except TimeoutError:
            raise GuestError(f"the daemon at {self._path} does not answer") from None
        except OSError as error:
            raise AbsentError(f"lost the daemon at {self._path}: {error}") from error
        if reply["error"] is not None:
            raise RefusedError(str(reply["error"]))
        return reply["result"]

    def _receive(self) -> Any:
        received = b""
        while chunk := self._socket.recv(_CHUNK):
            received += chunk
            try:
                return json.loads(received)
            except ValueError:  # the rest is on its way
                continue
        raise ConnectionResetError("it closed the connection")


def with_daemon(
    environment: Mapping[str, str], work: Callable[[Control], _Result], patience: float = 0.0
) -> _Result:
    """Work with the daemon of the run directory that the environment names. Raises GuestError.

    patience: for so many seconds a daemon that is absent is awaited, and the work begun anew with
    the next one: it may be that it is just being restarted.
    """
    directory = environment.get(RUN_DIRECTORY) or DEFAULT_RUN_DIRECTORY
    deadline = time.monotonic() + patience
    while True:
        try:
            with Control(directory) as control:
                return work(control)
        except AbsentError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)
