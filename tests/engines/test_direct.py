"""The direct strategy: an index for each match, and the match back."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.shape import Subtable
from hotswitch.compiler.strategies.direct import MOST_BITS, Direct, suits, width_of
from hotswitch.headers.standard import standard_registry
from hotswitch.model.match import Match

FLOW = Flow(standard_registry())
FIELDS = ("in_port", "reg1", "metadata", "vlan", "vlan.vid", "vlan.pcp", "ipv6.dst", "tcp.dst")


@st.composite
def matches(draw: st.DrawFn) -> Match:
    names = draw(st.sets(st.sampled_from(FIELDS), min_size=1, max_size=3))
    fields = {}
    for name in names:
        full = FLOW.field(name).mask
        mask = draw(st.just(full) | st.integers(1, full))
        fields[name] = (draw(st.integers(0, 300)) & mask, mask)
    return Match.of(fields)


@given(matches())
def test_an_index_leads_back_to_its_match(match: Match) -> None:
    widths = tuple(width_of(term.value) for term in match.terms)
    assume(suits(FLOW, match.mask, widths))
    subtable = Subtable(7, match.mask, 0, 0, widths)
    search = Direct(FLOW, subtable)
    key = search.key(subtable, match)
    assert key is not None and int.from_bytes(key, "little") < 1 << MOST_BITS
    found = search.match(key)
    if "vlan" not in dict(match.mask) or {t.field: t.value for t in match.terms}["vlan"]:
        assert found == (subtable, match)


def test_a_value_that_is_too_wide_has_no_index() -> None:
    match = Match.of({"in_port": (255, 0xFFFFFFFF)})
    subtable = Subtable(1, match.mask, 0, 0, (8,))
    search = Direct(FLOW, subtable)
    assert search.key(subtable, match) == (255).to_bytes(4, "little")
    assert search.key(subtable, Match.of({"in_port": (256, 0xFFFFFFFF)})) is None
