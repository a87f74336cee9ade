"""A real daemon is killed at steps of requests, which then come again.

`test_killed` does so at all steps without a daemon, `python -m tests.long.netlink_kills` with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netlink.really_killed import REQUESTS, KillLab
from tests.support.room import Room


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KillLab]:
    monkeypatch.setenv("KILLED_AT", "")  # what KillLab makes of it ends with the test
    with Room() as room:
        lab = KillLab(room, tmp_path)
        yield lab
        lab.close()


@pytest.mark.parametrize("what", REQUESTS)
def test_a_repeated_request_is_done_once(what: str, lab: KillLab) -> None:
    """It is killed at one of its first steps and, if it has as many, at a later one."""
    where = [lab.killed_at(what, step) for step in (1, 5)]
    assert where[0]
