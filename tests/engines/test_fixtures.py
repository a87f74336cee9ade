"""The reference engine runs all fixtures."""

import pytest

from hotswitch.headers.registry import Registry
from tests.engines.fixtures import FIXTURES
from tests.engines.harness import ReferenceHarness, observe


@pytest.mark.parametrize("name", FIXTURES)
def test_reference(name: str, registry: Registry) -> None:
    fixture = FIXTURES[name]
    seen = observe(ReferenceHarness(registry), fixture.setup(registry), fixture.frames)
    fixture.check(registry, seen)
