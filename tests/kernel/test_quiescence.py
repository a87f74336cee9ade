"""Waiting for programs: both ways, and without a trace. That they do wait, exact statistics under
traffic show (tests/engines/test_kernel_traffic.py)."""

import os

import pytest

from hotswitch.kernel import quiescence


@pytest.fixture(params=["visit", "grace period"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each wait for a grace period."""
    gone: list[str] = []
    grace_period = quiescence._grace_period
    monkeypatch.setattr(
        quiescence, "_grace_period", lambda: (gone.append("grace period"), grace_period())
    )
    if request.param == "grace period":
        monkeypatch.setattr(quiescence, "_visit", lambda cpus: False)
    return gone


def test_affinity_stays_as_it_was(way: list[str]) -> None:
    before = os.sched_getaffinity(0)
    quiescence.wait_for_programs()
    assert os.sched_getaffinity(0) == before


def test_a_thread_bound_to_one_cpu_waits_for_a_grace_period(way: list[str]) -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        quiescence.wait_for_programs()
        assert os.sched_getaffinity(0) == {min(before)}
        assert way == ["grace period"]
    finally:
        os.sched_setaffinity(0, before)
