"""The error type of this package."""

from __future__ import annotations

import errno as numbers

from hotswitch.base.errors import HotswitchError
from hotswitch.netlink.attribute_type import AttributeType


class NetlinkError(HotswitchError):
    """A message that is not one, or that asks for what can't be done.

    errno: what the sender is told, positive (EINVAL).
    offset: bytes from the message's start to the attribute that is at fault (to its own header),
        or None.
    path: the names of the attributes around it, outermost first, the culprit last.
    type: what the culprit should have been, where that is the fault.
    missing: the number of the attribute that should have been there; `offset` is then that
        of the attribute it should have been in, None for the message itself.
    """

    def __init__(
        self,
        message: str,
        *,
        errno: int = numbers.EINVAL,
        offset: int | None = None,
        path: tuple[str, ...] = (),
        type: AttributeType | None = None,
        missing: int | None = None,
    ) -> None:
        super().__init__(message)
        self.errno = errno
        self.offset = offset
        self.path = path
        self.type = type
        self.missing = missing

    @property
    def attribute(self) -> str:
        """The culprit's name with those around it: "key.encap.ipv4"; empty: the message itself."""
        return ".".join(self.path)

    def inside(self, name: str, errno: int = 0) -> NetlinkError:
        """The same error, seen from the attribute `name` around it."""
        self.path = (name, *self.path)
        self.errno = errno or self.errno
        return self

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.attribute}: {text}" if self.path else text


class UnsupportedError(NetlinkError):
    """A message that the kernel understands, and asks for what can't be said here. EINVAL, as from
    a kernel that does not know it either, so that clients that probe find out."""

    def __init__(self, takes: str, *, path: tuple[str, ...] = ()) -> None:
        super().__init__(f"not supported; it takes {takes}", path=path)


def declared(error: HotswitchError, number: int = numbers.EINVAL) -> NetlinkError:
    """An error from below as an answer has it, with the kernel's own errno where there is one."""
    if isinstance(error, NetlinkError):
        return error
    below: BaseException | None = error
    while below is not None:
        found = getattr(below, "errno", 0)
        if found:
            return NetlinkError(str(error), errno=found)
        below = below.__cause__
    return NetlinkError(str(error), errno=number)
