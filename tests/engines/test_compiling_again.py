"""A daemon that compiles again and again does not grow."""

from __future__ import annotations

import gc
from pathlib import Path

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.shape import Shape
from hotswitch.compiler.targets.bpf.hook import SKB
from hotswitch.datapath.engines.kernel.programs import compile_shape
from hotswitch.datapath.engines.kernel.shaper import Shaper
from hotswitch.headers.standard import standard_registry
from tests.engines.test_kernel_golden import ENTRIES

FLOW = Flow(standard_registry())


def test_memory_is_given_back() -> None:
    shape = _shape()
    _compile(shape, 10)
    before = _memory()
    _compile(shape, 40)
    assert _memory() - before < 4 << 20


def test_little_is_left_to_the_garbage_collector() -> None:
    shape = _shape()
    _compile(shape, 1)
    gc.collect()
    gc.disable()
    try:
        _compile(shape, 1)
        assert gc.collect() < 3000  # of the module alone there were 4,000
    finally:
        gc.enable()


def _shape() -> Shape:
    shaper = Shaper(FLOW)
    for entry in ENTRIES:
        shaper.add(shaper.record(entry))
    return shaper.shape()


def _compile(shape: Shape, times: int) -> None:
    for _ in range(times):
        compile_shape(shape, FLOW, SKB)


def _memory() -> int:
    """Bytes of this process that are in no file."""
    status = Path("/proc/self/status").read_text()
    line = next(each for each in status.splitlines() if each.startswith("RssAnon"))
    return int(line.split()[1]) << 10
