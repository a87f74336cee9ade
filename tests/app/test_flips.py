"""A VIF flips under traffic while daemons are killed: `tests.long.flips` does so for longer."""

from __future__ import annotations

from pathlib import Path

from tests.long.flips import flip_often
from tests.support.room import Room


def test_addresses_and_counters_are_the_vifs(room: Room, tmp_path: Path) -> None:
    sent = flip_often(room, tmp_path, flips=60, kills=2)
    assert all(sent.values())
