"""What the engine keeps of an entry, beside the kernel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hotswitch.compiler.shape import Form
from hotswitch.compiler.template import ListRun
from hotswitch.model.entry import Entry


class Home(NamedTuple):
    """Where an entry's value is stored: a map's name, and the key in it."""

    map_name: str
    key: bytes


class Record:
    """An entry, its slot and its home.

    home: None while no program that is loaded can find the entry.
    predecessor: what is in force in its place as long as it has no home.
    asked, place: the homes that were asked last for its home, and what they said.
    """

    __slots__ = (
        "asked", "entry", "form", "home", "key", "place", "predecessor", "runs", "slot", "template",
    )  # fmt: skip

    def __init__(self, entry: Entry, form: Form, template: int) -> None:
        self.entry = entry
        self.key = entry.key
        self.form = form
        self.template = template
        self.slot = 0
        self.runs: tuple[ListRun, ...] = ()
        self.home: Home | None = None
        self.predecessor: Record | None = None
        self.asked: object = None
        self.place: Home | None = None


class Residents:
    """Which entries share a home: equal but for their priority. The highest is in the map."""

    def __init__(self) -> None:
        self._at: dict[Home, list[Record]] = {}
        self.homes: Counter[str] = Counter()
        """How many homes there are in each map."""

    def add(self, home: Home, record: Record) -> None:
        """Let a record live at a home."""
        there = self._at.get(home)
        if there is None:
            self._at[home] = [record]
            self.homes[home.map_name] += 1
        else:
            there.append(record)
            there.sort(key=lambda each: -each.entry.priority)

    def remove(self, home: Home, record: Record) -> None:
        """Let it leave."""
        there = self._at[home]
        there.remove(record)
        if not there:
            del self._at[home]
            self.homes[home.map_name] -= 1

    def at(self, home: Home) -> Sequence[Record]:
        """Who lives there, the highest priority first."""
        return self._at.get(home, ())
