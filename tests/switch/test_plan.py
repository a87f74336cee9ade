"""What a plan does in single cases, as a person would read it."""

from __future__ import annotations

from hotswitch.model.port import Address, Hook, Port
from hotswitch.switch.apply import apply
from hotswitch.switch.desired import Desired, DesiredPort
from hotswitch.switch.marks import inside_name
from hotswitch.switch.pipeline import LOCAL_PORT
from hotswitch.switch.plan import plan
from hotswitch.switch.status import PortState
from hotswitch.switch.steps import BindPort, ChangeEntries, DeletePort, SetLinkUp
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import World, observe
from tests.switch.fakes import FakeError, FakeWorld
from tests.switch.wishes import bridge, desired, texts

INSIDE = inside_name("test", "br0")


def ports(world: FakeWorld, name: str = "br0") -> dict[str, tuple[int, int]]:
    there = world.datapaths[name].ports().values()
    return {port.name: (port.number, port.ifindex) for port in there}


def test_a_new_bridge_step_by_step(world: FakeWorld) -> None:
    tap = world.kernel.add("tap0")
    wanted = desired(bridge("br0", DesiredPort("tap0", storm_limit=100), address_limit=99))
    assert texts(wanted, world) == [
        "br0: create the datapath, for 99 addresses",
        f"br0: add port br0 as {LOCAL_PORT}",
        "br0: add port tap0 as 1",
        "br0: limit floods of port tap0 to 100 packets/s",
        "br0: put 54 entries, delete 0",
        f"br0: create the link br0, with {INSIDE} as its inner end",
        f"br0: bind port tap0 to link {tap.index}, hook auto",
        "br0: set the link of port tap0 up",
        "br0: turn promiscuous mode of port tap0's link on",
    ]


