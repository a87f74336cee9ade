"""Masks that differ only in how long a prefix of one field they take, longest first: a trie.

Key: the prefix's length in bits (4 bytes, machine order), then what all have in common as the exact
strategy packs it, then the field's bytes as on the wire (linux/bpf.h, bpf_lpm_trie_key).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.keys import KeyLayout
from hotswitch.compiler.shape import FieldMasks, Subtable
from hotswitch.compiler.strategies.strategy import Search, SearchCode
from hotswitch.model.match import Match, Term

FEWEST = 3
"""With fewer masks, hash lookups are quicker than the trie."""


@dataclass(frozen=True)
class Prefix:
    """Subtables whose masks are `common` and a prefix of `field`, by falling length."""

    flow: Flow
    subtables: tuple[Subtable, ...]
    field: str
    lengths: tuple[int, ...]
    name = "prefix"

    @cached_property
    def layout(self) -> KeyLayout:
        number = min(each.number for each in self.subtables)
        return KeyLayout(self.flow, number, self._common)

    @cached_property
    def _common(self) -> FieldMasks:
        masks = [each for each in self.subtables[0].masks if each[0] != self.field]
        layer = self.flow.field(self.field).layer
        # The field's presence bit is part of what all have in common.
        if layer and layer not in dict(masks):
            masks.append((layer, 1))
        return tuple(sorted(masks))

    @cached_property
    def _width(self) -> int:
        return self.flow.field(self.field).width

    @cached_property
    def _field_size(self) -> int:
        return -(-self._width // 64) * 8

    @cached_property
    def map_name(self) -> str:
        return f"trie_{4 + 8 * self.layout.words + self._field_size}"

    def key(self, subtable: Subtable, match: Match) -> bytes:
        length = self.lengths[self.subtables.index(subtable)]
        terms = {term.field: term for term in match.terms}
        value = terms.pop(self.field).value << 8 * self._field_size - self._width
        layer = self.flow.field(self.field).layer
        if layer:
            terms.setdefault(layer, Term(layer, 1, 1))
        return b"".join(
            (
                struct.pack("<I", 64 * self.layout.words + length),
                self.layout.key(Match(tuple(terms.values()))),
                value.to_bytes(self._field_size, "big"),
            )
        )

    def match(self, key: bytes) -> tuple[Subtable, Match] | None:
        bits, number = struct.unpack_from("<IH", key)
        length = bits - 64 * self.layout.words
        if number != self.layout.number or length not in self.lengths:
            return None
        subtable = self.subtables[self.lengths.index(length)]
        at = 4 + 8 * self.layout.words
        value = int.from_bytes(key[at : at + self._field_size], "big")
        names = dict(subtable.masks)
        terms = [term for term in self.layout.match(key[4:at]).terms if term.field in names]
        mask = names[self.field]
        value >>= 8 * self._field_size - self._width
        terms.append(Term(self.field, value & mask, mask))
        return subtable, Match(tuple(sorted(terms, key=lambda term: term.field)))

    def emit(self, code: SearchCode) -> Any:
        words = {0: code.number(self.layout.number)}
        for move in self.layout.moves:
            moved = code.shift(code.mask(code.word(move.source), move.mask), move.shift)
            known = words.get(move.target)
            words[move.target] = moved if known is None else code.either(known, moved)
        code.store(0, code.number(64 * self.layout.words + self._width), 4)
        for index, value in words.items():
            code.store(4 + 8 * index, value, 8)
        at = 4 + 8 * self.layout.words
        for index in range(self._field_size // 8):
            code.store(at + 8 * index, code.swap(self._left_aligned(code, index)), 8)
        return code.find(self.map_name)

    def _left_aligned(self, code: SearchCode, index: int) -> Any:
        """Bits 64*index… of the field, counted from its most significant bit."""
        result: Any = None
        for piece in self.flow.pieces(self.field):
            first = self._width - piece.value_shift - piece.width
            start = max(first, 64 * index)
            end = min(first + piece.width, 64 * (index + 1))
            if start >= end:
                continue
            low = piece.word_shift + first + piece.width - end
            bits = code.mask(code.word(piece.word), ((1 << end - start) - 1) << low)
            moved = code.shift(bits, 64 * (index + 1) - end - low)
            result = moved if result is None else code.either(result, moved)
        return result


def prefix_length(mask: int, width: int) -> int | None:
    """How long a prefix a mask is, or None if it is none."""
    length = mask.bit_count()
    return length if mask == ((1 << length) - 1) << width - length else None


def find_prefixes(
    flow: Flow, subtables: Sequence[Subtable], others: Sequence[Search]
) -> Prefix | None:
    """The largest group of subtables that one trie can hold, if it is worth it.

    The longer prefix must always have the higher priority. others: lookups that there are already.
    """
    best: Prefix | None = None
    names = {name for each in subtables for name, _ in each.masks}
    for field in sorted(names):
        width = flow.field(field).width
        groups: dict[FieldMasks, list[tuple[int, Subtable]]] = {}
        for each in subtables:
            length = prefix_length(dict(each.masks).get(field, 0), width)
            if length:
                rest = tuple(item for item in each.masks if item[0] != field)
                groups.setdefault(rest, []).append((length, each))
        for group in groups.values():
            group.sort(key=lambda item: -item[0])
            ordered = all(
                longer.lowest > shorter.highest for (_, longer), (_, shorter) in pairwise(group)
            )
            members = tuple(each for _, each in group)
            beside: list[tuple[Subtable, ...]] = [
                (each,) for each in subtables if each not in members
            ]
            beside += [each.subtables for each in others]
            if (
                len(group) >= FEWEST
                and ordered
                and (best is None or len(group) > len(best.lengths))
                and all(_clear_who_wins(members, each) for each in beside)
            ):
                best = Prefix(flow, members, field, tuple(length for length, _ in group))
    return best


def _clear_who_wins(group: Sequence[Subtable], others: Sequence[Subtable]) -> bool:
    """Whether all of the group win or lose a tie of priorities with the others, or none can be.

    Of equal priorities the mask that sorts first wins, and a lookup has one rank.
    """
    if min(each.lowest for each in group) > max(each.highest for each in others):
        return True
    if min(each.lowest for each in others) > max(each.highest for each in group):
        return True
    masks, other_masks = [each.masks for each in group], [each.masks for each in others]
    return max(masks) < min(other_masks) or max(other_masks) < min(masks)
