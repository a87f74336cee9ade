"""Is this entry one that every engine understands? Pure functions: an entry in, an entry out.

A checked entry is also in normal form: all masks are positive and within their fields, no
mask is zero, a `CopyField` has its width. Installing many entries must be quick, and
most of them differ in values only; so what depends on fields and masks is found once and kept.
"""

from __future__ import annotations

from operator import and_
from typing import NamedTuple

from hotswitch.datapath.check_actions import ActionsCheck
from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.registry import HeaderError, Registry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import Mask, Match, Term

_KEPT_PLANS = 4096
_SHOWN_MATCH = 200


def checked(registry: Registry, entry: Entry) -> Entry:
    """The entry in normal form. Raises DatapathError. For many entries, keep an `EntryCheck`."""
    return EntryCheck(registry).entry(entry)


def describe(key: EntryKey) -> str:
    """The key as a person would say it, in one line that is not too long."""
    terms = [_show_term(term) for term in key.match]
    text = ", ".join(terms) or "any packet"
    if len(text) > _SHOWN_MATCH:
        text = text[:_SHOWN_MATCH] + "…"
    return f"table {key.table}, priority {key.priority}, match {text}"


def _show_term(term: Term) -> str:
    mask = "" if term.mask == -1 else f"/{term.mask:#x}"
    return f"{term.field}={term.value:#x}{mask}"


class _Plan(NamedTuple):
    """What is known of all matches with the same fields and masks.

    masks: the positive mask of each term, as given; outside: all other bits of it.
    order: the terms that are left, sorted, by position. same: the match is in normal form already.
    """

    masks: tuple[int, ...]
    outside: tuple[int, ...]
    order: tuple[int, ...]
    same: bool


class EntryCheck:
    """Checks entries against one registry, and remembers what it found out about fields."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._plans: dict[Mask, _Plan] = {}
        self._actions = ActionsCheck(registry)

    def entry(self, entry: Entry) -> Entry:
        """The entry in normal form: itself, if it is. Raises DatapathError, naming the entry."""
        try:
            self._numbers(entry)
            match = self._match(entry.match)
            actions = self._actions.actions(entry.table, entry.actions)
        except DatapathError as error:
            raise DatapathError(
                f"{describe(entry.key)}: {error.message}", remedy=error.remedy
            ) from None
        if match is entry.match and actions is entry.actions:
            return entry
        return Entry(entry.table, entry.priority, match, actions, entry.cookie)

    def key(self, key: EntryKey) -> EntryKey:
        """The key in normal form. Raises DatapathError."""
        try:
            match = self._match(key.match)
        except DatapathError as error:
            raise DatapathError(f"{describe(key)}: {error.message}", remedy=error.remedy) from None
        return key if match is key.match else EntryKey(key.table, key.priority, match)

    def _numbers(self, entry: Entry) -> None:
        if not 0 <= entry.table < STANDARD.tables:
            raise DatapathError(
                f"there is no table {entry.table}", remedy=f"tables are 0 to {STANDARD.tables - 1}"
            )
        if not 0 <= entry.priority <= STANDARD.priority:
            raise DatapathError(
                f"priority {entry.priority} is out of range",
                remedy=f"priorities are 0 to {STANDARD.priority}",
            )
        if not 0 <= entry.cookie < 1 << 64:
            raise DatapathError("the cookie is out of range", remedy="a cookie has 64 bits")

    def _match(self, match: Match) -> Match:
        plan = self._plans.get(match.mask) or self._new_plan(match.mask)
        if any(map(and_, match.values, plan.outside)):
            self._refuse_value(match, plan)
        if plan.same:
            return match
        terms = match.terms
        return Match([Term(terms[i].field, terms[i].value, plan.masks[i]) for i in plan.order])

    def _new_plan(self, given: Mask) -> _Plan:
        masks = tuple(self._full_mask(name, mask) for name, mask in given)
        names = [name for name, _ in given]
        for name in names:
            if names.count(name) > 1:
                raise DatapathError(f"{name} is matched twice", remedy="one term a field")
        order = tuple(sorted((i for i, mask in enumerate(masks) if mask), key=names.__getitem__))
        same = order == tuple(range(len(given))) and masks == tuple(mask for _, mask in given)
        if len(self._plans) >= _KEPT_PLANS:
            self._plans.clear()
        plan = self._plans[given] = _Plan(masks, tuple(~mask for mask in masks), order, same)
        return plan

    def _full_mask(self, name: str, mask: int) -> int:
        try:
            info = self._registry.field(name)
        except HeaderError as error:
            raise DatapathError(error.message, remedy=error.remedy) from None
        if mask == -1:
            return info.mask
        if mask & ~info.mask:
            raise DatapathError(
                f"mask {mask:#x} is too wide for {name}", remedy=f"{name} has {info.width} bits"
            )
        return mask

    def _refuse_value(self, match: Match, plan: _Plan) -> None:
        term, bits = next(
            (term, bits) for term, bits in zip(match, plan.masks, strict=True) if term.value & ~bits
        )
        width = self._registry.field(term.field).width
        if not 0 <= term.value < 1 << width:
            raise DatapathError(
                f"{term.value:#x} does not fit into {term.field}",
                remedy=f"{term.field} has {width} bit{'s' * (width > 1)}",
            )
        raise DatapathError(
            f"{term.field}={term.value:#x} has bits outside its mask {bits:#x}",
            remedy="clear them, or widen the mask",
        )
