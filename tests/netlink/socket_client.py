"""A client on a socket, which waits for each answer."""

from __future__ import annotations

import socket
from pathlib import Path

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ACK, DUMP, ECHO, REQUEST
from hotswitch.netlink.message import Acknowledgement, Done, Message, Received, split

_LARGEST = 1 << 18


class SocketClient:
    """Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self.codec = Codec()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self._sequence = 0
        self._waiting: list[Received] = []

    def __enter__(self) -> SocketClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def encode(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = 0,
    ) -> bytes:
        self._sequence += 1
        message = Message(family, command, attributes, datapath, REQUEST | flags, self._sequence)
        return self.codec.encode(message)

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
        while not self._waiting:
            data = self.socket.recv(_LARGEST)
            if not data:
                raise ConnectionResetError
            self._waiting = [self.codec.decode(each) for each in split(data)]
        return self._waiting.pop(0)

    def ask(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = ECHO,
    ) -> Message:
        """The answer of a request that is not refused."""
        self.socket.send(self.encode(family, command, attributes, datapath=datapath, flags=flags))
        answer = self.receive()
        assert isinstance(answer, Message), answer
        return answer

    def do(
        self, family: Family, command: str, attributes: Attributes = NONE, *, datapath: int = 0
    ) -> int:
        """The errno with which a request is acknowledged; 0: it was carried out."""
        self.socket.send(self.encode(family, command, attributes, datapath=datapath, flags=ACK))
        answer = self.receive()
        assert isinstance(answer, Acknowledgement), answer
        return answer.error

    def list(
        self, family: Family, attributes: Attributes = NONE, *, datapath: int = 0
    ) -> list[Message]:
        """What is listed."""
        self.socket.send(self.encode(family, "get", attributes, datapath=datapath, flags=DUMP))
        found = []
        while not isinstance(answer := self.receive(), Done):
            assert isinstance(answer, Message), answer
            found.append(answer)
        assert answer.error == 0
        return found
