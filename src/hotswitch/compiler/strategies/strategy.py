"""What a strategy is.

A found value is a 64-bit number that grows with precedence: priority + 1 in the top 17 bits, the
rank of the mask in the next 15 (added by the code, where ranges of priorities overlap), the
entry's slot in the low 32. Zero is nothing found.
"""

from __future__ import annotations

from typing import Any, Protocol

from hotswitch.compiler.flow import Word
from hotswitch.compiler.shape import Subtable
from hotswitch.model.match import Match

PRIORITY_SHIFT = 47
RANK_SHIFT = 32
SLOT_MASK = 0xFFFFFFFF


def value_of(priority: int, slot: int) -> int:
    """The value stored for an entry."""
    return (priority + 1) << PRIORITY_SHIFT | slot


def slot_of(value: int) -> int:
    """The slot in a stored value."""
    return value & SLOT_MASK


class SearchCode(Protocol):
    """What a target offers for building one lookup; values are the target's own."""

    def word(self, word: Word) -> Any:
        """A word of the flow."""

    def mask(self, value: Any, bits: int) -> Any:
        """value & bits."""

    def shift(self, value: Any, left: int) -> Any:
        """value << left, or >> -left."""

    def either(self, left: Any, right: Any) -> Any:
        """left | right."""

    def if_zero(self, value: Any, then: Any, otherwise: Any) -> Any:
        """`then` if a value is 0."""

    def number(self, value: int) -> Any:
        """A 64-bit constant."""

    def swap(self, value: Any) -> Any:
        """The value with its bytes in the opposite order."""

    def store(self, offset: int, value: Any, size: int) -> None:
        """Put the low `size` bytes (4 or 8) of a value into the key, in machine order."""

    def find(self, map_name: str) -> Any:
        """Look the key up; the 64-bit value found, or 0."""

    def default(self, table: int) -> Any:
        """The table's value for every packet, or 0."""


class Search(Protocol):
    """One lookup: the subtables it covers and where it finds them."""

    @property
    def subtables(self) -> tuple[Subtable, ...]:
        """What it covers, in order of precedence."""

    @property
    def map_name(self) -> str:
        """The map, named for its kind and its key's size in bytes ("hash_16"); or empty."""

    @property
    def name(self) -> str:
        """The strategy's name."""

    def key(self, subtable: Subtable, match: Match) -> bytes | None:
        """The map key of a match that lives in `subtable`; None if a value is too wide for it."""

    def match(self, key: bytes) -> tuple[Subtable, Match] | None:
        """Whose key these bytes are, if it is one of this search's."""

    def emit(self, code: SearchCode) -> Any:
        """Build the lookup; the value found, or 0."""
