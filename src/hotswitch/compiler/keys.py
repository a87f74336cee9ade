"""How a subtable's key is packed: the words it looks at, moved together into few.

The key's first word holds the subtable's number in its low 16 bits. Words whose bits don't collide
share a key word, so that a port, a presence bit and a VLAN make a key of 8 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from hotswitch.compiler.flow import FULL_WORD, WORD, Flow, Piece, Word
from hotswitch.compiler.shape import FieldMasks
from hotswitch.headers.registry import FieldKind
from hotswitch.model.match import Mask, Match, Term

NUMBER_BITS = 16
_KEPT_PLANS = 256


class Move(NamedTuple):
    """Bits `mask` of `source` go to key word `target`, shifted left by `shift`."""

    source: Word
    mask: int
    target: int
    shift: int


class _Place(NamedTuple):
    value_shift: int
    mask: int
    bit: int


class _Plan(NamedTuple):
    """How the values of matches that are alike become a key of `size` bytes.

    number: what is in all of them. moves: a value's place, right shift, mask, left shift.
    """

    number: int
    moves: tuple[tuple[int, int, int, int], ...]
    size: int


def pack(bits: Mapping[Word, int]) -> tuple[Move, ...]:
    """Move masked words into as few key words as first fit finds, unshifted where possible."""
    taken = [(1 << NUMBER_BITS) - 1]
    moves = []
    for word, mask in sorted(bits.items(), key=lambda item: (-item[1].bit_count(), item[0])):
        target, shift = _first_fit(taken, mask)
        if target == len(taken):
            taken.append(0)
        taken[target] |= _shifted(mask, shift)
        moves.append(Move(word, mask, target, shift))
    return tuple(moves)


def _first_fit(taken: list[int], mask: int) -> tuple[int, int]:
    lowest = (mask & -mask).bit_length() - 1
    highest = mask.bit_length()
    for target, used in enumerate(taken):
        for shift in sorted(range(-lowest, WORD - highest + 1), key=abs):
            if not _shifted(mask, shift) & used:
                return target, shift
    return len(taken), 0


def _shifted(mask: int, shift: int) -> int:
    return (mask << shift if shift >= 0 else mask >> -shift) & FULL_WORD


def _place(piece: Piece, move: Move) -> _Place:
    """Where a piece's bits come to lie in the key. Bits shifted out are outside the mask."""
    bit = piece.word_shift + move.shift
    lost = max(0, -bit)
    return _Place(
        piece.value_shift + lost,
        (1 << piece.width) - 1 >> lost,
        move.target * WORD + bit + lost,
    )


@dataclass(frozen=True)
class KeyLayout:
    """The key of one subtable."""

    flow: Flow
    number: int
    masks: FieldMasks

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        return pack(self.flow.terms(self.masks))

    @cached_property
    def words(self) -> int:
        """The key's length in 8-byte words."""
        return 1 + max((move.target for move in self.moves), default=0)

    @cached_property
    def _places(self) -> Mapping[str, tuple[_Place, ...]]:
        move_of = {move.source: move for move in self.moves}
        places = {}
        for name, _ in self.masks:
            places[name] = tuple(
                _place(piece, move_of[piece.word])
                for piece in self.flow.pieces(name)
                if piece.word in move_of
            )
        return places

    @cached_property
    def _presence(self) -> Mapping[str, int]:
        """The key's presence bit for each field that brings one."""
        move_of = {move.source: move for move in self.moves}
        found = {}
        for name, _ in self.masks:
            info = self.flow.field(name)
            if info.kind is FieldKind.HEADER:
                there = self.flow.presence(info.layer)
                move = move_of[there.word]
                found[name] = 1 << move.target * WORD + there.word_shift + move.shift
        return found

    def key(self, match: Match) -> bytes:
        """The key of a match that lives in this subtable."""
        plan = self._plans.get(match.mask) or self._plan(match.mask)
        values = match.values
        number = plan.number
        for at, right, mask, left in plan.moves:
            number |= (values[at] >> right & mask) << left
        return number.to_bytes(plan.size, "little")

    @cached_property
    def _plans(self) -> dict[Mask, _Plan]:
        return {}

    def _plan(self, mask: Mask) -> _Plan:
        """What is the same for all matches with a mask."""
        number = self.number
        moves: list[tuple[int, int, int, int]] = []
        for at, (name, bits) in enumerate(mask):
            number |= self._presence.get(name, 0)
            moves += [
                (at, place.value_shift, place.mask, place.bit)
                for place in self._places.get(name, ())
                if bits >> place.value_shift & place.mask
            ]
        if len(self._plans) >= _KEPT_PLANS:
            self._plans.clear()
        found = self._plans[mask] = _Plan(number, tuple(moves), 8 * self.words)
        return found

    def match(self, key: bytes) -> Match:
        """The match that `key` gave these bytes for."""
        number = int.from_bytes(key[: 8 * self.words], "little")
        terms: dict[str, Term] = {}
        for name, mask in self.masks:
            layer = self.flow.field(name).layer
            bit = self._presence.get(name, 0)
            if bit and not number & bit:
                terms[layer] = Term(layer, 0, 1)
                continue
            value = 0
            for place in self._places[name]:
                value |= (number >> place.bit & place.mask) << place.value_shift
            terms.setdefault(name, Term(name, value & mask, mask))
        return Match(tuple(sorted(terms.values(), key=lambda term: term.field)))
