"""The entries as data: how many there are, and that the datapath takes them as they are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.datapath.check import checked
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model.action import OutputList
from hotswitch.switch.desired import DesiredBridge, DesiredPort, VlanMode
from hotswitch.switch.numbers import port_numbers
from hotswitch.switch.pipeline import EGRESS, INGRESS, TABLES, entries, meters
from tests.switch.wishes import bridge

REGISTRY = Registry(BUILT_IN)


def made(wanted: DesiredBridge) -> list:  # type: ignore[type-arg]
    return list(entries(wanted, port_numbers(wanted, {})).values())


vlan = st.integers(0, 4095)
port = st.builds(
    DesiredPort,
    st.sampled_from(("a", "b", "c", "br0")),
    tag=st.none() | vlan,
    trunks=st.lists(vlan, max_size=3, unique=True).map(tuple),
    mode=st.none() | st.sampled_from(VlanMode),
    storm_limit=st.integers(0, 3),
)


@given(st.lists(port, max_size=4, unique_by=lambda each: each.name))
@settings(max_examples=50)
def test_entries_are_in_normal_form_already(ports: list[DesiredPort]) -> None:
    for entry in made(bridge("br0", *ports)):
        assert checked(REGISTRY, entry) is entry
        assert entry.table in TABLES


def test_an_access_bridge_grows_by_the_port() -> None:
    def count(ports: int) -> Counter[int]:
        wanted = bridge("br0", *(DesiredPort(f"p{n}", tag=1 + n % 10) for n in range(ports)))
        return Counter(entry.table for entry in made(wanted))

    few, many = count(100), count(4000)
    assert {table: many[table] - few[table] for table in many} == {
        **dict.fromkeys(many, 0),
        INGRESS: 2 * 3900,
        EGRESS: 2 * 3900,
    }


def test_a_bridge_without_vlans_looks_up_little() -> None:
    masks = Counter((entry.table, entry.match.mask) for entry in made(bridge("br0", "a", "b", "c")))
    by_table = Counter(table for table, _ in masks)
    assert by_table[INGRESS] == 2
    assert by_table[EGRESS] == 1


def test_more_ports_than_one_list_holds() -> None:
    wanted = bridge("br0", *(f"p{n}" for n in range(5000)))
    flooded = [
        port
        for entry in made(wanted)
        for action in entry.actions
        if isinstance(action, OutputList)
        for port in action.ports
    ]
    assert len(flooded) % 5001 == 0
    assert all(checked(REGISTRY, entry) for entry in made(wanted))


@pytest.mark.parametrize(("limit", "burst"), [(1, 1), (9, 1), (1000, 100)])
def test_a_limit_lets_a_tenth_of_a_second_through_at_once(limit: int, burst: int) -> None:
    wanted = bridge("br0", DesiredPort("a", storm_limit=limit), "b")
    (meter,) = meters(wanted, {"a": 7, "b": 8, "br0": 9}).values()
    assert (meter.number, meter.rate, meter.burst) == (7, limit, burst)


def test_a_port_without_number_is_left_out() -> None:
    wanted = bridge("br0", "a", "b")
    assert entries(wanted, {"a": 1}) == entries(bridge("br0", "a"), {"a": 1})
