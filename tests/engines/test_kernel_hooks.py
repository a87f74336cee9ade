"""XDP and tcx are choices of each port, side by side on one datapath."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.programs import Program, enable_statistics
from hotswitch.model.port import Hook
from tests.engines.fixture import read_entry
from tests.engines.fixtures import FIXTURES
from tests.engines.frames import tcp4
from tests.engines.harness import Setup, install, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness
from tests.engines.wires import fits_wires
from tests.support.wait import until

REGISTRY = standard_registry()
SOME = [name for name, fixture in FIXTURES.items() if fits_wires(fixture)][::18]
FRAME = tcp4()


@pytest.fixture(scope="module")
def harness() -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, hook=Hook.XDP) as made:
        yield made


def _choose(harness: KernelHarness, hooks: dict[int, Hook]) -> None:
    for number, hook in hooks.items():
        harness.datapath.set_port(replace(harness.datapath.ports()[number], hook=hook))


@pytest.mark.parametrize("xdp", [1, 2])
@pytest.mark.parametrize("name", SOME)
def test_from_one_hook_to_the_other(name: str, xdp: int, harness: KernelHarness) -> None:
    hooks = {1: Hook.TCX, 2: Hook.TCX, 3: Hook.TCX} | {xdp: Hook.XDP}
    _choose(harness, hooks)
    fixture = FIXTURES[name]
    fixture.check(REGISTRY, observe(harness, fixture.setup(REGISTRY), fixture.frames))


def _runs(harness: KernelHarness, hook: Hook) -> int:
    """How often port 1's entry program ran at a hook; the kernel counts what it jumps to as it."""
    engine = harness.datapath._engine
    assert isinstance(engine, KernelEngine)
    ifindex = harness.datapath.ports()[1].ifindex
    pin = engine.directory / f"link_1_{hook.value}_{ifindex}"
    until(pin.exists, "a link has taken the filter's place")
    with (
        BpfLink.from_pin(pin) as link,
        Program.from_id(link.info().program_id) as program,
    ):
        return program.info().run_count


@pytest.mark.parametrize(
    ("actions", "by_tcx"), [("output:2", 0), ("outputs:2+3", 3), ("limit:1,output:2", 3)]
)
def test_xdp_leaves_to_tcx_only_what_it_cannot_do(
    actions: str, by_tcx: int, harness: KernelHarness
) -> None:
    _choose(harness, dict.fromkeys((1, 2, 3), Hook.XDP))
    install(harness.datapath, Setup())
    harness.datapath.change([PutEntry(read_entry(REGISTRY, f"0 5 any {actions}"))])
    counting = enable_statistics()
    try:
        before = [_runs(harness, hook) for hook in (Hook.XDP, Hook.TCX)]
        assert harness.send([(1, FRAME)] * 3)[2] == [FRAME] * 3
        after = [_runs(harness, hook) for hook in (Hook.XDP, Hook.TCX)]
    finally:
        os.close(counting)
    assert [now - then for now, then in zip(after, before, strict=True)] == [3, by_tcx]
