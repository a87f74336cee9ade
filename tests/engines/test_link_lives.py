"""Links are given to ports and taken away, end, come again under the same index, and daemons take
over from each other, in any order: what is attached and what the maps say is what was asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import link_actions, map_batches
from hotswitch.kernel.bpf_link import is_attached
from hotswitch.kernel.hooks import clsact
from hotswitch.model.port import Hook, LinkLife, Port
from tests.engines.kernel_harness import kernel_engine, takes_by_tcx
from tests.engines.wires import wires

REGISTRY = standard_registry()
INDEXES = (101, 102, 103, 104)
PORTS = (1, 2)


@dataclass(frozen=True)
class Give:
    """Port 1 gets the first links, port 2 the next; those that do not exist are left out."""

    order: Sequence[int]
    first: int
    second: int
    hook: Hook


@dataclass(frozen=True)
class Delete:
    """The device ends."""

    index: int


@dataclass(frozen=True)
class Create:
    """A device begins, if there is none."""

    index: int


@dataclass(frozen=True)
class Restart:
    """Another daemon takes over."""


_steps = some.lists(
    some.one_of(
        some.builds(
            Give,
            some.permutations(INDEXES),
            some.integers(0, 4),
            some.integers(0, 4),
            some.sampled_from((Hook.AUTO, Hook.AUTO, Hook.XDP)),
        ),
        some.builds(Delete, some.sampled_from(INDEXES)),
        some.builds(Create, some.sampled_from(INDEXES)),
        some.just(Restart()),
    ),
    min_size=1,
    max_size=10,
)


@dataclass
class World:
    """lives: the incarnation of each device that exists."""

    name: str
    lives: dict[int, int] = field(default_factory=dict)
    begun: int = 0

    def __post_init__(self) -> None:
        for index in INDEXES:
            self.create(index)
        self.live()
        for number in PORTS:
            self.datapath.add_port(f"port{number}", number=number)

    def live(self) -> None:
        self.datapath = EntryDatapath(
            self.name, REGISTRY, kernel_engine(self.name, REGISTRY, self.name, 16)
        )

    @property
    def engine(self) -> KernelEngine:
        engine = self.datapath._engine
        assert isinstance(engine, KernelEngine)
        return engine

    def create(self, index: int) -> None:
        if index in self.lives:
            return
        command = f"ip link add d{index} index {index} type veth peer name e{index}"
        subprocess.run(command.split(), check=True)
        self.begun += 1
        self.lives[index] = self.begun

    def take(self, step: object) -> None:
        match step:
            case Create(index):
                self.create(index)
            case Delete(index):
                if self.lives.pop(index, None):
                    link_actions.delete(index)
            case Restart():
                self._restart()
            case Give():
                self._give(step)

    def _restart(self) -> None:
        before = dict(self.datapath.ports())
        self.datapath.close()
        self.live()
        for number, port in before.items():
            left = [link for link in port.links if self._is_alive(link)]
            active = LinkLife(port.ifindex, port.incarnation)
            gone = LinkLife(0, active.incarnation)
            expected = _with_links(port, left if active in left else [gone, *left])
            assert self.datapath.ports()[number] == expected

    def _give(self, step: Give) -> None:
        there = [LinkLife(index, self.lives[index]) for index in step.order if index in self.lives]
        wanted = {1: there[: step.first], 2: there[step.first :][: step.second]}
        # A link must have left its port before another gets it.
        for number, links in wanted.items():
            port = self.datapath.ports()[number]
            kept = [link for link in port.links if link in links]
            self.datapath.set_port(_with_links(port, kept))
        for number, links in wanted.items():
            port = replace(self.datapath.ports()[number], hook=step.hook)
            self.datapath.set_port(_with_links(port, links))

    def _is_alive(self, link: LinkLife) -> bool:
        return self.lives.get(link.ifindex) == link.incarnation

    def check(self) -> None:
        store = self.engine.store
        ports = self.datapath.ports()
        owners = {link.ifindex: port.number for port in ports.values() for link in port.links}
        noted = {
            int.from_bytes(key, "little"): int.from_bytes(value, "little")
            for key, value in map_batches.items(store.get(memory.PORTS))
        }
        assert noted == owners
        hints = [
            memory.PORT_HINT.unpack(value)
            for _, value in map_batches.items(store.get(memory.PORT_HINTS))
            if any(value)
        ]
        assert dict(hints) == owners
        for number, port in ports.items():
            row = store.get(memory.LINKS).lookup(number.to_bytes(4, "little"))
            assert row is not None
            assert memory.LINK.unpack_from(row)[0] == port.ifindex
        for index, life in self.lives.items():
            owner = owners.get(index)
            port = ports[owner] if owner else Port(9, "none")
            is_taken = LinkLife(index, life) in port.links
            assert bool(takes_by_tcx(index) or clsact.find(index)) == is_taken
            pin = self.engine.directory / f"link_{owner}_xdp_{index}"
            assert (pin.exists() and is_attached(pin)) == (is_taken and port.hook is Hook.XDP)


def _with_links(port: Port, links: Sequence[LinkLife]) -> Port:
    active, *standby = links or [LinkLife(0)]
    return replace(
        port, ifindex=active.ifindex, incarnation=active.incarnation, standby=tuple(standby)
    )


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with wires(()):
        made = World(f"lives{os.getpid()}")
        try:
            yield made
        finally:
            made.datapath.destroy()


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_steps)
def test_links_are_where_they_were_given(world: World, steps: list[object]) -> None:
    for step in steps:
        world.take(step)
        world.check()
