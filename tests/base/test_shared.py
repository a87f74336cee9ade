"""`SharedMap` is a mapping like any other, whose successors share what is the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotswitch.base.shared import SharedMap

contents = st.dictionaries(st.integers(0, 600), st.integers(0, 3), max_size=40)


@given(contents, contents, st.sets(st.integers(0, 600), max_size=20))
def test_it_is_what_a_dictionary_would_be(
    before: dict[int, int], puts: dict[int, int], deletes: set[int]
) -> None:
    first = SharedMap(before)
    then = first.having(puts, deletes)
    expected = {key: each for key, each in before.items() if key not in deletes} | puts
    assert dict(first) == before
    assert dict(then) == expected
    assert len(then) == len(expected)
    assert sorted(then) == sorted(expected)
    assert then == SharedMap(expected) == expected
    assert (then != first) == (expected != before)


@given(contents, contents)
def test_what_differs_is_found(one: dict[int, int], other: dict[int, int]) -> None:
    expected = {key for key in {*one, *other} if one.get(key) != other.get(key)}
    assert SharedMap(one).differing(SharedMap(other)) == expected


class Touchy:
    """A value that must not be compared."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None  # type: ignore[assignment]


def test_what_is_shared_is_not_compared() -> None:
    before = SharedMap({number: Touchy() for number in range(1000)})
    after = before.having({5000: Touchy()}, [7])
    assert after.differing(before) == {5000, 7}
    assert before.having({3: before[3]}, [5000]) is before
