"""A client on a socket, which waits for each answer."""

from __future__ import annotations

import socket
from pathlib import Path

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import DUMP
from hotswitch.netlink.message import Done, Message, Received, split
from tests.netlink.requesting import Requesting

_LARGEST = 1 << 18


class SocketClient(Requesting):
    """Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self._waiting: list[Received] = []

    def __enter__(self) -> SocketClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = 0,
    ) -> None:
        """Send a request, whatever becomes of it."""
        self.socket.send(self.encode(family, command, attributes, datapath=datapath, flags=flags))

    def receive(self) -> Received:
        """The next message."""
        while not self._waiting:
            data = self.socket.recv(_LARGEST)
            if not data:
                raise ConnectionResetError
            self._waiting = [self.codec.decode(each) for each in split(data)]
        return self._waiting.pop(0)

    def answer_to(self, request: bytes) -> Received:
        self.socket.send(request)
        return self.receive()

    def list(
        self, family: Family, attributes: Attributes = NONE, *, datapath: int = 0
    ) -> list[Message]:
        """What is listed."""
        self.send(family, "get", attributes, datapath=datapath, flags=DUMP)
        found = []
        while not isinstance(answer := self.receive(), Done):
            assert isinstance(answer, Message), answer
            found.append(answer)
        assert answer.error == 0
        return found
