"""Flows whose form is known are understood as if they had been decoded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import ACK, CREATE, DUMP, ECHO
from hotswitch.netlink.message import Message
from hotswitch.netlink.server import describe
from hotswitch.netlink.types import Structure
from tests.netlink.asked import new_datapath, new_vport
from tests.netlink.outside import Client, World

REGISTRY = Registry(BUILT_IN)
ADDRESSES = st.integers(1, 6)
MASKS = st.sampled_from(["exact", "prefix", "none"])


def _structure(name: str, **members: int) -> Any:
    kind = KEY.by_name[name].type
    assert isinstance(kind, Structure)
    return kind.value(**(dict.fromkeys(kind.members, 0) | members))


def _mask(name: str, how: str, **also: int) -> Any:
    kind = KEY.by_name[name].type
    assert isinstance(kind, Structure)
    bits = {"exact": -1, "prefix": -2, "none": 0}[how]
    ends = {each: bits & (1 << 8 * kind.members[each].size) - 1 for each in ("src", "dst")}
    return _structure(name, **ends, **also)


@st.composite
def flows(draw: st.DrawFn) -> Attributes:
    """Flows that often have one form, and often almost."""
    port = draw(st.integers(1, 2))
    ends = {"src": draw(ADDRESSES), "dst": draw(ADDRESSES)}
    key = Attributes(in_port=port, ethernet=_structure("ethernet", **ends))
    mask = Attributes(in_port=0xFFFFFFFF, ethernet=_mask("ethernet", draw(MASKS)))
    network = draw(st.sampled_from(["", "ipv4", "ipv6"]))
    if network:
        protocol = draw(st.sampled_from([6, 17]))
        layer_4 = "tcp" if protocol == 6 else "udp"
        ethertype = 0x0800 if network == "ipv4" else 0x86DD
        ends = {"src": draw(ADDRESSES), "dst": draw(ADDRESSES)}
        key += Attributes([("ethertype", ethertype)])
        key += Attributes([(network, _structure(network, protocol=protocol, **ends))])
        key += Attributes([(layer_4, _structure(layer_4, src=draw(ADDRESSES), dst=80))])
        mask += Attributes([("ethertype", 0xFFFF)])
        mask += Attributes([(network, _mask(network, draw(MASKS), protocol=0xFF))])
        mask += Attributes([(layer_4, _mask(layer_4, draw(MASKS)))])
        if layer_4 == "tcp":
            key += Attributes(tcp_flags=0)
            mask += Attributes(tcp_flags=0)
    actions = draw(st.sampled_from([Attributes(output=1), Attributes(output=2), NONE]))
    said = Attributes(key=key, actions=actions)
    return said + (Attributes(mask=mask) if draw(st.integers(0, 4)) else NONE)


def _client() -> tuple[Client, int]:
    world = World(REGISTRY)
    client = world.client()
    number = client.ask(DATAPATH, "new", new_datapath()).datapath
    for name in ("p1", "p2"):
        world.outside.add_device(name)
        client.ask(VPORT, "new", new_vport(name), datapath=number)
    return client, number


def _result(client: Client, number: int) -> tuple[Any, Any]:
    listed = client.request(FLOW, "get", datapath=number, flags=DUMP)[:-1]
    entries = client.world.outside.made["dp1"].entries()
    by_key = {key: entry.actions for key, entry in entries.items()}
    return by_key, [each.attributes for each in listed]


@given(st.lists(flows(), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_they_are_understood_as_others(wanted: list[Attributes]) -> None:
    alone, number = _client()
    together, same_number = _client()
    assert number == same_number
    requests = [
        alone.world.codec.encode(
            Message(
                FLOW,
                "new",
                Attributes(ufid=place.to_bytes(16, "big")) + said,
                number,
                1 | CREATE | ACK,
                place,
            )
        )
        for place, said in enumerate(wanted, 1)
    ]
    one_by_one = [answer for each in requests for answer in alone.send(each)]
    at_once = together.send(b"".join(each + bytes(-len(each) % 4) for each in requests))
    assert at_once == one_by_one
    assert _result(together, number) == _result(alone, number)


@given(st.lists(st.tuples(flows(), st.booleans(), st.integers(0, 2)), min_size=2, max_size=20))
@settings(max_examples=60, deadline=None)
def test_they_are_listed_as_others(wanted: list[tuple[Attributes, bool, int]]) -> None:
    """After a restart, as before: wherever the UFID stands, with an echo and a transaction."""
    client, number = _client()
    for place, (said, echo, end) in enumerate(wanted, 1):
        named = Attributes(ufid=place.to_bytes(16, "big"))
        asked = (named + said, said + named, said)[end]
        if echo:
            asked += Attributes(transaction=place.to_bytes(16, "little"))
        client.request(FLOW, "new", asked, datapath=number, flags=CREATE | ECHO * echo)
    before = client.request(FLOW, "get", datapath=number, flags=DUMP)
    again = client.request(FLOW, "get", datapath=number, flags=DUMP)
    client.world.restart()
    after = client.world.client().request(FLOW, "get", datapath=number, flags=DUMP)
    one_by_one = []
    for each in before[:-1]:
        client.world.restart()  # so that nothing is known of others
        found = client.world.client().ask(FLOW, "get", _name(each), datapath=number)
        one_by_one.append(found.attributes)
    assert [each.attributes for each in before[:-1]] == one_by_one
    assert [each.attributes for each in again[:-1]] == one_by_one
    assert [each.attributes for each in after[:-1]] == one_by_one


def _name(listed: Any) -> Attributes:
    """What a flow that was listed is called."""
    said = listed.attributes
    return Attributes(ufid=said["ufid"]) if "ufid" in said else Attributes(key=said["key"])


def test_those_that_are_alike_are_described_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client, number = _client()
    for place in range(1, 50):
        asked = Attributes(
            key=Attributes(in_port=1, ethernet=_structure("ethernet", dst=place)),
            mask=Attributes(in_port=0xFFFFFFFF, ethernet=_mask("ethernet", "exact")),
            actions=Attributes(output=2),
            ufid=place.to_bytes(16, "big"),
            transaction=place.to_bytes(16, "little"),
        )
        client.ask(FLOW, "new", asked, datapath=number, flags=CREATE | ECHO)
    described: list[object] = []
    really = describe._newly_shown
    monkeypatch.setattr(
        describe,
        "_newly_shown",
        lambda registry, codec, flow: described.append(flow) or really(registry, codec, flow),
    )
    client.world.restart()
    listed = client.world.client().request(FLOW, "get", datapath=number, flags=DUMP)
    assert len(listed) == 50 and len(described) == 1
    last = listed[-2].attributes
    assert (last["key"]["ethernet"].dst, last["ufid"]) == (49, (49).to_bytes(16, "big"))


@pytest.mark.parametrize("first", [True, False])
def test_a_form_is_found_and_used(first: bool) -> None:
    client, number = _client()
    server = client.world.server
    requests = [
        client.world.codec.encode(
            Message(
                FLOW,
                "new",
                (Attributes(ufid=place.to_bytes(16, "big")) if first else NONE)
                + Attributes(
                    key=Attributes(in_port=1, ethernet=_structure("ethernet", dst=place)),
                    mask=Attributes(in_port=0xFFFFFFFF, ethernet=_mask("ethernet", "exact")),
                    actions=Attributes(output=2),
                )
                + (NONE if first else Attributes(ufid=place.to_bytes(16, "big"))),
                number,
                1 | CREATE,
                place,
            )
        )
        for place in range(1, 50)
    ]
    assert client.send(b"".join(requests)) == []
    flows = server.datapaths[number].flows
    assert len(flows) == 49
    assert flows.forms.total() == 49 and len(flows.forms) == 1