def test_deletions_come_first_and_in_all_bridges(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("tap0")
    switch.set_desired(desired(bridge("br0"), bridge("br1", "tap0"), bridge("br2")))
    steps = texts(desired(bridge("br0", "tap0"), bridge("br1")), world)
    assert steps[:3] == [
        "br2: delete the datapath",
        "br1: delete port tap0, 1",
        f"br2: delete link {inside(world, 'br2')}, which was made for br2",
    ]


def inside(world: FakeWorld, name: str) -> int:
    return world.kernel.named(inside_name("test", name)).index


def test_a_link_that_moves_to_another_bridge(world: FakeWorld, switch: Switch) -> None:
    tap = world.kernel.add("tap0")
    switch.set_desired(desired(bridge("br0", "tap0"), bridge("br1")))
    assert switch.set_desired(desired(bridge("br0"), bridge("br1", "tap0"))) == []
    assert "tap0" not in ports(world, "br0")
    assert ports(world, "br1")["tap0"] == (1, tap.index)
    assert world.kernel.named("tap0").promiscuous


def test_a_missing_device_is_waited_for_bound_and_unbound(world: FakeWorld, switch: Switch) -> None:
    def state() -> PortState:
        return switch.status()["br0"].ports["tap0"].state

    switch.set_desired(desired(bridge("br0", "tap0")))
    assert ports(world)["tap0"] == (1, 0)
    assert state() is PortState.WAITING

    tap = world.kernel.add("tap0")
    switch.links_changed()
    assert ports(world)["tap0"] == (1, tap.index)
    assert state() is PortState.DOWN
    world.kernel.change(tap.index, carrier=True)
    assert state() is PortState.FORWARDING

    world.kernel.delete(tap.index)
    switch.links_changed()
    assert ports(world)["tap0"] == (1, 0)
    assert state() is PortState.WAITING


def test_a_port_keeps_its_link_through_a_rename(world: FakeWorld, switch: Switch) -> None:
    old = world.kernel.add("tap0")
    switch.set_desired(desired(bridge("br0", "tap0")))
    world.kernel.change(old.index, name="web")
    world.kernel.add("tap0")
    switch.links_changed()
    assert ports(world)["tap0"] == (1, old.index)
    assert switch.status()["br0"].ports["tap0"].link == "web"


def test_a_device_is_found_by_an_alternative_name(world: FakeWorld, switch: Switch) -> None:
    long = world.kernel.add("e0", alternative_names=("uplink",))
    switch.set_desired(desired(bridge("br0", "uplink")))
    assert ports(world)["uplink"] == (1, long.index)


def test_a_device_of_a_kernel_bridge_is_not_taken(world: FakeWorld, switch: Switch) -> None:
    master = world.kernel.add("virbr0", kind="bridge")
    tap = world.kernel.add("tap0", master=master.index)
    assert switch.set_desired(desired(bridge("br0", "tap0", "tap1"))) == []
    status = switch.status()["br0"].ports["tap0"]
    remedy = "remove it there first: ip link set tap0 nomaster"
    assert status.state is PortState.ERROR
    assert status.error == f"tap0 belongs to virbr0 ({remedy})"
    assert world.kernel.links[tap.index] == tap

    world.kernel.change(tap.index, master=0)
    switch.links_changed()
    assert ports(world)["tap0"] == (1, tap.index)
    world.kernel.change(tap.index, master=master.index)
    switch.links_changed()
    assert ports(world)["tap0"] == (1, 0)


def test_a_device_that_another_port_has_is_not_taken(world: FakeWorld, switch: Switch) -> None:
    tap = world.kernel.add("tap0")
    switch.set_desired(desired(bridge("br1", "tap0")))
    world.kernel.change(tap.index, name="tap1")
    switch.set_desired(desired(bridge("br0", "tap1"), bridge("br1", "tap0")))
    assert ports(world, "br1")["tap0"][1] == tap.index
    assert ports(world, "br0")["tap1"][1] == 0
    error = switch.status()["br0"].ports["tap1"].error
    assert error.startswith("tap1 is already port tap0 of bridge br1 (remove it there first: ")


def test_other_than_ethernet_and_local_links_are_not_taken(
    world: FakeWorld, switch: Switch
) -> None:
    world.kernel.add("wg0", device_type=65534)
    switch.set_desired(desired(bridge("br0")))
    switch.set_desired(desired(bridge("br0", "wg0"), bridge("br1", INSIDE)))
    status = switch.status()
    assert status["br0"].ports["wg0"].error == "wg0 is not an Ethernet device"
    assert status["br1"].ports[INSIDE].error == f"{INSIDE} was made for port br0"


def test_a_foreign_device_of_the_bridges_name_stays(world: FakeWorld, switch: Switch) -> None:
    foreign = world.kernel.add("br0", kind="bridge")
    tap = world.kernel.add("tap0")
    assert switch.set_desired(desired(bridge("br0", "tap0"))) == []
    local = switch.status()["br0"].ports["br0"]
    assert "there is a device br0 that hotswitch did not make (" in local.error
    assert "have it as facade: facade br0" in local.error
    assert ports(world)["tap0"] == (1, tap.index)
    switch.set_desired(Desired())
    assert world.kernel.links[foreign.index] == foreign


def test_the_local_link_is_known_by_its_mark(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0")))
    world.kernel.change(inside(world, "br0"), name="odd")
    assert switch.links_changed() == []
    assert len(world.kernel.links) == 2
    world.datapaths.clear()  # as if what was pinned had been lost
    switch.set_desired(Desired())
    assert not world.kernel.links


def test_the_local_link_comes_back(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0")))
    world.kernel.delete(world.kernel.named("br0").index)
    switch.links_changed()
    assert ports(world)["br0"] == (LOCAL_PORT, inside(world, "br0"))


def test_the_local_links_of_another_owner_stay(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0")))
    other = World(world.kernel, world.new_datapath, owner="other")
    assert texts(Desired(), other) == []


def test_the_local_links_mtu_is_the_smallest(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("tap0", mtu=9000)
    eth = world.kernel.add("eth0", mtu=4000)
    switch.set_desired(desired(bridge("br0", "tap0", "eth0")))
    ends = (INSIDE, "br0")
    assert {world.kernel.named(name).mtu for name in ends} == {4000}
    world.kernel.delete(eth.index)
    switch.links_changed()
    assert {world.kernel.named(name).mtu for name in ends} == {9000}
    world.kernel.add("eth0", mtu=1280)
    switch.links_changed()
    assert {world.kernel.named(name).mtu for name in ends} == {1280}


def test_a_link_that_was_set_down_stays_down(world: FakeWorld, switch: Switch) -> None:
    tap = world.kernel.add("tap0")
    switch.set_desired(desired(bridge("br0", "tap0")))
    world.kernel.change(tap.index, up=False)
    assert not any(isinstance(each, SetLinkUp) for each in plan(switch.desired, observe(world)))


def test_a_link_is_set_up_though_the_daemon_died_when_it_was_bound(
    world: FakeWorld, switch: Switch
) -> None:
    tap = world.kernel.add("tap0")
    wanted = desired(bridge("br0", "tap0"))
    steps = plan(wanted, observe(world))
    at = next(place for place, step in enumerate(steps) if isinstance(step, BindPort))
    assert apply(steps[: at + 1], world) == []
    assert world.datapaths["br0"].ports()[1].ifindex == tap.index
    assert switch.set_desired(wanted) == []
    assert world.kernel.named("tap0").up


def test_a_number_that_is_asked_for(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("a")
    world.kernel.add("b")
    switch.set_desired(desired(bridge("br0", "a", "b")))
    assert (ports(world)["a"][0], ports(world)["b"][0]) == (1, 2)
    switch.set_desired(desired(bridge("br0", "a", DesiredPort("b", number=1))))
    assert (ports(world)["a"][0], ports(world)["b"][0]) == (2, 1)
    assert all(ifindex for _, ifindex in ports(world).values())


def test_a_hook_that_changes(world: FakeWorld, switch: Switch) -> None:
    tap = world.kernel.add("tap0")
    switch.set_desired(desired(bridge("br0", "tap0")))
    wanted = desired(bridge("br0", DesiredPort("tap0", hook=Hook.XDP)))
    assert plan(wanted, observe(world)) == [
        BindPort("br0", Port(1, "tap0", tap.index, Hook.XDP, tap.incarnation))
    ]


def test_only_what_differs_is_changed(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("a")
    switch.set_desired(desired(bridge("br0", "a", DesiredPort("b", tag=10))))
    wanted = desired(bridge("br0", "a", DesiredPort("b", tag=10, storm_limit=5)))
    steps = plan(wanted, observe(world))
    (change,) = (step for step in steps if isinstance(step, ChangeEntries))
    assert len(change.changes) == 3


def test_addresses_in_vlans_that_a_port_leaves_are_forgotten(
    world: FakeWorld, switch: Switch
) -> None:
    switch.set_desired(desired(bridge("br0", DesiredPort("a", trunks=(10, 20)), "b")))
    numbers = {name: number for name, (number, _) in ports(world).items()}
    rows = [
        Address(10, 1, numbers["a"]),
        Address(20, 2, numbers["a"]),
        Address(20, 3, numbers["a"], static=True),
        Address(10, 5, numbers["a"], static=True),
        Address(10, 4, numbers["b"]),
    ]
    world.engines["br0"].rows += rows
    switch.set_desired(desired(bridge("br0", DesiredPort("a", trunks=(20, 30)), "b")))
    assert world.engines["br0"].rows == [rows[1], rows[2], rows[4]]


def test_a_new_port_gets_its_link_after_its_entries(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("a")
    world.kernel.add("b")
    switch.set_desired(desired(bridge("br0", DesiredPort("a", tag=10))))
    kinds = [
        type(step)
        for step in plan(desired(bridge("br0", DesiredPort("b", tag=20))), observe(world))
    ]
    assert kinds.index(DeletePort) < kinds.index(ChangeEntries) < kinds.index(BindPort)


def test_an_error_in_one_port_stops_no_other(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("a")
    world.kernel.add("b")
    world.kernel.broken = {"a"}
    (failure,) = switch.set_desired(desired(bridge("br0", "a", "b")))
    assert "link a does not want to" in str(failure)
    assert ports(world)["b"][1] != 0
    status = switch.status()["br0"].ports
    assert status["a"].state is PortState.ERROR
    assert "does not want to" in status["a"].error
    assert not status["b"].error

    world.kernel.broken = set()
    assert switch.reconcile() == []
    assert not switch.status()["br0"].ports["a"].error
    assert world.kernel.named("a").up
    assert world.kernel.named("a").promiscuous


def test_an_error_in_one_bridge_stops_no_other(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("a")
    world.kernel.add("b")
    switch.set_desired(desired(bridge("br0"), bridge("br1")))
    world.engines["br0"].refuses = FakeError("no room", remedy="delete some")
    failures = switch.set_desired(desired(bridge("br0", "a"), bridge("br1", "b")))
    assert [str(each) for each in failures] == [
        "br0: add port a as 1: no room (delete some)",
        "br0: put 9 entries, delete 0: no room (delete some)",
    ]
    assert ports(world, "br1")["b"][1] != 0
    assert "no room" in switch.status()["br0"].error
    world.engines["br0"].refuses = None
    assert switch.reconcile() == []


def test_room_for_addresses_can_change(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0", address_limit=99)))
    wanted = desired(bridge("br0", address_limit=7))
    assert texts(wanted, world) == ["br0: have room for 7 addresses"]
    switch.set_desired(wanted)
    assert texts(wanted, world) == []
