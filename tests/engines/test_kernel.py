"""The kernel engine runs all fixtures, and does what the reference engine does."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from hotswitch.headers.standard import standard_registry
from hotswitch.model.port import Hook
from tests.engines import strategies
from tests.engines.agreement import assert_same
from tests.engines.fixtures import FIXTURES
from tests.engines.harness import ReferenceHarness, Setup, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness
from tests.engines.wires import fits_wires

REGISTRY = standard_registry()

ON_WIRES = [name for name, fixture in FIXTURES.items() if fits_wires(fixture)]


@pytest.fixture(scope="module", params=[Hook.TCX, Hook.XDP])
def harness(request: pytest.FixtureRequest) -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, hook=request.param) as made:
        yield made


@pytest.mark.parametrize("name", ON_WIRES)
def test_fixture(name: str, harness: KernelHarness) -> None:
    fixture = FIXTURES[name]
    fixture.check(REGISTRY, observe(harness, fixture.setup(REGISTRY), fixture.frames))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(scene=strategies.scenes(REGISTRY, on_wires=True))
def test_kernel_is_reference(
    harness: KernelHarness, scene: tuple[Setup, list[tuple[int, bytes]]]
) -> None:
    setup, traffic = scene
    expected = observe(ReferenceHarness(REGISTRY), setup, traffic)
    assert_same(expected, observe(harness, setup, traffic))
