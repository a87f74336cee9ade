"""Outputs to many ports in one flow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model.action import IN_PORT, Output, OutputList
from hotswitch.netlink.actions import actions_of
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.actions import PushVlan
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import CREATE, ECHO
from hotswitch.netlink.floods import are_too_many, grouped
from tests.netlink.action_attributes import attributes_of
from tests.netlink.asked import frame, key, mask, new_datapath, new_vport
from tests.netlink.outside import World

REGISTRY = Registry(BUILT_IN)
KNOWN = {"in_port": 1, "vlan": 0}


def outputs(*ports: int) -> Attributes:
    return Attributes(("output", port) for port in ports)


def test_few_outputs_are_one_by_one() -> None:
    assert actions_of(REGISTRY, outputs(2, 3), KNOWN).actions == (Output(2), Output(3))


def test_many_outputs_are_a_list() -> None:
    ports = tuple(range(2, 1002))
    translated = actions_of(REGISTRY, outputs(*ports), KNOWN)
    assert translated.actions == (OutputList(ports),)
    assert attributes_of(REGISTRY, translated.actions, (), KNOWN) == outputs(*ports)
    anywhere = actions_of(REGISTRY, outputs(*ports), {"vlan": 0})
    assert anywhere.actions == (OutputList(ports, hairpin=True),)


def test_a_port_twice_and_the_ingress_port() -> None:
    translated = actions_of(REGISTRY, outputs(2, 3, 4, 5, 6, 3, 1, 7), KNOWN)
    assert translated.actions == (
        OutputList((2, 3, 4, 5, 6)), Output(3), Output(IN_PORT), Output(7)
    )  # fmt: skip


def flood(ports: list[int], tagged: list[bool]) -> Attributes:
    """As ovs-vswitchd writes it: a tag comes and goes between ports that want it or don't."""
    tag, pairs, on = PushVlan.value(0x8100, 0x100A), list[tuple[str, object]](), False
    for port, wants in zip(ports, tagged, strict=True):
        if wants and not on:
            pairs.append(("push_vlan", tag))
        elif on and not wants:
            pairs.append(("pop_vlan", True))
        on = wants
        pairs.append(("output", port))
    return Attributes(pairs)


@given(st.lists(st.booleans(), min_size=100, max_size=200))
def test_a_flood_to_access_ports_and_trunks(tagged: list[bool]) -> None:
    translated = actions_of(REGISTRY, flood(list(range(2, 2 + len(tagged))), tagged), KNOWN)
    assert not are_too_many(translated.actions)


STEP = st.one_of(
    st.tuples(st.just("output"), st.integers(2, 9)),
    st.tuples(st.just("push_vlan"), st.sampled_from([PushVlan.value(0x8100, 0x1001)])),
    st.tuples(st.just("push_vlan"), st.sampled_from([PushVlan.value(0x88A8, 0x1002)])),
    st.just(("pop_vlan", True)),
    st.just(("trunc", 60)),
    st.just(("hash", 0)),
)


@given(st.lists(STEP, max_size=30))
def test_grouping_changes_nothing_but_the_order(pairs: list[tuple[str, object]]) -> None:
    before, after = _sent(Attributes(pairs)), _sent(grouped(Attributes(pairs)))
    assert sorted(before[0]) == sorted(after[0])
    assert before[1] == after[1]


def _sent(actions: Attributes) -> tuple[list[object], object]:
    """What leaves with which tags, and what the packet is in the end."""
    tags: tuple[object, ...] = ("as it came",)
    sent: list[object] = []
    cut = False
    for name, value in actions:
        if name == "push_vlan":
            tags = (*tags, value)
        elif name == "pop_vlan":
            tags = (*tags, "popped") if tags[-1] in ("as it came", "popped") else tags[:-1]
        elif name == "output":
            sent.append((str(tags), value, cut))
        elif name == "hash":
            sent.append((str(tags), 0, cut))
        cut = name == "trunc"
    return sent, tags


def test_a_flow_to_a_thousand_ports(registry: Registry) -> None:
    world = World(registry)
    world.outside.add_device("p1")
    client = world.client()
    number = client.ask(DATAPATH, "new", new_datapath()).datapath
    client.ask(VPORT, "new", new_vport("p1"), datapath=number)
    ports = tuple(range(2, 1002))
    for port in ports:
        world.outside.add_device(f"q{port}")
        client.ask(VPORT, "new", new_vport(f"q{port}", port=port), datapath=number)
    asked = Attributes(key=key(1, 5), mask=mask(), actions=outputs(*ports))
    shown = client.ask(FLOW, "new", asked, datapath=number, flags=CREATE | ECHO)
    assert shown.attributes["actions"] == outputs(*ports)
    done = world.outside.engines["dp1"].process(1, frame(5))
    assert [port for port, _ in done.outputs] == list(ports)
    assert client.ask(FLOW, "del", Attributes(key=key(1, 5)), datapath=number)
