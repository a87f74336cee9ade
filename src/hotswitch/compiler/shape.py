"""The shape of a pipeline: all that its code depends on, and nothing else.

Values of matches, operands of actions, ports and the number of entries are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.template import Template
from hotswitch.headers.registry import FieldKind
from hotswitch.model.action import GotoTable, Recirculate, walk
from hotswitch.model.match import Mask, Match

FieldMasks: TypeAlias = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What entries of one subtable have in common: fields under masks, and absent layers.

    absent: layers that must be absent; it is in `masks` as a bare layer name too.
    """

    masks: FieldMasks
    absent: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subtable:
    """Entries of one table under one mask.

    number: names it in keys. lowest, highest: bounds of its entries' priorities.
    widths: bits that the values of its masks' fields have at most, where they make an index of
        their own (`strategies.direct`); else empty.
    """

    number: int
    masks: FieldMasks
    lowest: int
    highest: int
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A numbered table: its subtables, and the numbers of the templates in use."""

    number: int
    subtables: tuple[Subtable, ...]
    templates: tuple[int, ...]


@dataclass(frozen=True)
class Shape:
    """A pipeline's shape: tables by ascending number, templates by number."""

    tables: tuple[Table, ...]
    templates: tuple[tuple[int, Template], ...]

    @property
    def template(self) -> Mapping[int, Template]:
        """The templates by number."""
        return dict(self.templates)


def form_of(flow: Flow, match: Match) -> Form:
    """The form that a match has."""
    mask, values = match.mask, match.values
    absent = frozenset(mask[at][0] for at in presence_terms(flow, mask) if not values[at])
    return Form(mask, absent)


def presence_terms(flow: Flow, mask: Mask) -> tuple[int, ...]:
    """The places of terms that say whether a layer is there."""
    kinds = [flow.field(name).kind for name, _ in mask]
    return tuple(at for at, kind in enumerate(kinds) if kind is FieldKind.PRESENCE)


def fits(flow: Flow, form: Form, masks: FieldMasks) -> bool:
    """Whether entries of `form` can live under `masks`, which look at more.

    They can where everything more is in layers that must be absent: an absent layer's
    words are zero.
    """
    wanted = {name: mask for name, mask in form.masks if name not in form.absent}
    for name, mask in masks:
        layer = flow.field(name).layer
        if layer in form.absent:
            continue
        if wanted.pop(name, None) != mask:
            return False
    return not wanted and all(_looks_at(flow, masks, layer) for layer in form.absent)


def _looks_at(flow: Flow, masks: FieldMasks, layer: str) -> bool:
    there = flow.presence(layer)
    return bool(flow.terms(masks).get(there.word, 0) & there.mask)


def looks_up_again(shape: Shape) -> bool:
    """Whether any entry's actions have packets looked up again."""
    return any(
        isinstance(action, Recirculate)
        for _, template in shape.templates
        for action in walk(template)
    )


def goto_of(template: Template) -> int | None:
    """The table that a template goes on in."""
    last = template[-1] if template else None
    return last.table if isinstance(last, GotoTable) else None
