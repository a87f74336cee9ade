"""How links that hotswitch makes are named and known again.

Each has a mark, an alternative name that says which daemon made it, for what kind of port and for
which. A veth pair gets its marks after it has been made; if the work breaks off in between, the
pair is known by its names, of which one follows from the other.
"""

from __future__ import annotations

import hashlib
import re

from hotswitch.kernel.links import Link
from hotswitch.switch.desired import PortKind

_DRIVERS = {PortKind.INTERNAL: "veth", PortKind.TAP: "tun", PortKind.PATCH: "veth"}
_HIDDEN = "hs-"
_MADE = re.compile(r"hotswitch-[^-]+-(netlink-)?(internal|tap|patch|macvlan|vxlan)-")


def mark(owner: str, kind: PortKind, port: str) -> str:
    """The alternative name of the link that is made for a port. owner: letters and digits."""
    return f"{_prefix(owner, kind)}{port}"


def ports_marked(owner: str, link: Link) -> list[tuple[PortKind, str]]:
    """What the link was made for: kind and name of the port; mostly none or one."""
    return [
        (kind, name.removeprefix(prefix))
        for kind, driver in _DRIVERS.items()
        if link.kind == driver
        for name in link.alternative_names
        if name.startswith(prefix := _prefix(owner, kind))
    ]


def former_mark(owner: str, name: str) -> str:
    """The mark of a link that was renamed and got its old name back as an alternative one."""
    return f"hotswitch-{owner}-former-{name}"


def former_names(owner: str, link: Link) -> list[str]:
    """The alternative names that a link was given because it was called so."""
    prefix = former_mark(owner, "")
    return [name.removeprefix(prefix) for name in link.alternative_names if name.startswith(prefix)]


def let_go_mark(owner: str, index: int) -> str:
    """The mark of a link that was a port until a person let it go, so that it is not adopted."""
    return f"hotswitch-{owner}-let-go-{index}"


def is_marked(link: Link) -> bool:
    """Whether some daemon, this or another one, has made the link."""
    return any(_MADE.match(name) for name in link.alternative_names)


def is_another_s(owner: str, link: Link) -> bool:
    """Whether a daemon other than this one has made the link."""
    names = [name for name in link.alternative_names if _MADE.match(name)]
    return any(not name.startswith(f"hotswitch-{owner}-") for name in names)


def inside_name(owner: str, outer: str) -> str:
    """The name that a pair's inner end is made with, from the outer end's."""
    return _HIDDEN + hashlib.sha256(f"{owner}/{outer}".encode()).hexdigest()[:8]


def cable_names(owner: str, port: str) -> tuple[str, str]:
    """The names that a cable's ends are made with, from the name of one of its ports."""
    near = inside_name(owner, port)
    return near, inside_name(owner, near)


def is_pair_of(owner: str, inside: Link, outer: Link) -> bool:
    """Whether the names of these two ends of a pair are such as this owner gives."""
    return inside.name.startswith(_HIDDEN) and inside.name == inside_name(owner, outer.name)


def _prefix(owner: str, kind: PortKind) -> str:
    return f"hotswitch-{owner}-{kind}-"
