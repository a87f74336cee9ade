"""Steps are gathered for the cost of few; what fails among many fails alone."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.headers.standard import standard_registry
from hotswitch.model.port import Hook, Port
from hotswitch.switch.apply import apply
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.steps import (
    AddPort,
    BindPort,
    ChangeEntries,
    DeleteLink,
    DeletePort,
    SetLinkUp,
    SetPromiscuous,
    Step,
)
from hotswitch.switch.switch import Switch
from hotswitch.switch.together import together
from tests.switch.fakes import FakeWorld

MANY = 40


def binding(name: str, number: int, ifindex: int = 0, bridge: str = "br0") -> BindPort:
    return BindPort(bridge, Port(number, name, ifindex))


def test_kind_by_kind_instead_of_port_by_port() -> None:
    steps: list[Step] = []
    for number in (1, 2):
        name = f"p{number}"
        steps += [
            SetPromiscuous("br0", f"old{number}", 10 + number, promiscuous=False),
            binding(name, number, number),
            SetLinkUp("br0", name, number),
            SetPromiscuous("br0", name, number, promiscuous=True),
        ]
    left, ports, flags = together(steps)
    assert left == [steps[0], steps[4]]
    assert ports == [steps[1], steps[5]]
    assert flags == [steps[2], steps[3], steps[6], steps[7]]


def test_what_is_not_alike_keeps_its_place() -> None:
    steps: list[Step] = [
        DeletePort("br0", "a", 1),
        DeletePort("br1", "b", 1),
        AddPort("br1", "c", 2, Hook.AUTO),
        AddPort("br1", "d", 3, Hook.AUTO),
        ChangeEntries("br1", ()),
        ChangeEntries("br1", ()),
        binding("c", 2, 7, "br1"),
        binding("d", 3, 8, "br1"),
        binding("c", 2, 9, "br1"),
    ]
    groups = list(together(steps))
    assert [len(each) for each in groups] == [1, 1, 2, 1, 1, 2, 1]
    assert [step for group in groups for step in group] == steps


def test_links_are_deleted_at_once_whatever_bridge_they_were_made_for() -> None:
    steps: list[Step] = [
        DeleteLink("br0", "a", 1),
        DeleteLink("br0", "b", 2),
        DeleteLink("br1", "c", 3),
    ]
    assert list(together(steps)) == [steps]
    many = [DeleteLink("br0", f"p{number}", number) for number in range(1000)]
    groups = list(together(many))
    assert [step for group in groups for step in group] == many
    assert 3 < len(groups) < 10


@pytest.fixture
def world() -> FakeWorld:
    made = FakeWorld(standard_registry())
    for number in range(MANY):
        made.kernel.add(f"p{number}")
    return made


def wanted(*numbers: int) -> Desired:
    ports = {f"p{number}": DesiredPort(f"p{number}") for number in numbers}
    return Desired(MappingProxyType({"br0": DesiredBridge("br0", ports=ports)}))


def test_one_link_that_does_not_want_to_stops_no_other(world: FakeWorld) -> None:
    world.kernel.broken.add("p7")
    switch = Switch(world, ManualClock())
    failures = switch.set_desired(wanted(*range(MANY)))
    assert {failure.step.port for failure in failures} == {"p7"}
    bound = {port.name for port in world.datapaths["br0"].ports().values() if port.ifindex}
    assert bound >= {f"p{number}" for number in range(MANY)} - {"p7"}
    world.kernel.broken.clear()
    assert switch.reconcile() == []


def test_links_change_ports_in_one_go(world: FakeWorld) -> None:
    """A link has left its port before another gets it, also where both are among many."""
    switch = Switch(world, ManualClock())
    assert switch.set_desired(wanted(*range(MANY))) == []
    datapath = world.datapaths["br0"]
    first, second = (
        next(port for port in datapath.ports().values() if port.name == name)
        for name in ("p0", "p1")
    )
    free = replace(first, ifindex=0, incarnation=0)
    taker = replace(second, ifindex=first.ifindex, incarnation=first.incarnation)
    assert set(datapath.set_ports([free, taker])) == {taker.number}
    datapath.set_port(first)
    assert apply([BindPort("br0", free), BindPort("br0", taker)], world) == []
    assert {free, taker} <= set(datapath.ports().values())
