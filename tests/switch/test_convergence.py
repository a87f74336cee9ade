"""Whatever is there and wherever the work broke off: planning and applying lead to the goal."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.kernel.links import Link
from hotswitch.ports.adoption import read_rules
from hotswitch.ports.lifecycle import EPHEMERAL, STATIC, Lifecycle, Policy
from hotswitch.ports.members import Member
from hotswitch.switch.binding import lives_of
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode
from hotswitch.switch.following import without
from hotswitch.switch.layout import PortKey
from hotswitch.switch.plan import plan
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import observe
from tests.switch.fakes import Died, FakeWorld
from tests.switch.wishes import bridge, desired

REGISTRY = Registry(BUILT_IN)
BRIDGES = ("br0", "br1")
DEVICES = ("tap0", "tap1", "tap2", "eth0")
RULES = {"br0": read_rules("lxc0"), "br1": read_rules("lxc{x}.a+lxc{x}.b tag=5; eth*")}
ADOPTED = ("lxc0", "lxc1.a", "lxc1.b")
MADE_ONLY = ("one", "two", "three")
"""Names of ports, not of devices that are there at first."""

vlan = st.sampled_from((0, 1, 10, 20, 4095))


@st.composite
def ports(draw: st.DrawFn, name: str) -> DesiredPort:
    kind = draw(st.sampled_from((PortKind.SYSTEM, *PortKind)))
    has_mac = kind in (PortKind.INTERNAL, PortKind.TAP)
    peers = [each for each in (*MADE_ONLY, "tap0") if each != name]
    return DesiredPort(
        name,
        kind=kind,
        peer=draw(st.sampled_from(peers)) if kind is PortKind.PATCH else "",
        mac=draw(st.sampled_from((0, 0x020000000001, 0x00163E000001))) if has_mac else 0,
        mtu=draw(st.sampled_from((0, 0, 0, 1280, 1501))),
        tag=draw(st.none() | vlan),
        trunks=tuple(sorted(draw(st.sets(vlan, max_size=3)))),
        mode=draw(st.none() | st.sampled_from(VlanMode)),
        storm_limit=draw(st.sampled_from((0, 0, 5, 1000))),
        namespace=draw(st.sampled_from(("", "web"))) if kind is PortKind.INTERNAL else "",
        **(draw(lives(name)) if kind is PortKind.SYSTEM else {}),
    )


@st.composite
def lives(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """What becomes of a port without a device, and the links of some VIFs."""
    follows = st.booleans()
    links = (Member(name, follow_rename=draw(follows)),)
    is_vif = draw(st.sampled_from((False, False, True)))
    if is_vif:
        links += (Member(f"{name}v", follow_rename=draw(follows), preference=1),)
    policies = (None, None, STATIC, EPHEMERAL, Lifecycle(Policy.GRACE, 5))
    return {"lifecycle": draw(st.sampled_from(policies)), "links": links, "is_vif": is_vif}


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    """Bridges that share the devices out, some with a number asked for."""
    homes = {name: draw(st.sampled_from((*BRIDGES, ""))) for name in (*DEVICES, *MADE_ONLY)}
    bridges = {}
    for home in draw(st.sets(st.sampled_from(BRIDGES), min_size=draw(st.integers(0, 2)))):
        mine = [draw(ports(name)) for name, of in homes.items() if of == home]
        if mine and draw(st.booleans()):
            numbered = draw(st.sampled_from(mine))
            number = draw(st.integers(1, 4))
            mine = [
                DesiredPort(**{**fields(each), "number": number}) if each is numbered else each
                for each in mine
            ]
        bridges[home] = DesiredBridge(
            home,
            {each.name: each for each in mine},
            forward_reserved=draw(st.booleans()),
            adopt=RULES[home] if draw(st.booleans()) else (),
        )
    return Desired(bridges)


def fields(port: DesiredPort) -> dict[str, object]:
    return {name: getattr(port, name) for name in DesiredPort.__dataclass_fields__}


class Happening:
    """Something that people or the kernel do to devices between two looks."""

    KINDS = (
        *("appear", "go", "again", "rename", "leave", "come back"),
        *("enslave", "set down", "carrier", "mtu", "address"),
    )

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def __repr__(self) -> str:
        return f"{self.kind} {self.name}"

    def __call__(self, world: FakeWorld) -> None:
        there = [each for each in world.kernel.links.values() if each.name == self.name]
        if self.kind == "appear" and not there:
            world.kernel.add(self.name)
        if self.kind == "come back" and self.name in world.kernel.elsewhere:
            world.kernel.come_back(self.name, f"back-{self.name}")
        for each in there:
            match self.kind:
                case "go":
                    world.kernel.delete(each.index)
                case "again" if each.kind == "dummy":
                    world.kernel.replace(each.index)
                case "leave" if each.kind == "dummy" and each.name not in world.kernel.elsewhere:
                    world.kernel.leave(each.index)
                case "carrier":
                    world.kernel.change(each.index, carrier=not each.carrier)
                case "rename" if each.kind == "dummy":
                    world.kernel.change(each.index, name=f"was{each.index}")
                case "enslave" if each.kind == "dummy":
                    world.kernel.change(each.index, master=0 if each.master else 99)
                case "set down":
                    world.kernel.change(each.index, up=False)
                case "mtu":
                    world.kernel.change(each.index, mtu=9000)
                case "address":
                    world.kernel.change(
                        each.index, address=0x00163E000000 + sum(each.name.encode())
                    )


Story = list[tuple[list[Happening], Desired]]
happenings = st.builds(
    Happening,
    st.sampled_from(Happening.KINDS),
    st.sampled_from((*DEVICES, "tap0v", "eth0v", *ADOPTED, *MADE_ONLY, *BRIDGES)),
)
history = st.lists(st.tuples(st.lists(happenings, max_size=3), wishes()), min_size=2, max_size=4)


def machine() -> FakeWorld:
    """A machine with all devices but one, each with another MTU and address."""
    world = FakeWorld(REGISTRY)
    for number, name in enumerate(DEVICES[1:]):
        world.kernel.add(name, mtu=1500 + number, address=0x00163E001000 - number)
    return world


def state(world: FakeWorld) -> Mapping[str, object]:
    """What a bridge's users see; which index a local link happened to get is not part of it."""
    names = {each.index: each.name for each in world.kernel.links.values()}
    return {
        "datapaths": {
            name: (
                {
                    n: (
                        p.name,
                        names.get(p.ifindex),
                        {names.get(life.ifindex) for life in p.standby},
                        p.hook,
                    )
                    for n, p in each.ports().items()
                },
                dict(each.entries()),
                dict(each.meters()),
            )
            for name, each in world.datapaths.items()
        },
        "links": {
            each.name: replace(each, index=0, peer=0, incarnation=0)
            for each in world.kernel.links.values()
        },
    }


