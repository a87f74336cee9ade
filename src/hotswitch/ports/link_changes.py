"""What has become of links between two looks, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from hotswitch.kernel.link_monitor import Departure
from hotswitch.kernel.links import Link


@dataclass(frozen=True, slots=True)
class Disappeared:
    """A link has gone, from the machine or to another network namespace; as it was last.

    departure: where it has gone to, if the kernel has told.
    """

    link: Link
    departure: Departure | None = None


@dataclass(frozen=True, slots=True)
class Renamed:
    """A link has another name now. What else has changed is in `new` too."""

    old: Link
    new: Link


@dataclass(frozen=True, slots=True)
class Changed:
    """Something other than the name has changed; the name may have changed too."""

    old: Link
    new: Link


@dataclass(frozen=True, slots=True)
class Appeared:
    """A link is there that was not."""

    link: Link


LinkChange: TypeAlias = Disappeared | Renamed | Changed | Appeared

_ORDER = {Disappeared: 0, Renamed: 1, Changed: 2, Appeared: 3}


def between(old: Link | None, new: Link | None) -> list[LinkChange]:
    """What has become of the link with one index. Another incarnation is another link."""
    if old == new:
        return []
    if old and new and old.incarnation == new.incarnation:
        changes: list[LinkChange] = []
        if old.name != new.name:
            changes.append(Renamed(old, new))
        if replace(old, name=new.name) != new:
            changes.append(Changed(old, new))
        return changes
    return [*([Disappeared(old)] if old else ()), *([Appeared(new)] if new else ())]


def in_order(changes: list[LinkChange]) -> list[LinkChange]:
    """What has gone first, so that its name and index are free for what has come, which is last."""
    return sorted(changes, key=lambda change: _ORDER[type(change)])
