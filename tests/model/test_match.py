"""Matches: equal ones are equal, whatever they were made of, and none changes."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.model.match import ANY, Match, Term

FIELDS = st.dictionaries(
    st.sampled_from(["in_port", "ethernet.src", "ipv4", "ipv4.dst"]),
    st.tuples(st.integers(0, 7), st.integers(0, 7)),
)


@given(FIELDS, FIELDS)
def test_equal_matches_are_equal_and_others_are_not(
    one: dict[str, tuple[int, int]], other: dict[str, tuple[int, int]]
) -> None:
    first, second = Match.of(one), Match.of(other)
    assert (first == second) == (first.terms == second.terms)
    if first == second:
        assert hash(first) == hash(second)
    under = Match.under(first.mask, first.values)
    assert under == first == Match(first.terms) and hash(under) == hash(first)
    assert pickle.loads(pickle.dumps(first)) == copy.deepcopy(first) == first


@given(FIELDS)
def test_terms_are_mask_and_values(fields: dict[str, tuple[int, int]]) -> None:
    match = Match.of(fields)
    assert match.terms == tuple(
        Term(name, value & mask, mask) for name, (value, mask) in sorted(fields.items()) if mask
    )
    assert tuple(match.mask) == tuple((term.field, term.mask) for term in match)
    assert match.values == tuple(term.value for term in match)


def test_alike_matches_share_a_mask() -> None:
    one, other = (Match.of({"in_port": number, "ipv4.dst": (8, 8)}) for number in (1, 2))
    assert one.mask is other.mask
    assert one != other


def test_a_match_does_not_change() -> None:
    with pytest.raises(AttributeError):
        ANY.values = (1,)
    with pytest.raises(AttributeError):
        del ANY.mask
    assert ANY != 1
    assert repr(ANY) == "Match(())"
