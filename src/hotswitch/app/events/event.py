"""An event as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hotswitch.app.events.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Happening:
    """What has happened: an event that has no number yet. fields: those of its kind (`kinds`)."""

    kind: str
    fields: Mapping[str, Any]

    @property
    def bridge(self) -> str:
        """The bridge that it concerns; empty: none, or all."""
        return str(self.fields.get("bridge", ""))


@dataclass(frozen=True, slots=True)
class Event:
    """A happening with its number, and when it was noticed, in seconds since 1970 (UTC)."""

    number: int
    time: float
    what: Happening


def happening(kind: str, **fields: Any) -> Happening:
    """Make one; `fields` are just those that the table lists."""
    assert fields.keys() == set(KINDS[kind].fields), (kind, fields)
    return Happening(kind, fields)
