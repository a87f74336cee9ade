"""What was learned behind a port that goes is forgotten in every bridge."""

from __future__ import annotations

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.model.port import Address
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired

HERE, OTHER_VLAN, AT_OTHERS, BY_HAND = 1, 2, 3, 4


@pytest.fixture
def world(registry: Registry) -> FakeWorld:
    world = FakeWorld(registry)
    for name in ("a", "b", "c", "d"):
        world.kernel.add(name)
    return world


def _learn(world: FakeWorld, switch: Switch, names: str) -> None:
    """Bridge br0 has learned at ports `names`, and br1 all that and more at its port d."""
    assert switch.set_desired(desired(bridge("br0", "a", "b", "c"), bridge("br1", "d"))) == []
    here, there = (world.datapaths[name] for name in ("br0", "br1"))
    numbers = {port.name: number for number, port in here.ports().items()}
    cable = next(number for number, port in there.ports().items() if port.name == "d")
    for name in names:
        here.put_address(Address(10, HERE << 8 | numbers[name], numbers[name]))
        there.put_address(Address(10, HERE << 8 | numbers[name], cable))
    here.put_address(Address(10, OTHER_VLAN, numbers["a"]))
    there.put_address(Address(11, OTHER_VLAN, cable))
    here.put_address(Address(10, AT_OTHERS, numbers["c"]))
    there.put_address(Address(10, AT_OTHERS, cable))
    here.put_address(Address(10, BY_HAND, numbers["a"]))
    there.put_address(Address(10, BY_HAND, cable, static=True))


def _known(world: FakeWorld, name: str) -> set[tuple[int, int]]:
    return {(row.vlan, row.mac) for row in world.datapaths[name].addresses()}


@pytest.mark.parametrize("gone", ["a", "ab"])
def test_with_a_port(world: FakeWorld, switch: Switch, gone: str) -> None:
    _learn(world, switch, gone)
    left = [name for name in "abc" if name not in gone]
    assert switch.set_desired(desired(bridge("br0", *left), bridge("br1", "d"))) == []
    assert _known(world, "br0") == {(10, AT_OTHERS)}
    assert _known(world, "br1") == {(11, OTHER_VLAN), (10, AT_OTHERS), (10, BY_HAND)}


def test_with_a_bridge(world: FakeWorld, switch: Switch) -> None:
    _learn(world, switch, "ab")
    assert switch.set_desired(desired(bridge("br1", "d"))) == []
    assert _known(world, "br1") == {(11, OTHER_VLAN), (10, BY_HAND)}


def test_a_port_that_moves_to_the_other_bridge(world: FakeWorld, switch: Switch) -> None:
    _learn(world, switch, "a")
    moved = desired(bridge("br0", "b", "c"), bridge("br1", "d", "a"))
    assert switch.set_desired(moved) == []
    assert _known(world, "br1") == {(11, OTHER_VLAN), (10, AT_OTHERS), (10, BY_HAND)}
