"""Where tcx is missing, ports are attached by clsact: tried on a kernel that has both."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.headers.registry import Registry
from hotswitch.kernel import pins
from hotswitch.kernel.hooks import clsact
from tests.engines.fixtures import FIXTURES
from tests.engines.harness import ADDRESS_LIMIT, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness, without_tcx
from tests.engines.wires import fits_wires, wires

REGISTRY = Registry.standard()
# What depends on the hook: verdicts, redirects, copies, and the tag beside the frame.
ON_WIRES = [
    name
    for name, fixture in FIXTURES.items()
    if fits_wires(fixture) and name.startswith(("ports:", "tags:"))
]


@pytest.fixture(scope="module")
def no_tcx() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        without_tcx(patch)
        yield


@pytest.fixture(scope="module")
def harness(no_tcx: None) -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY) as made:
        yield made


@pytest.mark.parametrize("name", ON_WIRES)
def test_fixture(name: str, harness: KernelHarness) -> None:
    fixture = FIXTURES[name]
    fixture.check(REGISTRY, observe(harness, fixture.setup(REGISTRY), fixture.frames))


def test_a_later_life_takes_over_and_leaves_nothing(no_tcx: None) -> None:
    name = f"clsact{os.getpid()}"
    directory = pins.directory("hotswitch", name)

    def life() -> EntryDatapath:
        engine = KernelEngine(name, REGISTRY, directory, ADDRESS_LIMIT)
        return EntryDatapath(name, REGISTRY, engine)

    with wires((1, 2)) as made:
        first = life()
        for number, wire in made.items():
            first.add_port(f"port{number}", number=number, ifindex=wire.near)
        assert all(clsact.find(wire.near) for wire in made.values())
        indexes = {wire.near for wire in made.values()}
        first.close()
        assert all(clsact.find(wire.near) for wire in made.values())
        second = life()
        assert {port.ifindex for port in second.ports().values()} == indexes
        second.delete_port(1)
        assert clsact.find(made[1].near) is None
        second.destroy()
        assert clsact.find(made[2].near) is None
    assert not directory.exists()
