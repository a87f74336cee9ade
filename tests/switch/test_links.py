"""A switch and the kernel's real links, in a namespace of its own; the datapaths are fakes."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from hotswitch.base.clock import ManualClock
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.registry import Registry
from hotswitch.kernel import link_actions, netns
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.ports.lifecycle import EPHEMERAL
from hotswitch.ports.members import Member
from hotswitch.switch.desired import Desired, DesiredPort, PortKind
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import cable_names, inside_name
from hotswitch.switch.plan import plan
from hotswitch.switch.status import PortState
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import World, observe
from tests.support.namespaces import inside_namespace, namespace
from tests.support.wait import until
from tests.switch.fakes import FakeEngine
from tests.switch.program import open_tap
from tests.switch.wishes import bridge, desired

INSIDE = inside_name("test", "br0")


@pytest.fixture(autouse=True)
def own_namespace() -> Iterator[None]:
    with inside_namespace():
        yield


@pytest.fixture
def world(registry: Registry) -> World:
    return World(
        KernelLinks(),
        lambda name, limit: EntryDatapath(name, registry, FakeEngine(limit, lambda: None)),
        owner="test",
    )


@pytest.fixture
def switch(world: World) -> Switch:
    return Switch(world, ManualClock())


def link(name: str) -> Link:
    found = get_link(name)
    assert found is not None
    return found


def until_it_is(switch: Switch, port: str, state: PortState) -> None:
    """Wait for a carrier: the kernel tells of it a little later."""
    until(lambda: switch.status()["br0"].ports[port].state is state, f"{port} is {state}")


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
    until_it_is(switch, "tap0", PortState.FORWARDING)

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
    assert ports["tap0"].error.startswith("tap0 belongs to br0 (remove it there first: ")
    assert "there is a device br0 that hotswitch did not make (" in ports["br0"].error
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


MAC = 0x020000000001
KINDS = desired(
    bridge(
        "br0",
        DesiredPort("mgmt", kind=PortKind.INTERNAL, mac=MAC, mtu=1400),
        DesiredPort("vm1", kind=PortKind.TAP, mac=MAC + 1, mtu=1401),
        DesiredPort("p0", kind=PortKind.PATCH, peer="p1"),
    ),
    bridge("br1", DesiredPort("p1", kind=PortKind.PATCH, peer="p0", mtu=9000)),
)


def test_ports_of_all_kinds_come_and_go(world: World, switch: Switch, registry: Registry) -> None:
    assert switch.set_desired(KINDS) == []
    assert plan(KINDS, observe(world)) == []
    near, far = (link(name) for name in cable_names("test", "p0"))
    assert (link("mgmt").address, link("mgmt").mtu, link("mgmt").up) == (MAC, 1400, False)
    assert (link("vm1").address, link("vm1").mtu, link("vm1").up) == (MAC + 1, 1401, True)
    assert (near.mtu, far.mtu, near.carrier, far.carrier) == (65535, 9000, True, True)
    status = switch.status()
    assert status["br0"].ports["p0"].state is PortState.FORWARDING
    assert status["br1"].ports["p1"].state is PortState.FORWARDING
    assert status["br0"].ports["vm1"].state is PortState.DOWN  # no program has it open
    before = list_links()
    later = Switch(World(world.links, world.new_datapath, owner="test"), ManualClock())
    assert later.set_desired(KINDS) == []
    assert list_links() == before
    assert later.set_desired(Desired()) == []
    assert names() == {"lo"}


def test_hidden_ends_send_nothing_by_themselves(switch: Switch) -> None:
    switch.set_desired(KINDS)
    with open("/proc/net/if_inet6") as file:
        having = {line.split()[-1] for line in file}
    assert not having & {*cable_names("test", "p0"), INSIDE, inside_name("test", "mgmt")}


def test_a_tap_that_a_program_has_open_goes_with_its_port(switch: Switch) -> None:
    switch.set_desired(KINDS)
    descriptor = open_tap("vm1")
    try:
        until_it_is(switch, "vm1", PortState.FORWARDING)
        assert switch.set_desired(desired(bridge("br0"))) == []
        assert get_link("vm1") is None
        with pytest.raises(OSError) as raised:
            os.read(descriptor, 2000)
        assert raised.value.errno == errno.EBADFD
        assert switch.set_desired(KINDS) == []
        until_it_is(switch, "vm1", PortState.DOWN)
    finally:
        os.close(descriptor)
    assert get_link("vm1") is not None


def test_a_tap_outlives_the_program_that_had_it_open(switch: Switch) -> None:
    switch.set_desired(KINDS)
    made = link("vm1")
    os.close(open_tap("vm1"))
    assert link("vm1") == made


def test_foreign_devices_of_the_ports_names_stay(switch: Switch) -> None:
    link_actions.create("mgmt", "bridge")
    link_actions.create("vm1", "bridge")
    before = [link("mgmt"), link("vm1")]
    assert switch.set_desired(KINDS) == []
    for name in ("mgmt", "vm1"):
        error = switch.status()["br0"].ports[name].error
        assert error.startswith(f"there is a device {name} that hotswitch did not make (")
    assert switch.set_desired(Desired()) == []
    assert [link("mgmt"), link("vm1")] == before


def test_an_internal_port_that_went_with_a_container_is_made_anew(switch: Switch) -> None:
    wanted = desired(bridge("br0", DesiredPort("mgmt", kind=PortKind.INTERNAL)))
    switch.set_desired(wanted)
    first = link(inside_name("test", "mgmt"))
    with namespace() as other:
        descriptor = netns.open_namespace(other)
        link_actions.move(link("mgmt").index, descriptor)
        os.close(descriptor)
        assert switch.links_changed() == []
        assert switch.status()["br0"].ports["mgmt"].ifindex == first.index
        assert switch.status()["br0"].ports["mgmt"].device is None
    until(lambda: get_link(first.index) is None, "the pair went with the container")
    assert switch.links_changed() == []
    device = switch.status()["br0"].ports["mgmt"].device
    assert device and device.index == link("mgmt").index
    assert link(inside_name("test", "mgmt")).index != first.index


def test_an_mtu_that_the_kernel_refuses_is_said_and_ends_nothing(switch: Switch) -> None:
    link_actions.create_veth("eth0", "guest0")
    wanted = desired(bridge("br0", DesiredPort("vm1", kind=PortKind.TAP, mtu=65535), "eth0"))
    assert len(switch.set_desired(wanted)) == 1
    ports = switch.status()["br0"].ports
    assert "set the MTU" in ports["vm1"].shortfall and not ports["vm1"].error
    assert ports["vm1"].ifindex and ports["vm1"].state is PortState.DOWN
    assert not ports["eth0"].error and not ports["eth0"].shortfall
    assert switch.set_desired(desired(bridge("br0", "eth0"))) == []


def test_a_port_follows_a_rename_and_the_old_name_stays(world: World, switch: Switch) -> None:
    made = link_actions.create_veth("tap0", "guest0")
    switch.set_desired(desired(bridge("br0", "tap0")))
    link_actions.set_up(made.index, up=False)
    link_actions.rename(made.index, "web")
    assert switch.links_changed() == []
    assert switch.links_changed() == []
    assert world.datapaths["br0"].ports()[1].ifindex == made.index
    assert link("tap0").name == "web"
    assert switch.status()["br0"].ports["tap0"].link == "web"
    link_actions.delete_alternative_name(made.index, "tap0")
    assert switch.links_changed() == []
    assert get_link("tap0") is None  # taken away by a person, and not given again
    assert switch.set_desired(Desired()) == []
    assert link("web").alternative_names == ()


def test_the_old_name_is_free_when_renames_are_not_to_be_followed(
    world: World, switch: Switch
) -> None:
    made = link_actions.create_veth("tap0", "guest0")
    switch.set_desired(desired(bridge("br0", "tap0")))
    link_actions.set_up(made.index, up=False)
    link_actions.rename(made.index, "web")
    assert switch.links_changed() == []
    assert link("tap0").name == "web"
    strict = DesiredPort("tap0", links=(Member("tap0", follow_rename=False),))
    assert switch.set_desired(desired(bridge("br0", strict))) == []
    assert get_link("tap0") is None and link("web").alternative_names == ()
    assert switch.status()["br0"].ports["tap0"].state is PortState.WAITING
    assert not link("web").promiscuous
    other = link_actions.create_veth("tap0", "guest1")
    assert switch.links_changed() == []
    assert world.datapaths["br0"].ports()[1].ifindex == other.index


def test_an_index_that_is_used_again_is_another_device(world: World, switch: Switch) -> None:
    wanted = bridge("br0", DesiredPort("tap0", lifecycle=EPHEMERAL))
    first = link_actions.create("tap0", "bridge")
    switch.set_desired(desired(wanted))
    link_actions.delete(first.index)
    line = ["ip", "link", "add", "tap0", "index", str(first.index), "type", "bridge"]
    subprocess.run(line, check=True)
    assert link("tap0").index == first.index
    assert switch.links_changed() == []
    assert switch.take_departed() == [("br0", "tap0")]
    assert 1 not in world.datapaths["br0"].ports()


def plain(table: LinkTable) -> LinkTable:
    """The table without what no list of links tells."""
    links = table.by_index.values()
    return LinkTable.of(replace(link, incarnation=0, driver="") for link in links)


def test_the_table_of_links_is_true_whatever_happens_to_them(world: World) -> None:
    links = KernelLinks()

    def check() -> None:
        # Carriers follow a little later.
        until(lambda: plain(links.look()) == LinkTable.of(list_links()), "the table is true")

    with namespace() as other, closing(links):
        check()
        near = link_actions.create_veth("near", "far")
        check()
        link_actions.rename(near.index, "renamed")
        link_actions.set_mtu(near.index, 1280)
        check()
        assert links.look().by_name["renamed"].index == near.index
        assert "near" not in links.look().by_name
        links.add_alternative_names(near.index, ("also",))
        check()
        link_actions.set_up(near.index)
        link_actions.set_up(near.peer)
        check()
        descriptor = netns.open_namespace(other)
        link_actions.move(near.peer, descriptor)
        os.close(descriptor)
        check()
        assert links.look().by_index[near.index].peer_namespace >= 0
        link_actions.delete(near.index)
        link_actions.create_veth("near", "far")
        check()
        assert links.delete_many([link("near").index]) == [None]
        check()
