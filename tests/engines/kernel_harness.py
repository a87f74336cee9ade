"""An engine that runs in the kernel, on real wires."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import attachments, promotion
from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry
from hotswitch.kernel import pins as pin_directory
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.hooks import tcx
from hotswitch.kernel.probe import Feature
from hotswitch.kernel.programs import Program
from hotswitch.model.port import Hook, Side
from tests.engines.harness import ADDRESS_LIMIT, PORTS, WIRES, add_ports, port_of
from tests.engines.wires import Capture, Wire, wires

if TYPE_CHECKING:
    import pytest

SECONDS = 5.0
"""Within this, all that was sent has come in and gone out. It never takes so long."""

EngineFactory = Callable[[str, Registry, str, int], Engine]
"""Name, registry, name of the pin directory, address limit."""


def kernel_engine(name: str, registry: Registry, pins: str, address_limit: int) -> Engine:
    """The kernel engine."""
    from hotswitch.datapath.engines.kernel import KernelEngine

    directory = pin_directory.directory("hotswitch", pins)
    engine: Engine = KernelEngine(name, registry, directory, address_limit)
    return engine


class KernelHarness:
    """`harness.Harness` over wires."""

    def __init__(self, datapath: EntryDatapath, made: Mapping[int, Wire]) -> None:
        self.datapath = datapath
        self._wires = made

    def drain(self) -> None:
        """Forget frames that nobody has looked at."""
        Capture(self._wires).take()

    def send(self, frames: Sequence[tuple[int, bytes]]) -> Mapping[int, list[bytes]]:
        capture = Capture(self._wires)
        capture.take()
        assert not any(capture.frames.values()), f"frames from nowhere: {capture.frames}"
        before = self.datapath.port_statistics()
        for wire, frame in frames:
            self._wires[wire].far.send(frame)

        def came_in() -> bool:
            after = self.datapath.port_statistics()
            got = sum(after[port].rx_packets - before[port].rx_packets for port in PORTS)
            return got >= len(frames)

        assert capture.wait(came_in, SECONDS), f"of {len(frames)} frames not all came in"
        after = self.datapath.port_statistics()
        counted = {port: after[port].tx_packets - before[port].tx_packets for port in PORTS}

        def went_out() -> bool:
            found = Counter[int]()
            for wire, captured in capture.frames.items():
                found[port_of(wire)] += len(captured)
            return all(found[port] >= number for port, number in counted.items())

        # If less went out than was counted, the comparison of frames will say so.
        capture.wait(went_out, SECONDS)
        return capture.frames


@contextmanager
def kernel_harness(
    registry: Registry,
    factory: EngineFactory = kernel_engine,
    hook: Hook = Hook.AUTO,
    side: Side = Side.WIRE,
) -> Iterator[KernelHarness]:
    """A datapath with all of `harness.PORTS` on wires; destroyed at the end."""
    with wires(WIRES, xdp=hook is Hook.XDP, host=side is Side.HOST) as made:
        name = f"harness{os.getpid()}"
        datapath = EntryDatapath(name, registry, factory(name, registry, name, ADDRESS_LIMIT))
        try:
            add_ports(datapath, {wire: each.near for wire, each in made.items()}, hook, side)
            yield KernelHarness(datapath, made)
        finally:
            datapath.destroy()


def without_tcx(patch: pytest.MonkeyPatch) -> None:
    """Let this kernel be one that has no tcx."""
    for each in (attachments, promotion):
        patch.setattr(each, "TCX", Feature("tcx", "never", lambda: False))


def takes_by_tcx(ifindex: int, *, egress: bool = False) -> bool:
    """Whether a hotswitch has a tcx link there that takes packets: not one that is left."""
    return "hotswitch_entry" in map(_program_name, tcx.program_ids(ifindex, egress=egress))


def _program_name(number: int) -> str:
    try:
        with Program.from_id(number) as program:
            return program.info().name
    except KernelError:  # it went meanwhile
        return ""
