"""Ports whose links hotswitch makes: what a plan does in single cases."""

from __future__ import annotations

import errno

import pytest

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link
from hotswitch.switch.addresses import derived
from hotswitch.switch.desired import Desired, DesiredPort, PortKind
from hotswitch.switch.marks import cable_names, inside_name, mark
from hotswitch.switch.plan import plan
from hotswitch.switch.status import PortState, PortStatus
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import observe
from tests.switch.fakes import FakeWorld
from tests.switch.wishes import bridge, desired, texts

MAC = 0x020000000001


def internal(name: str, **values: object) -> DesiredPort:
    return DesiredPort(name, kind=PortKind.INTERNAL, **values)  # type: ignore[arg-type]


def tap(name: str, **values: object) -> DesiredPort:
    return DesiredPort(name, kind=PortKind.TAP, **values)  # type: ignore[arg-type]


def patch(name: str, peer: str, **values: object) -> DesiredPort:
    return DesiredPort(name, kind=PortKind.PATCH, peer=peer, **values)  # type: ignore[arg-type]


CABLE = desired(bridge("br0", patch("p0", "p1")), bridge("br1", patch("p1", "p0")))


def status(switch: Switch, port: str) -> PortStatus:
    found = (each.ports.get(port) for each in switch.status().values())
    return next(each for each in found if each)


def bound(world: FakeWorld, port: str) -> Link | None:
    """The link that the port has in its datapath."""
    for datapath in world.datapaths.values():
        for each in datapath.ports().values():
            if each.name == port:
                return world.kernel.links.get(each.ifindex)
    return None


def names(world: FakeWorld) -> set[str]:
    return {each.name for each in world.kernel.links.values()}


def test_an_internal_port_is_a_pair_like_the_local_one(world: FakeWorld, switch: Switch) -> None:
    assert switch.set_desired(desired(bridge("br0", internal("mgmt", mac=MAC, mtu=1400)))) == []
    inside, outside = world.kernel.named(inside_name("test", "mgmt")), world.kernel.named("mgmt")
    assert bound(world, "mgmt") == inside
    assert inside.alternative_names == (mark("test", PortKind.INTERNAL, "mgmt"),)
    assert inside.index in world.kernel.silent and outside.index not in world.kernel.silent
    assert (inside.mtu, outside.mtu) == (1400, 1400)
    assert outside.address == MAC and inside.address != MAC
    assert (inside.up, outside.up) == (True, False)
    assert status(switch, "mgmt").device == outside
    assert status(switch, "mgmt").kind is PortKind.INTERNAL
    assert switch.set_desired(desired(bridge("br0"))) == []
    assert names(world) == {"br0", inside_name("test", "br0")}


def test_a_tap_port_is_a_device_for_a_program(world: FakeWorld, switch: Switch) -> None:
    assert switch.set_desired(desired(bridge("br0", tap("vm1", mac=MAC, mtu=9000)))) == []
    made = world.kernel.named("vm1")
    assert bound(world, "vm1") == made == status(switch, "vm1").device
    assert (made.kind, made.address, made.mtu, made.up) == ("tun", MAC, 9000, True)
    assert made.alternative_names == (mark("test", PortKind.TAP, "vm1"),)
    assert switch.set_desired(desired(bridge("br0"))) == []
    assert "vm1" not in names(world)


def test_two_patch_ports_are_a_cable(world: FakeWorld, switch: Switch) -> None:
    assert switch.set_desired(CABLE) == []
    ends = [bound(world, "p0"), bound(world, "p1")]
    assert [end.name for end in ends if end] == list(cable_names("test", "p0"))
    near, far = ends
    assert near and far and (near.peer, far.peer) == (far.index, near.index)
    assert near.mtu == far.mtu == 65535
    assert near.up and far.up
    assert {near.index, far.index} <= world.kernel.silent
    assert {"p0", "p1"}.isdisjoint(names(world))
    assert switch.set_desired(desired(bridge("br0", patch("p0", "p1")), bridge("br1"))) == []
    assert bound(world, "p0") is None
    assert not {near.name, far.name} & names(world)


