from __future__ import annotations

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from tests.config.lab import Lab


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry(BUILT_IN)


@pytest.fixture
def lab(registry: Registry) -> Lab:
    return Lab(registry)
