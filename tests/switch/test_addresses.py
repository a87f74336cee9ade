"""The addresses of the devices that are made for the host: what a plan gives them."""

from __future__ import annotations

import pytest

from hotswitch.headers.registry import Registry
from hotswitch.ports.members import Member
from hotswitch.switch.addresses import derived
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.plan import plan
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import observe
from tests.switch.fakes import FakeWorld
from tests.switch.test_kinds import internal, patch, tap
from tests.switch.wishes import bridge, desired

LOW, MIDDLE, HIGH = 0x00163E000001, 0x00163EAABBCC, 0xF4CE46000001
LOCAL = 0x020000000001
OWN = derived("machine", "test", "br0")


@pytest.fixture
def world(registry: Registry) -> FakeWorld:
    world = FakeWorld(registry)
    for name, address in {"low": LOW, "middle": MIDDLE, "high": HIGH}.items():
        world.kernel.add(name, address=address)
    return world


def address(world: FakeWorld, name: str = "br0") -> int:
    return world.kernel.named(name).address


def want(switch: Switch, *ports: DesiredPort | str, **values: object) -> None:
    """Want a bridge with these ports: at once it is so, and stays so."""
    assert switch.set_desired(desired(bridge("br0", *ports, **values))) == []


def test_the_smallest_address_of_the_ports_is_the_bridge_s(
    world: FakeWorld, switch: Switch
) -> None:
    want(switch, "high", "middle")
    assert address(world) == MIDDLE
    want(switch, "high", "middle", "low")
    assert address(world) == LOW
    want(switch, "high")
    assert address(world) == HIGH
    want(switch)
    assert address(world) == OWN


@pytest.mark.parametrize(
    "unfit", [0, LOCAL, 0x01005E000001, 0xFFFFFFFFFFFF, 0x00E02B000000], ids=hex
)
def test_an_address_that_is_not_one_station_s_everywhere_does_not_count(
    world: FakeWorld, switch: Switch, unfit: int
) -> None:
    world.kernel.add("odd", address=unfit)
    want(switch, "odd")
    assert address(world) == OWN
    want(switch, "odd", "high")
    assert address(world) == HIGH


def test_a_device_that_comes_changes_or_goes_is_followed(world: FakeWorld, switch: Switch) -> None:
    want(switch, "high", "u0")
    assert address(world) == HIGH
    index = world.kernel.add("u0", address=MIDDLE).index
    switch.links_changed()
    assert address(world) == MIDDLE
    world.kernel.change(index, address=LOW)
    switch.links_changed()
    assert address(world) == LOW
    world.kernel.delete(index)
    switch.links_changed()
    assert address(world) == HIGH
    assert plan(switch.desired, observe(world)) == []


def test_two_ports_with_the_same_address(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("twin", address=LOW)
    want(switch, "low", "twin")
    want(switch, "twin")
    assert address(world) == LOW


def test_what_others_set_by_hand_is_set_back(world: FakeWorld, switch: Switch) -> None:
    want(switch, "middle")
    world.kernel.change(world.kernel.named("br0").index, address=LOCAL)
    switch.links_changed()
    assert address(world) == MIDDLE


def test_what_is_asked_for_comes_first(world: FakeWorld, switch: Switch) -> None:
    want(switch, "middle", mac=LOCAL)
    assert address(world) == LOCAL
    want(switch, "middle")
    assert address(world) == MIDDLE


def test_of_several_links_the_first_by_name_counts(world: FakeWorld, switch: Switch) -> None:
    links = (Member("low", preference=-1), Member("high"))
    want(switch, DesiredPort("vif", links=links, is_vif=True))
    assert address(world) == HIGH


def test_a_made_device_counts_by_the_address_that_is_asked_for(
    world: FakeWorld, switch: Switch
) -> None:
    want(switch, internal("i"), tap("t"), patch("p", "q"), patch("q", "p"))
    assert address(world) == OWN
    want(switch, internal("i", mac=MIDDLE), tap("t", mac=HIGH))
    assert address(world) == MIDDLE
    want(switch, internal("i", mac=MIDDLE), tap("t", mac=LOW))
    assert address(world) == LOW


def test_an_internal_port_s_address_is_the_same_when_it_is_made_again(
    world: FakeWorld, switch: Switch
) -> None:
    want(switch, internal("i"), internal("j"))
    first = address(world, "i")
    assert first == derived("machine", "test", "i") != address(world, "j")
    want(switch)
    want(switch, internal("i"))
    assert address(world, "i") == first
    world.kernel.change(world.kernel.named("i").index, address=LOCAL)
    switch.links_changed()
    assert address(world, "i") == LOCAL, "it is left as people set it"


def test_each_machine_daemon_and_port_has_addresses_of_its_own() -> None:
    of = ("one", "test", "br0"), ("two", "test", "br0"), ("one", "other", "br0")
    found = {derived(*each) for each in (*of, ("one", "test", "br1"))}
    assert len(found) == 4
    assert all(each >> 40 & 0x03 == 0x02 and each < 1 << 48 for each in found)


def test_a_facade_keeps_the_host_s_address(world: FakeWorld, switch: Switch) -> None:
    facade = world.kernel.add("br0", kind="bridge", address=LOCAL)
    world.kernel.change(world.kernel.named("low").index, master=facade.index)
    assert switch.set_desired(desired(bridge("hs0", "middle", facade="br0"))) == []
    assert address(world) == LOCAL
