"""Where entries live under one program: from its lookups to maps and keys, and back."""

from __future__ import annotations

from collections.abc import Set

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.passes.search import searches
from hotswitch.compiler.shape import FieldMasks, Form, Shape, Subtable, Table, fits
from hotswitch.compiler.strategies.strategy import Search
from hotswitch.datapath.engines.kernel.record import Home, Record
from hotswitch.model.match import Match

_NUMBER_AT = {"hash": 0, "trie": 4}
"""Where in the keys of a kind of map the subtable's number is (2 bytes)."""


class Homes:
    """The lookups of a shape, as places for entries."""

    def __init__(self, flow: Flow, shape: Shape) -> None:
        self.flow = flow
        self.shape = shape
        self.searches = {table.number: searches(flow, table) for table in shape.tables}
        self._tables: dict[int, _TableHomes] = {
            table.number: _TableHomes(flow, table, self.searches[table.number])
            for table in shape.tables
        }
        self._in_map: dict[str, list[tuple[int, Search]]] = {}
        for number, found in self.searches.items():
            for search in found:
                self._in_map.setdefault(search.map_name, []).append((number, search))
        self._of_subtable: dict[tuple[str, int], list[tuple[int, Search]]] = {}
        for name, there in self._in_map.items():
            for number, search in there:
                for subtable in search.subtables:
                    place = name, subtable.number
                    self._of_subtable.setdefault(place, []).append((number, search))

    @property
    def maps(self) -> Set[str]:
        """The names of the maps that its programs look into."""
        return self._in_map.keys()

    def home(self, record: Record) -> Home | None:
        """Where the program finds an entry, or None: it can't find it, or not carry it out."""
        if record.asked is not self:
            table = self._tables.get(record.entry.table)
            record.asked, record.place = self, table.home(record) if table else None
        return record.place

    def differs(self, other: Homes | None, table: int) -> bool:
        """Whether entries of a table may live elsewhere than under another shape."""
        if other is None or table not in other.searches:
            return True
        return _places(self.searches.get(table, ())) != _places(other.searches[table])

    def has(self, home: Home, table: int) -> bool:
        """Whether the program looks at this place."""
        return any(
            search.map_name == home.map_name and search.match(home.key) is not None
            for search in self.searches.get(table, ())
        )

    def whose(self, home: Home) -> tuple[int, Match] | None:
        """The table and match of an entry that lives there."""
        at = _NUMBER_AT.get(home.map_name.partition("_")[0])
        if at is None:
            candidates = self._in_map.get(home.map_name, [])
        else:
            subtable = int.from_bytes(home.key[at : at + 2], "little")
            candidates = self._of_subtable.get((home.map_name, subtable), [])
        for number, search in candidates:
            decoded = search.match(home.key)
            if decoded:
                return number, decoded[1]
        return None


class _TableHomes:
    def __init__(self, flow: Flow, table: Table, found: tuple[Search, ...]) -> None:
        self.flow = flow
        self.templates = frozenset(table.templates)
        self.by_masks: dict[FieldMasks, tuple[Subtable, Search]] = {
            subtable.masks: (subtable, search) for search in found for subtable in search.subtables
        }
        self._by_form: dict[Form, tuple[Subtable, Search] | None] = {}
        self._latest: tuple[Form | None, tuple[Subtable, Search] | None] = (None, None)

    def home(self, record: Record) -> Home | None:
        if record.template not in self.templates:
            return None
        form = record.form
        latest, place = self._latest
        if form is not latest:
            if form not in self._by_form:
                self._by_form[form] = self._find(form)
            place = self._by_form[form]
            self._latest = form, place
        if place is None:
            return None
        subtable, search = place
        if not subtable.lowest <= record.entry.priority <= subtable.highest:
            return None
        key = search.key(subtable, record.entry.match)
        return None if key is None else Home(search.map_name, key)

    def _find(self, form: Form) -> tuple[Subtable, Search] | None:
        if form.masks in self.by_masks:
            return self.by_masks[form.masks]
        for masks in sorted(self.by_masks, key=len):
            if not fits(self.flow, form, masks):
                continue
            rest = [each for each in self.by_masks if each != masks]
            if all((form.masks < each) == (masks < each) for each in rest):
                return self.by_masks[masks]
        return None


def _places(
    found: tuple[Search, ...],
) -> list[tuple[str, str, tuple[tuple[int, FieldMasks, tuple[int, ...]], ...]]]:
    return sorted(
        (
            search.name,
            search.map_name,
            tuple((each.number, each.masks, each.widths) for each in search.subtables),
        )
        for search in found
    )
