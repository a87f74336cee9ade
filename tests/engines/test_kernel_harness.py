"""The harness for the kernel is right if the reference engine, on real wires, passes in it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple

import pytest
from hypothesis import given, settings

from hotswitch.base.clock import MonotonicClock
from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.model.port import Port, PortStatistics
from tests.engines import strategies
from tests.engines.agreement import assert_same
from tests.engines.fixtures import FIXTURES
from tests.engines.harness import ReferenceHarness, Setup, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness
from tests.engines.wires import fits_wires

REGISTRY = standard_registry()


class WiredReference(ReferenceEngine):
    """Takes frames from its ports' links whenever someone looks at the ports' statistics."""

    def __init__(self, name: str, registry: Registry, pins: str, address_limit: int) -> None:
        super().__init__(registry, MonotonicClock(), address_limit)
        self._links: dict[int, int] = {}
        self._sockets: dict[int, PacketSocket] = {}

    def put_ports(self, ports: Sequence[Port]) -> Mapping[int, DatapathError]:
        for port in ports:
            self._links[port.number] = port.ifindex
            for ifindex, _ in map(astuple, port.links):
                if ifindex not in self._sockets:
                    self._sockets[ifindex] = PacketSocket(ifindex, receive_buffer=1 << 22)
        return super().put_ports(ports)

    def port_statistics(
        self, numbers: Collection[int] | None = None
    ) -> Mapping[int, PortStatistics]:
        for ifindex, socket in self._sockets.items():
            while frame := socket.receive():
                for port, out in self.receive(ifindex, frame.data).outputs:
                    self._sockets[self._links[port]].send(out)
        return super().port_statistics(numbers)

    def destroy(self) -> None:
        for socket in self._sockets.values():
            socket.close()


@pytest.fixture(scope="module")
def harness() -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, WiredReference) as made:
        yield made


def test_fixtures(harness: KernelHarness) -> None:
    for fixture in FIXTURES.values():
        # The links are looked at one after the other, so only one's frames keep their order.
        one_wire = len({wire for wire, _ in fixture.frames}) == 1
        if one_wire and fits_wires(fixture):
            seen = observe(harness, fixture.setup(REGISTRY), fixture.frames)
            fixture.check(REGISTRY, seen)


@settings(max_examples=20)
@given(scene=strategies.scenes(REGISTRY, on_wires=True))
def test_wires_change_nothing(
    harness: KernelHarness, scene: tuple[Setup, list[tuple[int, bytes]]]
) -> None:
    setup, traffic = scene
    frames = [(traffic[0][0], frame) for _, frame in traffic]
    expected = observe(ReferenceHarness(REGISTRY), setup, frames)
    assert_same(expected, observe(harness, setup, frames))


def test_agreement_can_fail() -> None:
    plain = ReferenceHarness(REGISTRY)
    names = ("tables: an entry for all", "tables: drop")
    frames = FIXTURES[names[0]].frames
    one, other = (observe(plain, FIXTURES[name].setup(REGISTRY), frames) for name in names)
    with pytest.raises(AssertionError, match="wire 2"):
        assert_same(one, other)
