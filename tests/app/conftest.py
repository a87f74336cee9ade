"""A daemon without forwarding, for what is around it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import REFERENCE, Daemon
from tests.support.room import Room


@pytest.fixture
def room() -> Iterator[Room]:
    if os.geteuid():
        pytest.skip("network namespaces need root")
    with Room() as made:
        yield made


@pytest.fixture
def daemon(room: Room, tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(room, tmp_path / "run", kind=REFERENCE) as running:
        yield running
