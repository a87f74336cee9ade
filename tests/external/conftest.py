"""A room, for a database and a daemon."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.support.room import Room


@pytest.fixture
def room() -> Iterator[Room]:
    if os.geteuid():
        pytest.skip("network namespaces need root")
    if shutil.which("ovsdb-server") is None:
        pytest.skip("needs Open vSwitch's ovsdb-server")
    with Room() as made:
        yield made
