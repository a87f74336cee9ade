"""Where what is wanted is kept, as those see it who want something."""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from hotswitch.base.errors import HotswitchError
from hotswitch.config.operations import RefusalError
from hotswitch.config.unheeded import Refused, Unheeded
from hotswitch.switch.desired import Desired


class StoreError(HotswitchError):
    """What is wanted can't be read or can't be kept.

    errno: as of a file that can't be written for that reason.
    """

    def __init__(self, message: str, *, remedy: str = "", errno: int = errno.EIO) -> None:
        super().__init__(message, remedy=remedy)
        self.errno = errno


class RefusedError(StoreError, RefusalError):
    """The database refuses to hold it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the database refuses it: {why}", errno=errno.EINVAL)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a store is.

    problem: why it can't be had just now; empty if it can. unwritten: what it does not tell of
    how things are, and why; empty if it tells all.
    """

    database: str
    problem: str = ""
    unwritten: str = ""


class Store(Protocol):
    """Keeps what is wanted."""

    def whereabouts(self) -> Whereabouts:
        """Where it is kept."""

    def check(self) -> None:
        """Raises StoreError if nothing can be kept just now."""

    def unheeded(self) -> Unheeded:
        """What it holds that is not part of what is wanted."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call this when the rows that are refused may be others."""

    async def discard(self, refused: Refused) -> None:
        """Delete this of it; returns and raises as `save`."""

    async def clear(self, bridge: str, port: str, fields: Collection[str]) -> None:
        """Delete what it holds of these fields of a port or, if that is empty, of a bridge.

        Returns and raises as `save`.
        """

    async def save(self, desired: Desired) -> None:
        """Keep it: on return it survives a power cut.

        Raises HotswitchError if it does not: then the last one still stands.
        """