@given(history)
@settings(max_examples=80)
def test_after_reconciling_there_is_nothing_left_to_plan(
    story: list[tuple[list[Happening], Desired]],
) -> None:
    world = machine()
    switch = Switch(world, ManualClock())
    for happened, wanted in story:
        for each in happened:
            each(world)
        assert switch.set_desired(wanted) == []
        assert plan(switch.desired, observe(world)) == []
        check_links(world)


def check_links(world: FakeWorld) -> None:
    """No link is a port's twice, and each that is one's is the life that is there."""
    seen: set[int] = set()
    for datapath in world.datapaths.values():
        for port in datapath.ports().values():
            for life in lives_of(port):
                assert life.ifindex not in seen
                seen.add(life.ifindex)
                assert world.kernel.links[life.ifindex].incarnation == life.incarnation


def renames(story: Story) -> bool:
    return any(each.kind in ("rename", "come back") for happened, _ in story for each in happened)


def numbers(story: Story) -> bool:
    bridges = (each for _, wanted in story for each in wanted.bridges.values())
    return any(port.number for each in bridges for port in each.ports.values())


def take_up(story: Story, done: int) -> None:
    """Let a daemon die after so many changes; the next life leads to where the smooth one does.

    As the database does, it knows of ports that went with their devices what it was told.
    """
    smooth, broken = machine(), machine()
    for happened, wanted in story:
        for world in (smooth, broken):
            for each in happened:
                each(world)
        departed: set[PortKey] = set()
        dying = Switch(broken, ManualClock())
        dying.foretell(departed.update)
        broken.kernel.patience = done
        with suppress(Died):
            dying.set_desired(wanted)
        broken.kernel.patience = None
        for world, left in ((smooth, wanted), (broken, without(wanted, departed))):
            switch = Switch(world, ManualClock())
            assert switch.set_desired(left) == []
            assert plan(switch.desired, observe(world)) == []
            check_links(world)
        assert state(broken) == state(smooth)


