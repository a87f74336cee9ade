from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel.links import Link, OperationalState
from hotswitch.model.port import LinkLife
from hotswitch.ports.members import Member, is_usable, keep, lives, merged, ranked
from hotswitch.ports.selector import By, Selector

TAP, VIF = Member("tap1.0", preference=1), Member("vif1.0", preference=2)


def active(members: Iterable[Member], links: Mapping[str, Link], current: int) -> str:
    """Which member's link forwards."""
    return next(iter(ranked(members, links, current)), "")


def link(index: int, name: str, *, works: bool = True) -> Link:
    state = OperationalState.UP if works else OperationalState.DOWN
    return Link(index, name, up=True, carrier=works, state=state)


IDLE_TAP, IDLE_VIF = (link(at, name, works=False) for at, name in ((1, "tap1.0"), (2, "vif1.0")))


def test_the_preferred_link_forwards_as_soon_as_it_can() -> None:
    links = {"tap1.0": link(1, "tap1.0"), "vif1.0": link(2, "vif1.0", works=False)}
    assert active((TAP, VIF), links, current=0) == "tap1.0"
    links["vif1.0"] = link(2, "vif1.0")
    assert active((TAP, VIF), links, current=1) == "vif1.0"
    del links["vif1.0"]
    assert active((TAP, VIF), links, current=2) == "tap1.0"


def test_when_none_works_the_one_that_forwards_goes_on() -> None:
    links = {each.name: each for each in (IDLE_TAP, IDLE_VIF)}
    assert active((TAP, VIF), links, current=1) == "tap1.0"
    assert active((TAP, VIF), links, current=2) == "vif1.0"
    assert active((TAP, VIF), links, current=9) == "vif1.0"
    assert active((TAP, VIF), {}, current=1) == ""


def test_of_equal_preference_the_last_by_name_forwards() -> None:
    members = Member("b"), Member("a")
    assert active(members, {"a": link(1, "a"), "b": link(2, "b")}, current=1) == "b"


def test_the_next_best_comes_next() -> None:
    members = tuple(Member(name, preference=at) for at, name in enumerate("abcd"))
    links = {name: link(at, name, works=name != "c") for at, name in enumerate("abcd")}
    assert ranked(members, links, current=0) == ["d", "b", "a", "c"]
    links = {name: link(at, name, works=False) for at, name in enumerate("abcd")}
    assert ranked(members, links, current=1) == ["b", "d", "c", "a"]


def test_a_life_ends_with_another_incarnation() -> None:
    there = Link(4, "tap0", incarnation=9)
    assert lives(LinkLife(4, 9), there) and lives(LinkLife(4), there)
    assert lives(LinkLife(4, 9), Link(4, "tap0"))
    assert not lives(LinkLife(4, 8), there)
    assert not lives(LinkLife(5, 9), there)
    assert not lives(LinkLife(4, 9), None)


def test_a_renamed_link_stays_with_who_follows() -> None:
    was_vif, tap = link(2, "odd"), link(1, "tap1.0")
    assert keep((TAP, VIF), [was_vif, tap]) == {"tap1.0": tap, "vif1.0": was_vif}
    stubborn = Member("vif1.0", follow_rename=False)
    assert keep((TAP, stubborn), [was_vif, tap]) == {"tap1.0": tap}
    assert keep((Member("x", Selector(By.BUS, "pci/1")),), [tap]) == {"x": tap}


names = st.sampled_from(["tap1.0", "vif1.0", "odd", "a", "b"])
some_links = st.lists(
    st.builds(link, st.integers(1, 9), names, works=st.booleans()),
    unique_by=lambda each: each.index,
)
some_members = st.lists(
    st.builds(Member, names, follow_rename=st.booleans(), preference=st.integers(0, 2)),
    min_size=1,
    unique_by=lambda each: each.name,
)


@given(some_members, some_links)
def test_no_link_is_two_members(members: list[Member], held: list[Link]) -> None:
    kept = keep(members, held)
    indexes = [each.index for each in kept.values()]
    assert len(indexes) == len(set(indexes))
    assert set(indexes) <= {each.index for each in held}
    assert keep(members, reversed(held)) == kept


@given(some_members, some_links, st.integers(0, 9))
def test_the_choice_depends_on_nothing_but_the_state(
    members: list[Member], held: list[Link], current: int
) -> None:
    kept = keep(members, held)
    chosen = active(members, kept, current)
    assert active(list(reversed(members)), dict(reversed(kept.items())), current) == chosen
    assert bool(chosen) == bool(kept)
    if any(is_usable(each) for each in kept.values()):
        assert is_usable(kept[chosen])
        # What forwards now has no say in it while one is usable.
        assert active(members, kept, 0) == chosen


def test_the_last_metadata_counts() -> None:
    assert merged((("a", "1"), ("b", "1")), (("b", "2"),)) == (("a", "1"), ("b", "2"))
