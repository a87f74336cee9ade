"""A match: which packets an entry is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Term(NamedTuple):
    """`field` has `value` in the bits of `mask`; value bits outside the mask are zero."""

    field: str
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Match:
    """All terms must hold; no term matches every packet.

    A term on a header's field ("ipv4.src") holds only if the header is present. A bare
    header name ("ipv4", "vlan2") is a one-bit field: 1 present, 0 absent. Terms are
    sorted by field, one a field, no mask is zero: equal matches compare equal.
    """

    terms: tuple[Term, ...] = ()

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
        return cls(tuple(sorted(terms, key=lambda term: term.field)))

    def __iter__(self) -> Iterator[Term]:
        return iter(self.terms)

    @property
    def mask(self) -> tuple[tuple[str, int], ...]:
        """The fields and masks without the values: (field, mask), sorted by field."""
        return tuple((term.field, term.mask) for term in self.terms)


ANY = Match()
