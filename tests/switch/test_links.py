"""A switch and the kernel's real links, in a namespace of its own; the datapaths are fakes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.registry import Registry
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.switch.apply import World, observe
from hotswitch.switch.desired import Desired
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.marks import inside_name
from hotswitch.switch.plan import plan
from hotswitch.switch.status import PortState
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeEngine
from tests.switch.wishes import bridge, desired

INSIDE = inside_name("test", "br0")
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def namespace() -> Iterator[None]:
    name = f"hssw{os.getpid()}x{next(_numbers)}"
    netns.create(name)
    try:
        with netns.inside(name):
            yield
    finally:
        netns.delete(name)


@pytest.fixture
def world(registry: Registry) -> World:
    return World(
        KernelLinks(), lambda name, _: EntryDatapath(name, registry, FakeEngine()), owner="test"
    )


@pytest.fixture
def switch(world: World) -> Switch:
    return Switch(world, ManualClock())


def link(name: str) -> Link:
    found = get_link(name)
    assert found is not None
    return found


def names() -> set[str]:
    return {each.name for each in list_links()}


def test_a_bridge_comes_and_goes(world: World, switch: Switch) -> None:
    link_actions.create_veth("tap0", "guest0", mtu=4000)
    before = names()
    wanted = desired(bridge("br0", "tap0", "tap1"))
    assert switch.set_desired(wanted) == []
    assert plan(wanted, observe(world)) == []

    assert names() == before | {"br0", INSIDE}
    assert (link("br0").mtu, link(INSIDE).mtu) == (4000, 4000)
    assert (link("br0").up, link(INSIDE).up, link("tap0").up) == (False, True, True)
    assert (link("tap0").promiscuous, link(INSIDE).promiscuous) == (True, True)
    bound = {port.name: port.ifindex for port in world.datapaths["br0"].ports().values()}
    assert bound == {"br0": link(INSIDE).index, "tap0": link("tap0").index, "tap1": 0}

    link_actions.set_up(link("guest0").index)
    assert switch.status()["br0"].ports["tap0"].state is PortState.FORWARDING

    assert switch.set_desired(Desired()) == []
    assert names() == before
    assert not link("tap0").promiscuous


def test_another_switch_finds_the_local_link_under_any_name(
    world: World, switch: Switch, registry: Registry
) -> None:
    switch.set_desired(desired(bridge("br0")))
    inside = link(INSIDE)
    link_actions.set_up(inside.index, up=False)
    link_actions.rename(inside.index, "odd")
    link_actions.set_up(inside.index)
    later = Switch(World(world.links, world.new_datapath, owner="test"), ManualClock())
    assert later.set_desired(desired(bridge("br0"))) == []
    assert names() == {"lo", "br0", "odd"}
    assert later.set_desired(Desired()) == []
    assert names() == {"lo"}


def test_what_hotswitch_did_not_make_is_left_alone(switch: Switch) -> None:
    link_actions.create("br0", "bridge")
    link_actions.create_veth("tap0", "guest0")
    link_actions.set_master(link("tap0").index, link("br0").index)
    before = [(each.name, each.up, each.promiscuous, each.mtu) for each in list_links()]
    switch.set_desired(desired(bridge("br0", "tap0")))
    ports = switch.status()["br0"].ports
    assert ports["tap0"].error == "tap0 belongs to br0"
    assert ports["br0"].error == "there is a device br0 that hotswitch did not make"
    switch.set_desired(Desired())
    assert [(each.name, each.up, each.promiscuous, each.mtu) for each in list_links()] == before


def test_a_device_comes_goes_and_comes_again(world: World, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0", "tap0")))
    for _ in range(2):
        made = link_actions.create_veth("tap0", "guest0")
        assert switch.links_changed() == []
        assert world.datapaths["br0"].ports()[1].ifindex == made.index
        link_actions.delete(made.index)
        assert switch.links_changed() == []
        assert world.datapaths["br0"].ports()[1].ifindex == 0
