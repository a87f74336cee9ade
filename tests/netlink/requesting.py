"""What clients in tests ask with, whether there is a socket between or not."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ECHO, REQUEST
from hotswitch.netlink.message import Acknowledgement, Message, Received


class Requesting(ABC):
    """Requests, each with the next sequence number, and what is said to them."""

    def __init__(self) -> None:
        self.codec = Codec()
        self._sequence = 0

    @abstractmethod
    def answer_to(self, request: bytes) -> Received:
        """The answer of a request that has one."""

    def encode(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = 0,
    ) -> bytes:
        """The bytes of a request."""
        self._sequence += 1
        message = Message(family, command, attributes, datapath, REQUEST | flags, self._sequence)
        return self.codec.encode(message)

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
        asked = self.encode(family, command, attributes, datapath=datapath, flags=flags)
        answer = self.answer_to(asked)
        assert isinstance(answer, Message), answer
        return answer

    def refused(
        self,
        family: Family,
        command: str,
        attributes: Attributes = NONE,
        *,
        datapath: int = 0,
        flags: int = ECHO,
    ) -> int:
        """The errno with which a request is refused."""
        asked = self.encode(family, command, attributes, datapath=datapath, flags=flags)
        answer = self.answer_to(asked)
        assert isinstance(answer, Acknowledgement), answer
        assert answer.error
        return answer.error
