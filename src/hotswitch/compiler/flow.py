"""The flow: what a program knows of a packet, as 64-bit words.

Every word is a number whose most significant bit comes first on the wire. A header's word i
holds its bytes 8i to 8i+7. Words and the places of fields in them depend on the registry alone,
not on the shape, so that keys and operands stay valid from one program to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from hotswitch.headers.registry import FieldInfo, FieldKind, Registry

WORD = 64
FULL_WORD = (1 << WORD) - 1
META_LAYER = "meta"
PRESENCE_LAYER = "present"


class Word(NamedTuple):
    """Word `index` of a layer; the layers "meta" and "present" are beside the packet."""

    layer: str
    index: int  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.layer}[{self.index}]"


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a field that lies in one word.

    `width` bits, from bit `word_shift` of the word and from bit `value_shift` of the value
    up, both counted from the least significant bit.
    """

    word: Word
    word_shift: int
    width: int
    value_shift: int

    @property
    def mask(self) -> int:
        """The piece's bits in the word."""
        return ((1 << self.width) - 1) << self.word_shift

    def place(self, value: int) -> int:
        """The field's value as bits of the word."""
        return (value >> self.value_shift & (1 << self.width) - 1) << self.word_shift

    def take(self, word: int) -> int:
        """The word's bits as part of the field's value."""
        return (word >> self.word_shift & (1 << self.width) - 1) << self.value_shift


class Flow:
    """Where each field of a registry lies."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._beside = _beside(registry)
        self._presence = {name: index for index, name in enumerate(registry.layers)}
        self.pieces = cache(self._pieces)

    def beside_words(self) -> frozenset[Word]:
        """The words of all fields beside the packet."""
        return frozenset(piece.word for name in self._beside for piece in self.pieces(name))

    def presence(self, layer: str) -> Piece:
        """The bit that says that the layer is present."""
        index = self._presence[layer]
        return Piece(Word(PRESENCE_LAYER, index // WORD), index % WORD, 1, 0)

    def field(self, name: str) -> FieldInfo:
        """The field; `HeaderError` if there is none."""
        return self.registry.field(name)

    def _pieces(self, name: str) -> tuple[Piece, ...]:
        """The pieces of a field, most significant first."""
        info = self.registry.field(name)
        if info.kind is FieldKind.PRESENCE:
            return (self.presence(info.layer),)
        if info.kind is FieldKind.HEADER:
            return tuple(_cut(info.layer, info.bit, info.width))
        return tuple(_cut(META_LAYER, self._beside[name], info.width))

    def terms(self, mask: Iterable[tuple[str, int]]) -> dict[Word, int]:
        """The words, and the bits of each, that terms under these masks look at.

        A field of a header brings the header's presence bit with it.
        """
        bits: dict[Word, int] = {}
        for name, field_mask in mask:
            for piece in self.pieces(name):
                if placed := piece.place(field_mask):
                    bits[piece.word] = bits.get(piece.word, 0) | placed
            info = self.registry.field(name)
            if info.kind is FieldKind.HEADER:
                there = self.presence(info.layer)
                bits[there.word] = bits.get(there.word, 0) | there.mask
        return bits


def _cut(layer: str, bit: int, width: int) -> Iterable[Piece]:
    end = bit + width
    while bit < end:
        index, start = divmod(bit, WORD)
        length = min(WORD - start, end - bit)
        bit += length
        yield Piece(Word(layer, index), WORD - start - length, length, end - bit)


def _beside(registry: Registry) -> Mapping[str, int]:
    """The first bit of each field beside the packet: a word for in_port and the spaces'
    fields, then the others, none across a word's end."""
    places: dict[str, int] = {}
    position = 0
    fields = [each for each in registry.fields() if each.kind in (FieldKind.META, FieldKind.SPACE)]
    for info in sorted(
        fields, key=lambda each: (each.name != "in_port", each.kind is not FieldKind.SPACE)
    ):
        if position // WORD != (position + info.width - 1) // WORD:
            position = -(-position // WORD) * WORD
        places[info.name] = position
        position += info.width
    return places
