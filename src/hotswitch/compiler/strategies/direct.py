"""One mask over few bits: the values themselves are an array's index, and nothing is hashed.

Ports, VLANs and registers mostly hold small numbers. How many bits they need is part of the
shape; a packet with more is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from hotswitch.compiler.flow import Flow, Piece, Word
from hotswitch.compiler.shape import FieldMasks, Subtable
from hotswitch.compiler.strategies.strategy import SearchCode
from hotswitch.headers.registry import FieldKind
from hotswitch.model.match import Mask, Match, Term

MOST_BITS = 14
"""Of an index; an element takes 8 bytes."""
MOST_MAPS = 16
"""Of one program, which can name 64 maps."""
OUTSIDE = (1 << 32) - 1
"""An index that no array has."""
_STEPS = (1, 2, 4, 8, 12, 16)


class _Part(NamedTuple):
    """A field's low bits in the index. presence: a layer's presence bit instead."""

    field: str
    piece: Piece
    mask: int
    at: int
    presence: bool


def width_of(value: int) -> int:
    """Bits that hold a value and those that may follow, so that one more seldom is a new shape."""
    bits = value.bit_length()
    return next((step for step in _STEPS if bits <= step), 64)


def suits(flow: Flow, masks: FieldMasks, widths: Sequence[int]) -> bool:
    """Whether values of these widths under these masks make an index."""
    if sum(widths) > MOST_BITS:
        return False
    layout = _Layout(flow, masks, tuple(widths))
    return 0 < layout.bits <= MOST_BITS and all(
        any(piece.value_shift == 0 and piece.width >= width for piece in flow.pieces(name))
        for (name, _), width in zip(masks, layout.widths, strict=True)
    )


class _Way(NamedTuple):
    """How indexes are made of the values of matches with one mask.

    present: the bits for layers, which the mask alone says. parts: each with its value's place.
    """

    present: int
    parts: tuple[tuple[int, _Part], ...]


@dataclass(frozen=True)
class _Layout:
    flow: Flow
    masks: FieldMasks
    given: tuple[int, ...]

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """No field takes more bits than its mask has."""
        return tuple(
            min(width, mask.bit_length())
            for (_, mask), width in zip(self.masks, self.given, strict=True)
        )

    @cached_property
    def parts(self) -> tuple[_Part, ...]:
        return tuple(self._parts())

    def _parts(self) -> Iterator[_Part]:
        at = 0
        present: set[str] = set()
        for (name, mask), width in zip(self.masks, self.widths, strict=True):
            info = self.flow.field(name)
            if info.kind is FieldKind.HEADER and info.layer not in present:
                present.add(info.layer)
                yield _Part(info.layer, self.flow.presence(info.layer), 1, at, presence=True)
                at += 1
            if bits := mask & (1 << width) - 1:
                piece = next(each for each in self.flow.pieces(name) if each.value_shift == 0)
                yield _Part(name, piece, bits, at, presence=False)
                at += width

    @cached_property
    def bits(self) -> int:
        return max((part.at + part.mask.bit_length() for part in self.parts), default=0)

    @cached_property
    def outside(self) -> dict[Word, int]:
        """Bits that no entry has set; a packet that has is not found."""
        found: dict[Word, int] = {}
        for (name, mask), width in zip(self.masks, self.widths, strict=True):
            for piece in self.flow.pieces(name):
                if bits := piece.place(mask & ~((1 << width) - 1)):
                    found[piece.word] = found.get(piece.word, 0) | bits
        return found

    def index(self, match: Match) -> int | None:
        """Where a match is; None if a value is too wide."""
        way = self._ways.get(match.mask)
        if way is None:
            way = self._ways[match.mask] = self._way(match.mask)
        index, values = way.present, match.values
        for place, part in way.parts:
            value = values[place]
            if value & ~part.mask:
                return None
            index |= value << part.at
        return index

    @cached_property
    def _ways(self) -> dict[Mask, _Way]:
        return {}

    def _way(self, mask: Mask) -> _Way:
        places = {name: place for place, (name, _) in enumerate(mask)}
        layers = {self.flow.field(name).layer for name in places if self._brings_layer(name)}
        return _Way(
            sum(1 << part.at for part in self.parts if part.presence and part.field in layers),
            tuple(
                (places[part.field], part)
                for part in self.parts
                if not part.presence and part.field in places
            ),
        )

    def match(self, index: int) -> Match:
        absent = {
            part.field for part in self.parts if part.presence and not index >> part.at & part.mask
        }
        terms = [Term(layer, 0, 1) for layer in absent]
        values = {part.field: index >> part.at & part.mask for part in self.parts}
        for name, mask in self.masks:
            if name not in absent and self.flow.field(name).layer not in absent:
                terms.append(Term(name, values.get(name, 0), mask))
        return Match(tuple(sorted(terms, key=lambda term: term.field)))

    def _brings_layer(self, name: str) -> bool:
        return self.flow.field(name).kind is FieldKind.HEADER


@dataclass(frozen=True)
class Direct:
    """An array of its own."""

    flow: Flow
    subtable: Subtable
    name = "direct"

    @property
    def subtables(self) -> tuple[Subtable, ...]:
        return (self.subtable,)

    @cached_property
    def layout(self) -> _Layout:
        return _Layout(self.flow, self.subtable.masks, self.subtable.widths)

    @cached_property
    def map_name(self) -> str:
        return f"direct_{self.subtable.number}_{self.layout.bits}"

    def key(self, subtable: Subtable, match: Match) -> bytes | None:
        index = self.layout.index(match)
        return None if index is None else index.to_bytes(4, "little")

    def match(self, key: bytes) -> tuple[Subtable, Match] | None:
        return self.subtable, self.layout.match(int.from_bytes(key, "little"))

    def emit(self, code: SearchCode) -> Any:
        index: Any = None
        for part in self.layout.parts:
            piece = part.piece
            bits = code.mask(code.word(piece.word), part.mask << piece.word_shift)
            moved = code.shift(bits, part.at - piece.word_shift)
            index = moved if index is None else code.either(index, moved)
        outside: Any = None
        for word, bits in self.layout.outside.items():
            more = code.mask(code.word(word), bits)
            outside = more if outside is None else code.either(outside, more)
        if outside is not None:
            index = code.if_zero(outside, index, code.number(OUTSIDE))
        code.store(0, index, 4)
        return code.find(self.map_name)
