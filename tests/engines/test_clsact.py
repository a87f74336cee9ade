"""Where tcx is missing, ports are attached by clsact: tried on a kernel that has both."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from hotswitch.datapath.contract import DatapathError, PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.datapath.engines.kernel.entry_programs import leads_nowhere
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN, standard_registry
from hotswitch.kernel import pins
from hotswitch.kernel.hooks import clsact
from hotswitch.kernel.hooks.hook import Spot
from tests.engines.fixture import read_entry
from tests.engines.fixtures import FIXTURES
from tests.engines.frames import tcp4
from tests.engines.harness import ADDRESS_LIMIT, observe
from tests.engines.kernel_harness import KernelHarness, kernel_harness, without_tcx
from tests.engines.wires import Capture, fits_wires, wires
from tests.support.wait import until

REGISTRY = standard_registry()
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


def test_what_others_take_away_is_attached_again(no_tcx: None) -> None:
    name = f"taken{os.getpid()}"
    with wires((1, 2)) as made:
        engine = KernelEngine(name, REGISTRY, pins.directory("hotswitch", name), ADDRESS_LIMIT)
        datapath = EntryDatapath(name, REGISTRY, engine)
        try:
            datapath.change([PutEntry(read_entry(REGISTRY, "0 1 any output:2"))])
            for number, wire in made.items():
                datapath.add_port(f"port{number}", number=number, ifindex=wire.near)
            theirs = clsact.find(made[1].near)
            assert theirs
            theirs.detach()
            capture = Capture(made)
            made[1].far.send(tcp4())
            datapath.refresh([made[2].near])
            assert clsact.find(made[1].near) is None
            datapath.refresh([made[1].near])
            made[1].far.send(tcp4())
            assert capture.wait(lambda: bool(capture.frames[2]), 5)
            assert len(capture.frames[2]) == 1
        finally:
            datapath.destroy()
        assert not any(clsact.find(wire.near) for wire in made.values())


@pytest.mark.parametrize("lost", ["slots_1", "programs_tcx_1"])
def test_what_cannot_be_taken_over_is_taken_off(no_tcx: None, lost: str) -> None:
    name = f"lost{os.getpid()}"
    directory = pins.directory("hotswitch", name)

    def life() -> EntryDatapath:
        engine = KernelEngine(name, REGISTRY, directory, ADDRESS_LIMIT)
        return EntryDatapath(name, REGISTRY, engine)

    def add_ports(datapath: EntryDatapath) -> None:
        datapath.change([PutEntry(read_entry(REGISTRY, "0 1 any output:2"))])
        for number, wire in made.items():
            datapath.add_port(f"port{number}", number=number, ifindex=wire.near)

    with wires((1, 2)) as made:
        first = life()
        add_ports(first)
        first.close()
        filters = clsact.find_all([Spot(wire.near) for wire in made.values()])
        pins.remove(directory / lost)
        if lost.startswith("programs"):
            # The kernel empties an array that nobody holds a little later (prog_array_map_clear in
            # kernel/bpf/arraymap.c queues that).
            until(lambda: all(each and leads_nowhere(each.program_id) for each in filters), "empty")
        with pytest.raises(DatapathError, match=lost):
            life()
        assert not any(clsact.find(wire.near) for wire in made.values())
        assert pins.listing(directory) == []
        second = life()
        add_ports(second)
        capture = Capture(made)
        made[1].far.send(tcp4())
        assert capture.wait(lambda: bool(capture.frames[2]), 5)
        second.destroy()
        assert not any(clsact.find(wire.near) for wire in made.values())


def test_other_headers_begin_anew_where_old_filters_are(no_tcx: None) -> None:
    name = f"anew{os.getpid()}"
    directory = pins.directory("hotswitch", name)

    def life(registry: Registry) -> EntryDatapath:
        return EntryDatapath(name, registry, KernelEngine(name, registry, directory, ADDRESS_LIMIT))

    with wires((1, 2)) as made:
        first = life(REGISTRY)
        for number, wire in made.items():
            first.add_port(f"port{number}", number=number, ifindex=wire.near)
        first.close()
        second = life(Registry([each for each in BUILT_IN if each.name != "arp"]))
        assert not second.ports()
        assert not any(clsact.find(wire.near) for wire in made.values())
        second.add_port("port1", number=1, ifindex=made[1].near)
        second.destroy()


class _Killed(BaseException):
    """Nobody catches it."""


def _kill(*_: object) -> None:
    raise _Killed


@pytest.mark.parametrize("at", ["ClsactAttachment", "_remove_qdiscs"])
def test_killed_amid_attaching_or_detaching(
    no_tcx: None, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """An empty one is left neither where a port was being attached nor where it was detached."""
    name = f"between{os.getpid()}"

    def life() -> EntryDatapath:
        engine = KernelEngine(name, REGISTRY, pins.directory("hotswitch", name), ADDRESS_LIMIT)
        return EntryDatapath(name, REGISTRY, engine)

    with wires((1, 2)) as made:
        first = life()
        first.add_port("port2", number=2, ifindex=made[2].near)
        with monkeypatch.context() as patch, pytest.raises(_Killed):
            patch.setattr(clsact, at, _kill)
            if at == "ClsactAttachment":
                first.add_port("port1", number=1, ifindex=made[1].near)
            else:
                first.delete_port(2)
        device = made[1 if at == "ClsactAttachment" else 2].near
        assert has_clsact(device)
        second = life()
        assert not has_clsact(device)
        assert has_clsact(made[2].near) is (at == "ClsactAttachment")
        second.destroy()
        assert not any(has_clsact(wire.near) for wire in made.values())


def has_clsact(ifindex: int) -> bool:
    """Whether there is one at the device, with or without filters."""
    shown = subprocess.run(["tc", "-j", "qdisc", "show"], capture_output=True, check=True)
    name = socket.if_indextoname(ifindex)
    return any(
        each["kind"] == "clsact" and each.get("dev") == name for each in json.loads(shown.stdout)
    )
