"""A header that no one has heard of is matched and set in the kernel like any other."""

from collections.abc import Iterator

import pytest

from hotswitch.model.port import Hook
from tests.engines.fixture import Fixture
from tests.engines.harness import observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness
from tests.engines.test_new_header import FIXTURES, REGISTRY


@pytest.fixture(scope="module", params=[Hook.TCX, Hook.XDP])
def harness(request: pytest.FixtureRequest) -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, hook=request.param) as made:
        yield made


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_kernel(fixture: Fixture, harness: KernelHarness) -> None:
    seen = observe(harness, fixture.setup(REGISTRY), fixture.frames)
    fixture.check(REGISTRY, seen)