def test_a_cable_step_by_step(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0"), bridge("br1")))
    near, far = cable_names("test", "p0")
    steps = texts(CABLE, world)
    assert [each for each in steps if "cable" in each] == [
        f"br0: create the cable from p0 to p1, {near} and {far}"
    ]
    switch.set_desired(CABLE)
    index = world.kernel.named(near).index
    assert texts(desired(bridge("br0"), bridge("br1")), world)[:3] == [
        "br0: delete port p0, 1",
        "br1: delete port p1, 1",
        f"br0: delete link {index}, which was made for p0",
    ]


@pytest.mark.parametrize(
    ("others", "state", "error"),
    [
        ((), PortState.WAITING, "its peer p1 does not exist"),
        ((patch("p1", "p2"),), PortState.WAITING, "its peer p1 has another peer, p2"),
        ((patch("p1", "p2"), patch("p2", "p1")), PortState.WAITING, "p1 has another peer, p2"),
        ((DesiredPort("p1"),), PortState.ERROR, "its peer p1 is no patch port"),
        ((internal("p1"),), PortState.ERROR, "its peer p1 is no patch port"),
    ],
)
def test_a_patch_port_whose_peer_is_none_says_so(
    world: FakeWorld,
    switch: Switch,
    others: tuple[DesiredPort, ...],
    state: PortState,
    error: str,
) -> None:
    assert switch.set_desired(desired(bridge("br0", patch("p0", "p1"), *others))) == []
    assert bound(world, "p0") is None
    shown = status(switch, "p0")
    assert shown.state is state and error in shown.error
    assert not status(switch, "br0").error


def test_a_bridge_is_no_peer(switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0", patch("p0", "br1")), bridge("br1")))
    assert status(switch, "p0").error == "its peer br1 is no patch port"


def test_a_cable_that_is_put_elsewhere(world: FakeWorld, switch: Switch) -> None:
    assert switch.set_desired(CABLE) == []
    wanted = desired(
        bridge("br0", patch("p0", "p2")),
        bridge("br1", patch("p1", "p0")),
        bridge("br2", patch("p2", "p0")),
    )
    assert switch.set_desired(wanted) == []
    near, far = bound(world, "p0"), bound(world, "p2")
    assert near and far and near.peer == far.index
    assert bound(world, "p1") is None
    assert len(names(world)) == 2 * 3 + 2


def test_half_a_cable_is_made_anew(world: FakeWorld, switch: Switch) -> None:
    assert switch.set_desired(CABLE) == []
    first = bound(world, "p0")
    assert first
    world.kernel.change(first.peer, alternative_names=())
    assert switch.links_changed() == []
    second = bound(world, "p0")
    assert second and second.index != first.index
    assert first.index not in world.kernel.links


@pytest.mark.parametrize("kind", [PortKind.INTERNAL, PortKind.TAP])
def test_a_foreign_device_of_the_ports_name_stays(
    world: FakeWorld, switch: Switch, kind: PortKind
) -> None:
    foreign = world.kernel.add("a", kind="tun")
    wanted = desired(bridge("br0", DesiredPort("a", kind=kind, mac=MAC, mtu=1400)))
    assert switch.set_desired(wanted) == []
    error = (
        "there is a device a that hotswitch did not make "
        "(ovs-appctl exit --cleanup, if it is Open vSwitch's; else ip link del a)"
    )
    assert (status(switch, "a").state, status(switch, "a").error) == (PortState.ERROR, error)
    assert switch.set_desired(Desired()) == []
    assert world.kernel.links == {foreign.index: foreign}
    switch.set_desired(wanted)
    world.kernel.delete(foreign.index)
    assert switch.links_changed() == []
    assert bound(world, "a")


def test_a_foreign_device_with_a_mark_stays(world: FakeWorld, switch: Switch) -> None:
    name = mark("test", PortKind.INTERNAL, "a")
    foreign = world.kernel.add("odd", alternative_names=(name,))
    assert switch.set_desired(desired(bridge("br0", internal("a")))) == []
    assert name in status(switch, "a").error
    assert switch.set_desired(Desired()) == []
    assert world.kernel.links == {foreign.index: foreign}


def test_no_other_port_takes_what_was_made_for_one(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(CABLE)
    near, _ = cable_names("test", "p0")
    wanted = desired(
        bridge("br0", patch("p0", "p1")), bridge("br1", patch("p1", "p0"), near, tap("t"), "u")
    )
    assert switch.set_desired(wanted) == []
    assert status(switch, near).error == f"{near} was made for port p0"
    world.kernel.change(world.kernel.named("t").index, name="u")
    assert switch.links_changed() == []
    assert status(switch, "u").error == "u was made for port t"


def test_links_that_were_made_are_known_after_renames(world: FakeWorld, switch: Switch) -> None:
    wanted = desired(bridge("br0", internal("i"), tap("t")))
    assert switch.set_desired(wanted) == []
    for number, name in enumerate(("i", inside_name("test", "i"), "t")):
        world.kernel.change(world.kernel.named(name).index, name=f"odd{number}")
    before = dict(world.kernel.links)
    assert plan(wanted, observe(world)) == []
    world.datapaths.clear()  # as if what was pinned had been lost
    assert switch.reconcile() == []
    assert names(world) == {each.name for each in before.values()}
    assert switch.set_desired(Desired()) == []
    assert not world.kernel.links


def test_a_link_moves_with_its_port_to_another_bridge(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0", internal("i"), tap("t")), bridge("br1")))
    before = bound(world, "i"), bound(world, "t")
    wanted = desired(bridge("br0"), bridge("br1", internal("i"), tap("t")))
    assert switch.set_desired(wanted) == []
    assert (bound(world, "i"), bound(world, "t")) == before
    assert {"i", "t"} <= {each.name for each in world.datapaths["br1"].ports().values()}


@pytest.mark.parametrize("after", PortKind)
@pytest.mark.parametrize("before", PortKind)
def test_a_port_can_change_its_kind(
    world: FakeWorld, switch: Switch, before: PortKind, after: PortKind
) -> None:
    def wish(kind: PortKind) -> Desired:
        ends = [DesiredPort("a", kind=kind, peer="b" if kind is PortKind.PATCH else "")]
        return desired(bridge("br0", *ends, patch("b", "a")))

    switch.set_desired(wish(before))
    assert switch.set_desired(wish(after)) == []
    assert plan(wish(after), observe(world)) == []
    assert (bound(world, "a") is None) == (after is PortKind.SYSTEM)
    made = {PortKind.SYSTEM: 0, PortKind.TAP: 1}.get(after, 2)
    assert len(world.kernel.links) == 2 + made


def test_an_mtu_is_set_and_stays_when_it_is_taken_back(world: FakeWorld, switch: Switch) -> None:
    eth = world.kernel.add("eth0")
    switch.set_desired(desired(bridge("br0", DesiredPort("eth0", mtu=9000), internal("i"))))
    assert {world.kernel.named(name).mtu for name in ("eth0", "i", "br0")} == {9000}
    world.kernel.set_mtu(eth.index, 1500)
    switch.links_changed()
    assert world.kernel.named("eth0").mtu == 9000
    switch.set_desired(desired(bridge("br0", "eth0", internal("i", mtu=1300))))
    shown = [world.kernel.named(name).mtu for name in ("eth0", "i", "br0")]
    assert shown == [9000, 1300, 9000]
    switch.set_desired(desired(bridge("br0", "eth0", internal("i"))))
    assert world.kernel.named("i").mtu == 9000


def test_what_a_link_refuses_when_it_forwards_ends_nothing(
    world: FakeWorld, switch: Switch
) -> None:
    def refuse(index: int, value: int) -> None:
        raise KernelError("do as asked", errno.EINVAL)

    usual = world.kernel.set_mtu
    world.kernel.set_mtu = refuse  # type: ignore[method-assign]
    eth = world.kernel.add("eth0", up=True, carrier=True)
    before = desired(bridge("br0", "eth0"))
    switch.set_desired(before)
    wanted = desired(bridge("br0", DesiredPort("eth0", mtu=9000, tag=7)))
    [failure] = switch.set_desired(wanted)
    why = f"br0: set the MTU of link {eth.index} of eth0 to 9000: Invalid argument"
    assert str(failure) == why
    shown = status(switch, "eth0")
    assert (shown.state, shown.error, shown.shortfall) == (PortState.FORWARDING, "", why)
    assert (shown.vlan, shown.ifindex) == ("access 7", eth.index)
    world.kernel.set_mtu = usual  # type: ignore[method-assign]
    assert switch.reconcile() == []
    assert status(switch, "eth0").shortfall == ""


def test_cables_and_internal_ports_do_not_count_for_the_smallest_mtu(
    world: FakeWorld, switch: Switch
) -> None:
    world.kernel.add("eth0", mtu=4000)
    ports = ("eth0", patch("p0", "p1", mtu=1300), patch("p1", "p0"), internal("i", mtu=1200))
    assert switch.set_desired(desired(bridge("br0", *ports))) == []
    ends = [bound(world, "p0"), bound(world, "p1")]
    assert [end.mtu for end in ends if end] == [1300, 65535]
    assert world.kernel.named("br0").mtu == 4000


def test_the_local_port_has_an_address_and_mtu_of_its_own(world: FakeWorld, switch: Switch) -> None:
    world.kernel.add("eth0", mtu=4000)
    wanted = desired(bridge("br0", "eth0", DesiredPort("br0", mac=MAC, mtu=1300)))
    assert switch.set_desired(wanted) == []
    local = world.kernel.named("br0")
    assert (local.address, local.mtu) == (MAC, 1300)
    assert switch.set_desired(desired(bridge("br0", "eth0"))) == []
    local = world.kernel.named("br0")
    assert (local.address, local.mtu) == (derived("machine", "test", "br0"), 4000)


def test_an_end_in_another_namespace_is_left_alone(world: FakeWorld, switch: Switch) -> None:
    switch.set_desired(desired(bridge("br0", internal("i"))))
    inside = world.kernel.named(inside_name("test", "i"))
    del world.kernel.links[inside.peer]
    eth = world.kernel.add("eth0", mtu=1300)
    world.kernel.change(inside.index, peer=eth.index, peer_namespace=7)
    wanted = desired(bridge("br0", "eth0", internal("i", mac=MAC)))
    assert switch.set_desired(wanted) == []
    assert bound(world, "eth0") == world.kernel.links[eth.index]
    assert bound(world, "i") and world.kernel.links[inside.index].mtu == 1300
    assert status(switch, "i").device is None
    assert switch.set_desired(desired(bridge("br0"))) == []
    assert inside.index not in world.kernel.links and eth.index in world.kernel.links


def test_a_link_that_can_not_be_made_is_an_error_of_its_port(
    world: FakeWorld, switch: Switch
) -> None:
    world.kernel.broken = {"i", "t", cable_names("test", "p0")[0]}
    ports = (internal("i"), tap("t"), patch("p0", "p1"), patch("p1", "p0"), tap("good"))
    assert len(switch.set_desired(desired(bridge("br0", *ports)))) == 3
    for name in ("i", "t", "p0"):
        shown = status(switch, name)
        assert shown.state is PortState.ERROR and "can't be made" in shown.error
    assert status(switch, "p1").state is PortState.WAITING
    assert bound(world, "good")
    world.kernel.broken = set()
    assert switch.reconcile() == []
    assert all(bound(world, each.name) for each in ports)
