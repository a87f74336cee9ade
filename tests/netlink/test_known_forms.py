"""Flows whose form is known are understood as if they had been decoded."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import ACK, CREATE, DUMP
from hotswitch.netlink.message import Message
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


def test_a_form_is_found_and_used() -> None:
    client, number = _client()
    server = client.world.server
    requests = [
        client.world.codec.encode(
            Message(
                FLOW,
                "new",
                Attributes(
                    ufid=place.to_bytes(16, "big"),
                    key=Attributes(in_port=1, ethernet=_structure("ethernet", dst=place)),
                    mask=Attributes(in_port=0xFFFFFFFF, ethernet=_mask("ethernet", "exact")),
                    actions=Attributes(output=2),
                ),
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
