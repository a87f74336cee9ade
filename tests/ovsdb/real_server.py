"""The real ovsdb-server, on a private socket, and the least client that talks to it."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.process import start, stop
from tests.support.wait import until

AVAILABLE = shutil.which("ovsdb-server") is not None


class Client:
    """A connection; notifications pile up in `notifications`."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(path))
        self._text = ""
        self._decoder = json.JSONDecoder()
        self._number = 0
        self.notifications: list[Any] = []

    def call(self, method: str, *params: Any) -> Any:
        """Return the result, or the error as an object."""
        self._number += 1
        request = {"method": method, "params": params, "id": self._number}
        self._socket.sendall(json.dumps(request).encode())
        while True:
            message = self._receive()
            if message.get("id") == self._number:
                return message["result"] if message["error"] is None else message["error"]
            if message.get("method") == "echo":
                reply = {"id": message["id"], "result": message["params"], "error": None}
                self._socket.sendall(json.dumps(reply).encode())
            else:
                self.notifications.append(message)

    def _receive(self) -> Any:
        while True:
            with contextlib.suppress(json.JSONDecodeError):
                message, end = self._decoder.raw_decode(self._text)
                self._text = self._text[end:].lstrip()
                return message
            received = self._socket.recv(1 << 20)
            if not received:
                raise EOFError("the server closed the connection")
            self._text += received.decode()

    def close(self) -> None:
        self._socket.close()


def _connected(path: Path) -> Client | None:
    try:
        return Client(path)
    except (FileNotFoundError, ConnectionRefusedError):  # the socket is there before it listens
        return None


@contextlib.contextmanager
def real_server(directory: Path, schema: Any) -> Iterator[Client]:
    """Run the real server with an empty database, in `directory`."""
    (directory / "schema").write_text(json.dumps(schema))
    database, path = directory / "db", directory / "socket"
    subprocess.run(
        ["ovsdb-tool", "create", database, directory / "schema"], check=True, capture_output=True
    )
    command = ["ovsdb-server", str(database), f"--remote=punix:{path}"]
    command += [f"--unixctl={directory}/ctl", "-vconsole:off", "-vsyslog:off"]
    process = start(command, cwd=directory)
    try:
        client = until(lambda: _connected(path), "the server listens")
        try:
            yield client
        finally:
            client.close()
    finally:
        stop(process)
