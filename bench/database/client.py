"""A client of a database server that costs little itself: requests are encoded before the clock
starts, and replies are counted, not read.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError

_LONGEST = 120.0
_PIECE = 1 << 16
"""More at once would be a new mapping of memory for each message."""
_FAILED = b'"error":"'
_ANSWERED = b'"error":null'


class Client:
    """A connection to a server's Unix socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))  # waits while too many others knock
        self.socket.settimeout(_LONGEST)

    def call(self, method: str, params: Sequence[Any]) -> Any:
        """The result of a request. Raises BenchError."""
        reply = json.loads(self.whole(request(method, params, 0)))
        failed = reply["error"] or [
            each for each in _listed(reply["result"]) if isinstance(each, dict) and "error" in each
        ]
        if failed:
            raise BenchError(f"the database refuses {method}: {failed}")
        return reply["result"]

    def whole(self, message: bytes) -> bytes:
        """Send a request; return its reply, which nothing may come before. Raises BenchError.

        No text in it has braces, so counting them finds its end.
        """
        self.socket.sendall(message)
        depth = 0
        pieces: list[bytes] = []
        while not pieces or depth:
            piece = self._receive()
            depth += piece.count(b"{") - piece.count(b"}")
            pieces.append(piece)
        return b"".join(pieces)

    def all_of(self, requests: Sequence[bytes], *, in_flight: int = 1) -> float:
        """Seconds for all, with about so many unanswered at any time. Raises BenchError."""
        sent = answered = 0
        began = time.perf_counter()
        while answered < len(requests):
            if sent < len(requests) and sent - answered <= in_flight // 2:
                more = min(len(requests), answered + in_flight)
                self.socket.sendall(b"".join(requests[sent:more]))
                sent = more
            answered += self._answered()
        return time.perf_counter() - began

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _answered(self) -> int:
        """How many replies have begun in what comes next."""
        piece = self._receive()
        if _FAILED in piece:
            raise BenchError(f"the database refuses a transaction: {piece[:300].decode()}")
        return piece.count(_ANSWERED)

    def _receive(self) -> bytes:
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise BenchError("the database server has hung up")
        return piece


def request(method: str, params: Sequence[Any], number: int) -> bytes:
    """A request as it is sent."""
    message = {"method": method, "params": params, "id": number}
    return json.dumps(message, separators=(",", ":")).encode()


def read_all(clients: Sequence[Client], mark: bytes, number: int) -> None:
    """Read what all are sent until each has got `mark` so often. Raises BenchError."""
    sockets = {each.socket.fileno(): each.socket for each in clients}
    left = dict.fromkeys(sockets, number)
    with select.epoll() as poll:
        for descriptor in sockets:
            poll.register(descriptor, select.EPOLLIN)
        while sockets:
            for descriptor, _ in poll.poll(_LONGEST) or _late():
                piece = sockets[descriptor].recv(_PIECE)
                if not piece:
                    raise BenchError("the database server has hung up on a monitor")
                left[descriptor] -= piece.count(mark)
                if left[descriptor] <= 0:
                    poll.unregister(descriptor)
                    del sockets[descriptor]


def _late() -> list[tuple[int, int]]:
    raise BenchError("monitors are not told")


def _listed(result: Any) -> list[Any]:
    return result if isinstance(result, list) else []
