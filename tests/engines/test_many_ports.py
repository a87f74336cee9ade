"""Many ports at once: as if one by one, for the cost of few; and what they leave is taken off."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine, calm, leftovers
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import link_actions, pins
from hotswitch.kernel.hooks import clsact, hook, tcx
from hotswitch.kernel.probe import TCX
from hotswitch.model.port import Hook, LinkLife, Port, PortStatistics
from tests.engines.fixture import read_entry
from tests.engines.kernel_harness import kernel_engine, takes_by_tcx
from tests.engines.wires import Capture, Wire, wires
from tests.support.wait import until

REGISTRY = standard_registry()
FRAME = bytes.fromhex("ffffffffffff 020000000001 1234") + bytes(50)
MANY = 100


@contextmanager
def life(name: str, pins_name: str) -> Iterator[EntryDatapath]:
    datapath = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, pins_name, 16))
    try:
        yield datapath
    finally:
        datapath.destroy()


def ports_of(made: Mapping[int, Wire], hook: Hook = Hook.AUTO) -> list[Port]:
    return [Port(wire, f"p{wire}", each.near, hook) for wire, each in made.items()]


def left(datapath: EntryDatapath) -> list[str]:
    engine = datapath._engine
    assert isinstance(engine, KernelEngine)
    return [
        path.name
        for path in pins.listing(engine.directory)
        if path.name.startswith(leftovers.PREFIX)
    ]


@pytest.mark.parametrize("hook", [Hook.AUTO, Hook.XDP])
def test_deleted_together_they_have_counted_all(hook: Hook) -> None:
    name = f"many{os.getpid()}"
    with wires((1, 2, 3)) as made, life(name, name) as datapath:
        entry = read_entry(REGISTRY, "0 1 any output:3")
        datapath.change([PutEntry(entry)])
        assert datapath.add_ports(ports_of(made, hook)) == {}
        capture = Capture(made)
        for wire in (1, 2):
            made[wire].far.send(FRAME)
        assert capture.wait(lambda: len(capture.frames[3]) == 2, 5)
        last = datapath.delete_ports([1, 2])
        one = PortStatistics(1, len(FRAME))
        assert last == {1: one, 2: one}
        assert list(datapath.ports()) == [3]
        for wire in (1, 2):
            made[wire].far.send(FRAME)
        assert not any(clsact.find(made[wire].near) for wire in (1, 2))
        assert datapath.port_statistics() == {3: PortStatistics(tx_packets=2, tx_bytes=128)}


def test_one_that_has_gone_stops_no_other() -> None:
    name = f"gone{os.getpid()}"
    with wires((1, 2)) as made, life(name, name) as datapath:
        nobody = Port(3, "nobody", 999_999)
        same = Port(4, "same", made[1].near)
        refused = datapath.add_ports([nobody, *ports_of(made), same])
        assert set(refused) == {3, 4}
        assert "999999" in str(refused[3])
        assert "belongs to port p1" in str(refused[4])
        assert set(datapath.ports()) == {1, 2}
        assert all(clsact.find(each.near) for each in made.values())


def test_a_hundred() -> None:
    """More than fit into one message, one read of counters, one map."""
    name = f"hundred{os.getpid()}"
    with wires(()), life(name, name) as datapath:
        links = [link_actions.create_veth(f"v{each}", f"w{each}") for each in range(MANY)]
        ports = [
            Port(number, link.name, link.index, standby=(LinkLife(link.peer),))
            for number, link in enumerate(links, 201)
        ]
        assert datapath.add_ports(ports) == {}
        assert list(datapath.ports().values()) == ports
        assert datapath.port_statistics() == {port.number: PortStatistics() for port in ports}
        indexes = [life.ifindex for port in ports for life in port.links]
        spots = [hook.Spot(index) for index in indexes]
        assert all(clsact.find_all(spots))
        assert datapath.delete_ports([port.number for port in ports]).keys() == {
            port.number for port in ports
        }
        assert not any(clsact.find_all(spots))
        assert datapath.ports() == {}


def _wait_for(event: threading.Event) -> Callable[[threading.Event, float], bool]:
    def wait(closing: threading.Event, since: float) -> bool:
        while not event.is_set() and not closing.wait(0.02):
            pass
        return not closing.is_set()

    return wait


@pytest.mark.skipif(not TCX, reason="this kernel has no tcx")
def test_what_is_left_takes_nothing_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if a life ends before; and another datapath may have the device at once."""
    name = f"left{os.getpid()}"
    with wires((1, 2)) as made:
        with life(name, name) as datapath:
            datapath.change([PutEntry(read_entry(REGISTRY, "0 1 any output:2"))])
            datapath.add_ports(ports_of(made))
            until(
                lambda: all(
                    takes_by_tcx(each.near) and clsact.find(each.near) is None
                    for each in made.values()
                ),
                "tcx links are there, and no filters any more",
            )
            calm_again = threading.Event()
            monkeypatch.setattr(calm.CALM, "wait", _wait_for(calm_again))
            datapath.delete_ports([1, 2])
            assert not any(takes_by_tcx(each.near) for each in made.values())
            assert len(left(datapath)) == 2
            capture = Capture(made)
            made[1].far.send(FRAME)
            made[1].far.send(FRAME)
            with life(f"{name}b", f"{name}b") as another:
                another.change([PutEntry(read_entry(REGISTRY, "0 1 any output:2"))])
                assert another.add_ports(ports_of(made)) == {}
                made[1].far.send(FRAME)
                assert capture.wait(lambda: bool(capture.frames[2]), 5)
                assert len(capture.frames[2]) == 1
            datapath.close()
            datapath = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))
            assert len(left(datapath)) == 2
            monkeypatch.undo()
            calm_again.set()
            until(lambda: not left(datapath), "what was left has been taken off")
            assert not any(tcx.program_ids(each.near) for each in made.values())
            datapath.add_ports(ports_of(made))
            until(
                lambda: all(takes_by_tcx(each.near) for each in made.values()),
                "tcx links are there",
            )
            datapath.destroy()
        until(
            lambda: not any(tcx.program_ids(each.near) for each in made.values()),
            "what was left has been taken off, without the datapath too",
        )
