"""Ports on the host's side of a link: the host sends into the pipeline, and receives from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotswitch.headers.standard import standard_registry
from hotswitch.model.port import Side
from tests.engines.fixture import Fixture
from tests.engines.fixtures import FIXTURES
from tests.engines.frames import tcp4
from tests.engines.harness import STANDBY, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness, without_tcx
from tests.engines.wires import fits_wires

REGISTRY = standard_registry()
TO_HOST = "ports: to the host is no drop"


def _has_no_standby(fixture: Fixture) -> bool:
    return not fixture.flipped and STANDBY not in dict([*fixture.frames, *fixture.out])


FIT = [
    name
    for name, fixture in FIXTURES.items()
    if fits_wires(fixture) and _has_no_standby(fixture) and name != TO_HOST
]
# What depends on the side: verdicts, redirects, copies, tags; and some of the rest.
DEPENDENT = [name for name in FIT if name.startswith(("ports:", "tags:", "labels:"))]
ON_HOST = DEPENDENT + [name for name in FIT if name not in DEPENDENT][::8]


@pytest.fixture(scope="module", params=[True, False], ids=["tcx", "clsact"])
def harness(request: pytest.FixtureRequest) -> Iterator[KernelHarness]:
    with pytest.MonkeyPatch.context() as patch:
        if not request.param:
            without_tcx(patch)
        with kernel_harness(REGISTRY, side=Side.HOST) as made:
            yield made


@pytest.mark.parametrize("name", ON_HOST)
def test_fixture(name: str, harness: KernelHarness) -> None:
    fixture = FIXTURES[name]
    fixture.check(REGISTRY, observe(harness, fixture.setup(REGISTRY), fixture.frames))


def test_what_the_host_sends_is_not_for_the_host(harness: KernelHarness) -> None:
    frame = tcp4()
    fixture = Fixture("", ["0 0 any host"], [(1, frame)], dropped=1)
    fixture.check(REGISTRY, observe(harness, fixture.setup(REGISTRY), fixture.frames))
