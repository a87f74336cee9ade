"""Whatever is there and wherever the work broke off: planning and applying lead to the goal."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hotswitch.base.clock import ManualClock
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.switch.apply import carry_out, observe
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode
from hotswitch.switch.plan import plan
from hotswitch.switch.switch import Switch
from tests.switch.fakes import FakeError, FakeWorld

REGISTRY = Registry(BUILT_IN)
BRIDGES = ("br0", "br1")
DEVICES = ("tap0", "tap1", "tap2", "eth0")

vlan = st.sampled_from((0, 1, 10, 20, 4095))


@st.composite
def ports(draw: st.DrawFn, name: str) -> DesiredPort:
    return DesiredPort(
        name,
        tag=draw(st.none() | vlan),
        trunks=tuple(sorted(draw(st.sets(vlan, max_size=3)))),
        mode=draw(st.none() | st.sampled_from(VlanMode)),
        storm_limit=draw(st.sampled_from((0, 0, 5, 1000))),
    )


@st.composite
def wishes(draw: st.DrawFn) -> Desired:
    """Bridges that share the devices out, some with a number asked for."""
    homes = {name: draw(st.sampled_from((*BRIDGES, ""))) for name in DEVICES}
    bridges = {}
    for bridge in draw(st.sets(st.sampled_from(BRIDGES), min_size=draw(st.integers(0, 2)))):
        mine = [draw(ports(name)) for name, home in homes.items() if home == bridge]
        if mine and draw(st.booleans()):
            numbered = draw(st.sampled_from(mine))
            number = draw(st.integers(1, 4))
            mine = [
                DesiredPort(**{**fields(each), "number": number}) if each is numbered else each
                for each in mine
            ]
        bridges[bridge] = DesiredBridge(
            bridge, {each.name: each for each in mine}, forward_reserved=draw(st.booleans())
        )
    return Desired(bridges)


def fields(port: DesiredPort) -> dict[str, object]:
    return {name: getattr(port, name) for name in DesiredPort.__dataclass_fields__}


class Happening:
    """Something that people or the kernel do to devices between two looks."""

    KINDS = ("appear", "go", "rename", "enslave", "set down", "mtu")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def __repr__(self) -> str:
        return f"{self.kind} {self.name}"

    def __call__(self, world: FakeWorld) -> None:
        there = [each for each in world.kernel.links.values() if each.name == self.name]
        if self.kind == "appear" and not there:
            world.kernel.add(self.name)
        for each in there:
            match self.kind:
                case "go":
                    world.kernel.delete(each.index)
                case "rename" if each.name in DEVICES:
                    world.kernel.change(each.index, name=f"was{each.index}")
                case "enslave" if each.name in DEVICES:
                    world.kernel.change(each.index, master=0 if each.master else 99)
                case "set down":
                    world.kernel.change(each.index, up=False)
                case "mtu":
                    world.kernel.change(each.index, mtu=9000)


Story = list[tuple[list[Happening], Desired]]
happenings = st.builds(
    Happening, st.sampled_from(Happening.KINDS), st.sampled_from((*DEVICES, *BRIDGES))
)
history = st.lists(st.tuples(st.lists(happenings, max_size=3), wishes()), min_size=2, max_size=4)


def machine() -> FakeWorld:
    """A machine with all devices but one, each with another MTU."""
    world = FakeWorld(REGISTRY)
    for number, name in enumerate(DEVICES[1:]):
        world.kernel.add(name, mtu=1500 + number)
    return world


def state(world: FakeWorld) -> Mapping[str, object]:
    """What a bridge's users see; which index a local link happened to get is not part of it."""
    names = {each.index: each.name for each in world.kernel.links.values()}
    return {
        "datapaths": {
            name: (
                {n: (p.name, names.get(p.ifindex), p.hook) for n, p in each.ports().items()},
                dict(each.entries()),
                dict(each.meters()),
            )
            for name, each in world.datapaths.items()
        },
        "links": {
            each.name: (each.alternative_names, each.up, each.promiscuous, each.mtu, each.master)
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
        assert plan(wanted, observe(world)) == []


def renames(story: Story) -> bool:
    return any(each.kind == "rename" for happened, _ in story for each in happened)


def numbers(story: Story) -> bool:
    bridges = (bridge for _, wanted in story for bridge in wanted.bridges.values())
    return any(port.number for bridge in bridges for port in bridge.ports.values())


@given(history, st.integers(0, 60))
@settings(max_examples=80)
def test_work_that_broke_off_anywhere_is_taken_up(story: Story, done: int) -> None:
    # A port that gets another number is a new one: in between, it can't follow a rename.
    assume(not (renames(story) and numbers(story)))
    smooth, broken = machine(), machine()
    for happened, wanted in story:
        for world in (smooth, broken):
            for each in happened:
                each(world)
        for step in plan(wanted, observe(broken))[:done]:
            carry_out(step, broken)
        for world in (smooth, broken):
            assert Switch(world, ManualClock()).set_desired(wanted) == []
        assert plan(wanted, observe(broken)) == []
        assert state(broken) == state(smooth)


@given(wishes(), wishes())
@settings(max_examples=40)
def test_nothing_wanted_leaves_nothing_behind(first: Desired, second: Desired) -> None:
    world = machine()
    before = {name: (each.promiscuous, each.mtu) for name, each in links(world).items()}
    switch = Switch(world, ManualClock())
    for wanted in (first, second, Desired()):
        assert switch.set_desired(wanted) == []
    assert not world.datapaths
    assert {name: (each.promiscuous, each.mtu) for name, each in links(world).items()} == before


def links(world: FakeWorld) -> Mapping[str, object]:
    return {each.name: each for each in world.kernel.links.values()}


def test_a_local_link_whose_maker_died_before_marking_it_is_still_ours() -> None:
    world = FakeWorld(REGISTRY)
    wanted = Desired({"br0": DesiredBridge("br0")})
    add_name = world.kernel.add_alternative_name

    def die(index: int, name: str) -> None:
        raise FakeError("out of power")

    world.kernel.add_alternative_name = die  # type: ignore[method-assign]
    switch = Switch(world, ManualClock())
    assert switch.set_desired(wanted)
    world.kernel.add_alternative_name = add_name  # type: ignore[method-assign]
    assert switch.reconcile() == []
    assert switch.set_desired(Desired()) == []
    assert not world.kernel.links
