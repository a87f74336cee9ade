"""What a simple pipeline costs: features that it does not use add nothing to its program."""

from __future__ import annotations

import pytest
from llvmlite import binding

from hotswitch.datapath.contract import PutEntry
from hotswitch.headers.standard import standard_registry
from hotswitch.model.action import Output
from hotswitch.model.entry import Entry
from hotswitch.model.match import Match
from hotswitch.model.port import Hook
from tests.engines.frames import tcp4
from tests.engines.kernel_harness import kernel_harness

REGISTRY = standard_registry()
ALL = 0xFFFFFFFF
ENTRIES = (
    Entry(0, 2, Match.of({"in_port": (1, ALL), "ipv4.dst": (0x0A000002, ALL)}), (Output(2),)),
    Entry(0, 1, Match.of({"in_port": (2, ALL)}), (Output(1),)),
)


LLVM = (22, 1, 0)
"""Another one finds other instructions."""
SIZES = {"tcx": 549, "xdp": 544}
"""Instructions. Fewer are better: then write them here. More have to have a reason."""


@pytest.mark.skipif(binding.llvm_version_info != LLVM, reason="the sizes are another LLVM's")
def test_sizes() -> None:
    with kernel_harness(REGISTRY, hook=Hook.XDP) as harness:
        harness.datapath.change([PutEntry(each) for each in ENTRIES])
        assert harness.send([(1, tcp4())])[2] == [tcp4()]
        programs = harness.datapath.report().programs
    assert {each["hook"]: each["instructions"] for each in programs} == SIZES
