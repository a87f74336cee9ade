"""vNICs: network interfaces that hotswitch makes for somebody. What there is to know. Pure.

Over a bridge they are ports, and all there is to know is what is wanted of a port. Over a link they
are macvlans, which are no ports: what is wanted of these is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import msgspec

from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.links import Link

PREFIX = "vnic"
KIND = "macvlan"


class VnicError(HotswitchError):
    """A vNIC can't be made, found, changed or kept."""


class Macvlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A vNIC over a link.

    token: its mark's part that no other has. name: it is made with. over: the link's name.
    namespace: by name or path; empty: the daemon's. mac: 48 bits, 0: any.
    incarnation: the device's life, 0: there was none yet. namespace_id: by which the daemon's
        namespace knows the other, however that was named; -1: it is not known.
    """

    token: str
    name: str
    over: str
    namespace: str = ""
    mac: int = 0
    incarnation: int = 0
    namespace_id: int = -1


def lowest_free(is_free: Callable[[str], bool]) -> str:
    """The name vnicN with the lowest N that is free."""
    return next(name for number in count() if is_free(name := f"{PREFIX}{number}"))


def unfinished_name(owner: str) -> str:
    """The name of a device that is being made; at most one at a time. owner: 12 characters."""
    return f"hs-{owner}"[:15]


def mark(owner: str, token: str) -> str:
    """The alternative name by which a device is known, whatever it is called."""
    return f"hotswitch-{owner}-{KIND}-{token}"


def token_of(owner: str, link: Link) -> str:
    """The token in a device's mark; nothing if this owner has not made it."""
    prefix = mark(owner, "")
    marks = (each for each in link.alternative_names if each.startswith(prefix))
    return next(marks, prefix).removeprefix(prefix) if link.kind == KIND else ""
