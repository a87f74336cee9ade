"""A match: which packets an entry is for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, final


class Term(NamedTuple):
    """`field` has `value` in the bits of `mask`; value bits outside the mask are zero."""

    field: str
    value: int
    mask: int


class Mask(tuple[tuple[str, int], ...]):
    """Fields and the bits of them that count: (field, mask), sorted by field.

    Matches that are alike share one, so it is hashed once.
    """

    _hash: int

    def __new__(cls, pairs: Iterable[tuple[str, int]] = ()) -> Mask:
        made = super().__new__(cls, pairs)
        made._hash = tuple.__hash__(made)
        return made

    def __hash__(self) -> int:
        return self._hash


@final
class Match:
    """All terms must hold; no term matches every packet.

    A term on a header's field ("ipv4.src") holds only if the header is present. A bare
    header name ("ipv4", "vlan2") is a one-bit field: 1 present, 0 absent. Terms are
    sorted by field, one a field, no mask is zero: equal matches compare equal.

    mask: the terms without their values; values: the values alone, in the same order.
    """

    __slots__ = ("_hash", "mask", "values")

    mask: Mask
    values: tuple[int, ...]
    _hash: int

    def __init__(self, terms: Iterable[Term] = ()) -> None:
        pairs, values = [], []
        for field, value, mask in terms:
            pairs.append((field, mask))
            values.append(value)
        _fill(self, _shared(tuple(pairs)), tuple(values))

    @classmethod
    def of(cls, fields: Mapping[str, int | tuple[int, int]]) -> Match:
        """Build from {field: value} or {field: (value, mask)}; a bare value is exact (mask -1).

        An exact mask is written as -1 until `datapath.check` has put in the field's width.
        """
        terms = []
        for name, given in fields.items():
            value, mask = given if isinstance(given, tuple) else (given, -1)
            if mask:
                terms.append(Term(name, value & mask, mask))
        return cls(sorted(terms, key=lambda term: term.field))

    @classmethod
    def under(cls, mask: Mask, values: tuple[int, ...]) -> Match:
        """The match with a mask that another one has too, and these values in the bits of it."""
        match = cls.__new__(cls)
        _fill(match, mask, values)
        return match

    @property
    def terms(self) -> tuple[Term, ...]:
        """All of it, term by term."""
        return tuple(self)

    def __iter__(self) -> Iterator[Term]:
        for (field, mask), value in zip(self.mask, self.values, strict=True):
            yield Term(field, value, mask)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Match):
            return NotImplemented
        return self.values == other.values and self.mask == other.mask

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Match({self.terms!r})"

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a match does not change: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a match does not change: {name}")

    def __reduce__(self) -> tuple[type[Match], tuple[tuple[Term, ...]]]:
        return Match, (self.terms,)


_set_mask = Match.__dict__["mask"].__set__
_set_values = Match.__dict__["values"].__set__
_set_hash = Match.__dict__["_hash"].__set__

_KEPT_MASKS = 4096
_masks: dict[tuple[tuple[str, int], ...], Mask] = {}


def _fill(match: Match, mask: Mask, values: tuple[int, ...]) -> None:
    _set_mask(match, mask)
    _set_values(match, values)
    _set_hash(match, hash((mask, values)))


def _shared(pairs: tuple[tuple[str, int], ...]) -> Mask:
    """The mask that others with these pairs have, if they are still remembered."""
    mask = _masks.get(pairs)
    if mask is None:
        if len(_masks) >= _KEPT_MASKS:
            _masks.clear()
        mask = _masks[pairs] = Mask(pairs)
    return mask


ANY = Match()
