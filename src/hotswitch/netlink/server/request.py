"""A request on its way, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.message import Message
from hotswitch.netlink.server.listing import Table
from hotswitch.netlink.server.records import Record
from hotswitch.netlink.server.session import Session


@dataclass(frozen=True, slots=True)
class Request:
    """A request, from whom it is, and its bytes."""

    message: Message
    session: Session
    data: bytes

    @property
    def attributes(self) -> Attributes:
        """Those of the message."""
        return self.message.attributes


@dataclass(frozen=True, slots=True)
class Outcome:
    """A request that was carried out.

    attributes: what there is to say, None: nothing; a function if it is costly and may not be
    needed, which says the same whenever it is called. datapath: the number in its header.
    event: whether others are told too, and the asker only if it wants an echo.
    command: what the answer is called, if not as the request. records: what is to be kept;
    undo: takes it all back if that can't be kept.
    reached: sockets for which there is something now.
    """

    attributes: Attributes | Callable[[], Attributes] | None = None
    datapath: int = 0
    event: bool = False
    command: str = ""
    records: tuple[Record, ...] = ()
    undo: Callable[[], None] | None = None
    reached: tuple[Session, ...] = ()


class Foreseen(NamedTuple):
    """What will be answered to a request that deletes something, with what was counted until now.

    kind, name, number: what must be gone for that to hold (`records.Answered`).
    """

    outcome: Outcome
    kind: str
    name: str
    number: int = 0


Waiting: TypeAlias = Future[object]
"""Nothing has been done yet: ask again when this is done."""

Handler: TypeAlias = Callable[[Request], Outcome | Waiting]
"""Carries out a request. Raises HotswitchError; then nothing has changed."""

Lister: TypeAlias = Callable[[Request], Table]
"""What a request lists. Raises NetlinkError."""


@dataclass(frozen=True, slots=True)
class Handlers:
    """What a family can do, by command."""

    one: Mapping[str, Handler]
    dumps: Mapping[str, Lister]
    foreseen: Mapping[str, Callable[[Request], Foreseen]] = field(default_factory=dict)
    """For what can't be told after a restart from not having been done. Raise HotswitchError."""
