from __future__ import annotations

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeWorld


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry(BUILT_IN)


@pytest.fixture
def world(registry: Registry) -> FakeWorld:
    return FakeWorld(registry)


@pytest.fixture
def switch(world: FakeWorld) -> Switch:
    return Switch(world, ManualClock())
