"""The shape that the entries ask for, kept up to date entry by entry."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.shape import (
    FieldMasks,
    Form,
    Shape,
    Subtable,
    Table,
    fits,
    form_of,
    presence_terms,
)
from hotswitch.compiler.strategies.direct import MOST_BITS, MOST_MAPS, suits, width_of
from hotswitch.compiler.template import Template, template_of
from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.engines.kernel.record import Record
from hotswitch.model.action import Actions
from hotswitch.model.entry import Entry
from hotswitch.model.match import Mask, Match

_HIGHEST = 0xFFFF
_KEPT_FORMS = 4096
"""Forms that are remembered, whether or not an entry has them."""


class Widths:
    """How wide the values of each term are. enough: too wide for an index, whatever comes."""

    __slots__ = ("bits", "enough")

    def __init__(self, terms: int) -> None:
        self.bits = [1] * terms
        self.enough = False

    def widen(self, values: Sequence[int]) -> None:
        """Note the values of one more match."""
        bits = self.bits
        for index, value in enumerate(values):
            if value >> bits[index]:
                bits[index] = width_of(value)
        # What a layer that is absent has is one bit wide, and may be left out.
        self.enough = sum(bits) - len(bits) > MOST_BITS


class Shaper:
    """Counts forms, priorities and templates by table, and numbers them for good."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.templates: dict[Template, int] = {}
        self.subtables: dict[tuple[int, FieldMasks], int] = {}
        self._forms: dict[int, dict[Form, Counter[int]]] = defaultdict(dict)
        self._used: dict[int, Counter[int]] = defaultdict(Counter)
        self._widths: dict[tuple[int, Form], Widths] = {}
        self._presence: dict[Mask, tuple[int, ...]] = {}
        self._known_forms: dict[tuple[Mask, tuple[int, ...]], Form] = {}
        self._latest: tuple[Actions, int] = ((), 0)

    def restore(self, templates: Mapping[int, Template], shapes: Iterable[Shape]) -> None:
        """Give the numbers again that an earlier life gave; nothing is counted yet."""
        self.templates.update({each: number for number, each in templates.items()})
        for shape in shapes:
            for table in shape.tables:
                for each in table.subtables:
                    self.subtables[table.number, each.masks] = each.number

    def record(self, entry: Entry) -> Record:
        """A record for an entry; nothing is counted yet."""
        return Record(entry, self._form(entry.match), self._number(entry))

    def _form(self, match: Match) -> Form:
        """The form of a match; matches that are alike share it."""
        mask, values = match.mask, match.values
        deciding = self._presence.get(mask)
        if deciding is None:
            deciding = self._presence[mask] = presence_terms(self.flow, mask)
        alike = mask, tuple([values[place] for place in deciding])
        form = self._known_forms.get(alike)
        if form is None:
            if len(self._known_forms) >= _KEPT_FORMS:
                self._known_forms.clear()
                self._presence = {mask: deciding}
            form = self._known_forms[alike] = form_of(self.flow, match)
        return form

    def _number(self, entry: Entry) -> int:
        actions, number = self._latest
        if actions is entry.actions and number:
            return number
        template = template_of(entry.actions)
        found = self.templates.get(template)
        if found is None:
            found = self.templates[template] = max(self.templates.values(), default=0) + 1
        self._latest = entry.actions, found
        return found

    def add(self, record: Record) -> None:
        """Count a record."""
        table = record.entry.table
        priorities = self._forms[table].get(record.form)
        if priorities is None:
            priorities = self._forms[table][record.form] = Counter()
        priorities[record.entry.priority] += 1
        self._used[table][record.template] += 1
        self._widen(record)

    def _widen(self, record: Record) -> None:
        """Note how wide values are. They are not narrowed again while there are such entries."""
        values = record.entry.match.values
        key = record.entry.table, record.form
        widths = self._widths.get(key)
        if widths is None:
            widths = self._widths[key] = Widths(len(values))
        if not widths.enough:
            widths.widen(values)

    def remove(self, record: Record) -> None:
        """Count it no more."""
        table = record.entry.table
        priorities = self._forms[table][record.form]
        priorities[record.entry.priority] -= 1
        if not priorities[record.entry.priority]:
            del priorities[record.entry.priority]
        if not priorities:
            del self._forms[table][record.form]
            del self._widths[table, record.form]
        self.release(record)

    def keep(self, record: Record) -> None:
        """Count its actions: its successor is not in force yet, and packets still come to it."""
        self._used[record.entry.table][record.template] += 1

    def release(self, record: Record) -> None:
        """Count them no more."""
        used = self._used[record.entry.table]
        used[record.template] -= 1
        if not used[record.template]:
            del used[record.template]

    def shape(self) -> Shape:
        """The shape of all that is counted. Raises DatapathError if there are too many masks."""
        numbers = sorted({0, *(number for number, forms in self._forms.items() if forms)})
        room = iter(range(MOST_MAPS))
        tables = tuple(self._table(number, room) for number in numbers)
        used = {each for table in tables for each in table.templates}
        templates = {number: each for each, number in self.templates.items() if number in used}
        return Shape(tables, tuple(sorted(templates.items())))

    def _table(self, number: int, room: Iterator[int]) -> Table:
        """room: gives a number for each subtable that may still have an array of its own."""
        forms = self._forms.get(number, {})
        gathered = self._gathered(forms)
        subtables = []
        for masks in sorted(gathered):
            members = gathered[masks]
            priorities = [each for form in members for each in forms[form]]
            bounds = _bounds(min(priorities), max(priorities), len(set(priorities)))
            widths = self._narrow(number, masks, members)
            if not widths or next(room, None) is None:
                widths = ()
            subtables.append(Subtable(self._subtable(number, masks), masks, *bounds, widths))
        return Table(number, tuple(subtables), tuple(sorted(self._used.get(number, ()))))

    def _narrow(self, table: int, masks: FieldMasks, members: Sequence[Form]) -> tuple[int, ...]:
        """How wide the values are, if they make an index; else nothing."""
        widest = dict.fromkeys((name for name, _ in masks), 1)
        for form in members:
            for (name, _), width in zip(form.masks, self._widths[table, form].bits, strict=True):
                if name in widest:
                    widest[name] = max(widest[name], width)
        widths = tuple(widest.values())
        return widths if masks and suits(self.flow, masks, widths) else ()

    def _gathered(self, forms: dict[Form, Counter[int]]) -> dict[FieldMasks, list[Form]]:
        """Forms by the masks that they live under."""
        all_masks = {form.masks for form in forms}
        gathered: dict[FieldMasks, list[Form]] = {masks: [] for masks in all_masks}
        for form in forms:
            gathered[form.masks].append(form)
        for masks in sorted(all_masks, key=len):
            home = self._roomier(masks, gathered)
            if home is not None:
                gathered[home] += gathered.pop(masks)
        return gathered

    def _roomier(
        self, masks: FieldMasks, gathered: dict[FieldMasks, list[Form]]
    ) -> FieldMasks | None:
        """Other masks under which all these forms can live, without changing who wins a tie."""
        for other in sorted(gathered, key=len):
            if other == masks or not all(fits(self.flow, each, other) for each in gathered[masks]):
                continue
            rest = [each for each in gathered if each not in (masks, other)]
            if all((masks < each) == (other < each) for each in rest):
                return other
        return None

    def _subtable(self, table: int, masks: FieldMasks) -> int:
        known = self.subtables.get((table, masks))
        if known is None:
            used = set(self.subtables.values())
            known = next((each for each in range(1, 1 << 16) if each not in used), 0)
            if not known:
                raise DatapathError(
                    "the tables have more than 65,535 masks", remedy="use fewer different masks"
                )
            self.subtables[table, masks] = known
        return known

    def forget(self, shape: Shape) -> None:
        """Free the numbers of subtables and templates that a shape does not use."""
        kept = {(table.number, each.masks) for table in shape.tables for each in table.subtables}
        for key in [each for each in self.subtables if each not in kept]:
            del self.subtables[key]
        used = {number for number, _ in shape.templates}
        used |= {number for counts in self._used.values() for number in counts}
        for template in [each for each, number in self.templates.items() if number not in used]:
            del self.templates[template]


def _bounds(lowest: int, highest: int, different: int) -> tuple[int, int]:
    """Bounds of priorities, generous where there are several: the next one needs no new code."""
    if different == 1:
        return lowest, highest
    floor = 1 << lowest.bit_length() - 1 if lowest else 0
    return floor, min(_HIGHEST, (1 << highest.bit_length()) - 1)
