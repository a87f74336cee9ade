"""The error type of this package."""

from __future__ import annotations

from hotswitch.base.errors import HotswitchError
from hotswitch.headers.declaration import Header


class HeaderError(HotswitchError):
    """A declaration that contradicts itself or others, a name that does not exist, a frame
    that can't be built.

    header: the declaration that is at fault, where there is one.
    """

    def __init__(self, message: str, *, header: Header | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.header = header