@given(history, st.integers(0, 60))
@settings(max_examples=80)
def test_work_that_broke_off_anywhere_is_taken_up(story: Story, done: int) -> None:
    # A port that gets another number is a new one: in between, it can't follow a rename.
    assume(not (renames(story) and numbers(story)))
    take_up(story, done)


@pytest.mark.parametrize("done", range(20))
def test_no_device_inherits_a_port_when_the_work_breaks_off(done: int) -> None:
    ports = tuple(DesiredPort(each, lifecycle=EPHEMERAL) for each in DEVICES[1:3])
    wanted = desired(bridge("br0", *ports))
    take_up([([], wanted), ([Happening("again", DEVICES[1])], wanted)], done)


@pytest.mark.parametrize("done", range(20))
def test_a_port_that_moves_out_is_kept_when_the_work_breaks_off(done: int) -> None:
    here = DesiredPort("tap0", kind=PortKind.TAP)
    there = DesiredPort("tap0", kind=PortKind.INTERNAL, namespace="web")
    take_up([([], desired(bridge("br1", here))), ([], desired(bridge("br1", there)))], done)


@given(wishes(), wishes())
@settings(max_examples=40)
def test_nothing_wanted_leaves_nothing_behind(first: Desired, second: Desired) -> None:
    world = machine()
    before = links(world)
    switch = Switch(world, ManualClock())
    for wanted in (first, second, Desired()):
        assert switch.set_desired(wanted) == []
    assert not world.datapaths
    after = links(world)
    assert after.keys() == before.keys()
    for name, link in after.items():
        resized = any(port.mtu for wanted in (first, second) for port in of_name(wanted, name))
        mtu = link.mtu if resized else before[name].mtu
        assert link == replace(before[name], up=link.up, mtu=mtu)


def links(world: FakeWorld) -> Mapping[str, Link]:
    return {each.name: each for each in world.kernel.links.values()}


def of_name(wanted: Desired, name: str) -> list[DesiredPort]:
    return [each.ports[name] for each in wanted.bridges.values() if name in each.ports]


ALL_KINDS = desired(
    bridge("br0", "eth0", DesiredPort("one", kind=PortKind.PATCH, peer="two")),
    bridge(
        "br1",
        DesiredPort("two", kind=PortKind.PATCH, peer="one"),
        DesiredPort("three", kind=PortKind.INTERNAL, mac=0x020000000001, mtu=1400),
        DesiredPort("four", kind=PortKind.TAP, mac=0x020000000002, mtu=1401),
    ),
)


@pytest.mark.parametrize("wanted", [ALL_KINDS, Desired()], ids=["go on", "end"])
def test_a_daemon_that_dies_at_any_moment_leaves_nothing_that_the_next_one_does_not_know(
    wanted: Desired,
) -> None:
    smooth = machine()
    assert Switch(smooth, ManualClock()).set_desired(wanted) == []
    deaths = 0
    for moment in itertools.count():
        world = machine()
        world.kernel.patience = moment
        try:
            Switch(world, ManualClock()).set_desired(ALL_KINDS)
        except Died:
            deaths += 1
        else:
            break
        world.kernel.patience = None
        world.datapaths.clear()
        assert Switch(world, ManualClock()).set_desired(wanted) == []
        assert plan(wanted, observe(world)) == []
        assert state(world)["datapaths"] == state(smooth)["datapaths"]
        assert links(world).keys() == links(smooth).keys()
    assert deaths > 20
