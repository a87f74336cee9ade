"""What becomes of ports without devices, over time."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.ports.errors import PortTextError
from hotswitch.ports.lifecycle import (
    EPHEMERAL,
    MAXIMUM_GRACE,
    STATIC,
    Lifecycle,
    Memory,
    Missing,
    Policy,
    follow,
    read_lifecycle,
)

SECOND = 1_000_000_000
GRACE = Lifecycle(Policy.GRACE, 5)
BEGUN: Memory[str] = Memory(has_begun=True)
NONE: frozenset[str] = frozenset()


def lose(lifecycle: Lifecycle, *, had_one: bool = True) -> dict[str, Missing]:
    return {"tap0": Missing(lifecycle, had_one)}


graces = st.builds(Lifecycle, st.just(Policy.GRACE), st.integers(1, MAXIMUM_GRACE))


@given(st.sampled_from([STATIC, EPHEMERAL]) | graces)
def test_text_round_trip(lifecycle: Lifecycle) -> None:
    assert read_lifecycle(str(lifecycle)) == lifecycle


@pytest.mark.parametrize(
    "text",
    ["", "static=1", "ephemeral=", "grace", "grace=", "grace=0", "grace=-1", "grace=1000001",
     "grace=1.5", "grace=²", "Static", "x" * 99],
)  # fmt: skip
def test_what_is_no_lifecycle_is_refused(text: str) -> None:
    with pytest.raises(PortTextError):
        read_lifecycle(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(PortTextError):
        read_lifecycle(text)


def test_a_static_port_stays_for_ever() -> None:
    outcome = follow(lose(STATIC), NONE, 10**18, BEGUN)
    assert (outcome.expired, outcome.deadline) == ((), None)


def test_an_ephemeral_port_goes_with_its_device() -> None:
    assert follow(lose(EPHEMERAL), NONE, 7, BEGUN).expired == ("tap0",)


def test_an_ephemeral_port_waits_for_its_first_device_without_end() -> None:
    outcome = follow(lose(EPHEMERAL, had_one=False), NONE, 7, BEGUN)
    later = follow(lose(EPHEMERAL, had_one=False), NONE, 10**18, outcome.memory)
    assert outcome.expired == later.expired == ()
    assert follow(lose(EPHEMERAL), NONE, 10**18, later.memory).expired == ("tap0",)


def test_a_port_whose_device_was_there_but_not_bound_has_had_it() -> None:
    seen = follow({}, frozenset({"tap0"}), 7, BEGUN)
    assert follow(lose(EPHEMERAL, had_one=False), NONE, 8, seen.memory).expired == ("tap0",)


def test_at_the_first_look_what_is_missing_is_lost() -> None:
    outcome = follow(lose(EPHEMERAL, had_one=False), NONE, 7, Memory())
    assert outcome.expired == ("tap0",)
    assert follow(lose(GRACE, had_one=False), NONE, 7, Memory()).deadline == 7 + 5 * SECOND


def test_grace_runs_from_the_loss_and_ends_with_a_device() -> None:
    first = follow(lose(GRACE), NONE, 0, BEGUN)
    assert (first.expired, first.deadline) == ((), 5 * SECOND)
    assert follow(lose(GRACE, had_one=False), NONE, 5 * SECOND, first.memory).expired == ("tap0",)
    there = follow({}, NONE, 4 * SECOND, first.memory)
    again = follow(lose(GRACE), NONE, 5 * SECOND, there.memory)
    assert (again.expired, again.deadline) == ((), 10 * SECOND)


moments = st.lists(
    st.tuples(
        st.integers(0, 4 * SECOND), st.booleans(), st.sampled_from([GRACE, EPHEMERAL, STATIC])
    ),
    min_size=1,
)


@given(moments)
def test_no_port_goes_early_or_late(story: list[tuple[int, bool, Lifecycle]]) -> None:
    """A port that lives as long as the model says, whenever somebody looks."""
    memory, now, since, present = BEGUN, 0, None, True
    for passed, is_there, lifecycle in story:
        now += passed
        if is_there:
            since, expected = None, False
            outcome = follow({}, NONE, now, memory)
        else:
            if since is None:
                since = now
            patience = lifecycle.patience
            expected = patience is not None and now >= since + patience
            if patience is None:
                since = None  # it is forgotten since when
            outcome = follow({"p": Missing(lifecycle, present)}, NONE, now, memory)
        assert (outcome.expired == ("p",)) is expected
        if expected:
            return
        memory, present = outcome.memory, is_there or present
