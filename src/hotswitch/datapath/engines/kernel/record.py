"""What the engine keeps of an entry, beside the kernel."""

from __future__ import annotations

from typing import NamedTuple

from hotswitch.compiler.shape import Form
from hotswitch.compiler.template import ListRun
from hotswitch.model.entry import NOTHING, Entry, EntryStatistics


class Home(NamedTuple):
    """Where an entry's value is stored: a map's name, and the key in it."""

    map_name: str
    key: bytes


class Record:
    """An entry, its slot and its home.

    home: None while no program that is loaded can find the entry.
    predecessor: what is in force in its place as long as it has no home.
    before: what it counted in slots that it had before.
    """

    __slots__ = ("before", "entry", "form", "home", "predecessor", "runs", "slot", "template")

    def __init__(self, entry: Entry, form: Form, template: int) -> None:
        self.entry = entry
        self.form = form
        self.template = template
        self.slot = 0
        self.runs: tuple[ListRun, ...] = ()
        self.home: Home | None = None
        self.predecessor: Record | None = None
        self.before: EntryStatistics = NOTHING


class Residents:
    """Which entries share a home: equal but for their priority. The highest is in the map."""

    def __init__(self) -> None:
        self._at: dict[Home, list[Record]] = {}

    def add(self, home: Home, record: Record) -> None:
        """Let a record live at a home."""
        there = self._at.get(home)
        if there is None:
            self._at[home] = [record]
        else:
            there.append(record)
            there.sort(key=lambda each: -each.entry.priority)

    def remove(self, home: Home, record: Record) -> None:
        """Let it leave."""
        there = self._at[home]
        there.remove(record)
        if not there:
            del self._at[home]

    def top(self, home: Home) -> Record | None:
        """The one that is to be found there."""
        there = self._at.get(home)
        return there[0] if there else None
