"""Netlink's actions to the model's and back."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model import action as act
from hotswitch.model.text import read_match, show_actions
from hotswitch.netlink import places
from hotswitch.netlink.actions import Upcall, actions_of
from hotswitch.netlink.asides import ByDaemon
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.actions import ACTION, ALWAYS, AddMpls, Hash, PushMpls, PushVlan
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.known import Known, known_in_frame, known_in_match
from hotswitch.netlink.locate import with_offset
from hotswitch.netlink.message import Message
from hotswitch.netlink.types import Masked
from tests.netlink.action_attributes import attributes_of, flagged
from tests.netlink.recorded import everything
from tests.netlink.test_flows import structure
from tests.netlink.values import of_set

REGISTRY = Registry(BUILT_IN)


def known(match: str) -> Known:
    return known_in_match(REGISTRY, read_match(REGISTRY, match))


PLAIN = known("in_port=1,!vlan")
TCP = known("in_port=1,!vlan,ethertype=0x800,ipv4.protocol=6")
UDP6 = known("in_port=1,!vlan,ethertype=0x86dd,ip_protocol=17")
LABEL = known("in_port=1,!vlan,ethertype=0x8847,mpls.bottom=1")

MAC = {"src": 0x0A0000000001, "dst": 0x0A0000000002}
ALL_MAC = dict.fromkeys(MAC, (1 << 48) - 1)


def masked(name: str, value: dict[str, int], mask: dict[str, int]) -> Attributes:
    both = Masked(structure(name, **value), structure(name, **mask))
    return Attributes(set_masked=Attributes(((name, both),)))


def several(*actions: Attributes) -> Attributes:
    return Attributes(pair for each in actions for pair in each)


COPIED = f"fields={'+'.join(places.COPIED)}"
BACK = [
    (Attributes(), PLAIN, "none"),
    (several(Attributes(output=2), Attributes(output=3)), PLAIN, "output:2,output:3"),
    (Attributes(output=1), PLAIN, "output:in_port"),
    (Attributes(output=0), PLAIN, "output:65279"),
    (Attributes(pop_vlan=True, output=2), PLAIN, "pop_vlan,output:2"),
    (
        Attributes(push_vlan=PushVlan.value(0x88A8, 0x7064)),
        PLAIN,
        "push_vlan:0x88a8,set:vlan.pcp=3,set:vlan.dei=0,set:vlan.vid=100",
    ),
    (
        Attributes(push_mpls=PushMpls.value(100 << 12 | 5 << 9 | 0x100 | 32, 0x8847)),
        TCP,
        "push_mpls:0x8847,set:mpls.label=100,set:mpls.traffic_class=5,set:mpls.ttl=32",
    ),
    (
        Attributes(push_mpls=PushMpls.value(100 << 12 | 32, 0x8847), pop_mpls=0x8847),
        LABEL,
        "push_mpls:0x8847,set:mpls.label=100,set:mpls.traffic_class=0,set:mpls.ttl=32,"
        "pop_mpls:0x8847",
    ),
    (Attributes(pop_mpls=0x0800), LABEL, "pop_mpls:0x800"),
    (
        masked("ethernet", MAC, ALL_MAC),
        PLAIN,
        "set:ethernet.src=0a:00:00:00:00:01,set:ethernet.dst=0a:00:00:00:00:02",
    ),
    (
        several(
            masked(
                "ipv4",
                {"src": 0x0A000000, "tos": 0xB8, "ttl": 9},
                {"src": 0xFF000000, "tos": 0xFC, "ttl": 0xFF},
            ),
            masked("tcp", {"dst": 80}, {"dst": 0xFFFF}),
        ),
        TCP,
        "set:ipv4.src=10.0.0.0/8,set:ipv4.dscp=46,set:ipv4.ttl=9,set:tcp.dst=80",
    ),
    (
        masked("ipv6", {"label": 5, "hop_limit": 1}, {"label": 0xFFFFF, "hop_limit": 0xFF}),
        UDP6,
        "set:ipv6.flow_label=0x5,set:ipv6.hop_limit=1",
    ),
    (
        Attributes(set_masked=Attributes(mpls=Masked((7 << 12,), (0xFFFFF000,)))),
        LABEL,
        "set:mpls.label=7",
    ),
    (Attributes(dec_ttl=Attributes(actions=Attributes())), TCP, "decrement_ttl:ipv4.ttl"),
    (Attributes(dec_ttl=Attributes(actions=Attributes())), UDP6, "decrement_ttl:ipv6.hop_limit"),
    (Attributes(meter=5), PLAIN, "limit:5"),
    (Attributes(output=2), known("!vlan"), "output:2:hairpin"),
    (Attributes(trunc=64, output=2), PLAIN, "truncate:64,output:2"),
    (Attributes(drop=7), PLAIN, "drop:7"),
    (Attributes(hash=Hash.value(0, 9), recirc=5), PLAIN, "hash:9,recirculate:5"),
    (Attributes(clone=Attributes(pop_vlan=True), output=2), PLAIN, "clone{pop_vlan},output:2"),
    (
        Attributes(sample=Attributes(probability=5, actions=Attributes(output=3)), output=2),
        PLAIN,
        "sample:0x5{output:3},output:2",
    ),
    (
        Attributes(
            check_pkt_len=Attributes(
                length=1514, if_less_equal=Attributes(output=3), if_greater=Attributes(drop=1)
            ),
        ),
        PLAIN,
        "check_length:1514{drop:1}{output:3}",
    ),
    (
        Attributes(dec_ttl=Attributes(actions=Attributes(output=3)), output=2),
        TCP,
        "decrement_ttl:ipv4.ttl{output:3},output:2",
    ),
    (Attributes(drop=0), PLAIN, "drop"),
    (
        several(
            Attributes(trunc=100, userspace=Attributes(pid=5, userdata=b"x")),
            Attributes(userspace=Attributes(pid=6)),
        ),
        PLAIN,
        f"copy_to_user:reason=1:length=100:{COPIED},copy_to_user:reason=2:length=65535:{COPIED}",
    ),
]


@pytest.mark.parametrize(("attributes", "what", "expected"), BACK)
def test_there_and_back(attributes: Attributes, what: Known, expected: str) -> None:
    found = actions_of(REGISTRY, attributes, what)
    assert show_actions(REGISTRY, found.actions) == expected
    assert attributes_of(REGISTRY, *found, what) == attributes


ONE_OUTPUT = Attributes(output=2)


@pytest.mark.parametrize(
    ("attributes", "what", "expected"),
    [
        (
            Attributes(set=Attributes(ethernet=structure("ethernet", **MAC))),
            PLAIN,
            "set:ethernet.src=0a:00:00:00:00:01,set:ethernet.dst=0a:00:00:00:00:02",
        ),
        (
            Attributes(set=Attributes(ipv4=structure("ipv4", src=1, dst=2, protocol=6, ttl=3))),
            TCP,
            "set:ipv4.src=0.0.0.1,set:ipv4.dst=0.0.0.2,set:ipv4.dscp=0,set:ipv4.ecn=0,"
            "set:ipv4.ttl=3",
        ),
        (
            Attributes(set=Attributes(mpls=(100 << 12 | 0x1FF,))),
            LABEL,
            "set:mpls.label=100,set:mpls.traffic_class=0,set:mpls.ttl=255",
        ),
        (
            Attributes(set=Attributes(udp=structure("udp", src=1, dst=2))),
            UDP6,
            "set:udp.src=1,set:udp.dst=2",
        ),
        (Attributes(set=Attributes(priority=7)), PLAIN, "set:priority=0x7"),
        (Attributes(clone=ONE_OUTPUT), PLAIN, "output:2"),
        (Attributes(clone=ONE_OUTPUT, output=3), PLAIN, "output:2,output:3"),
        (
            Attributes(output=3, clone=Attributes(pop_vlan=True, output=2)),
            PLAIN,
            "output:3,pop_vlan,output:2",
        ),
        (Attributes(sample=Attributes(probability=ALWAYS, actions=ONE_OUTPUT)), PLAIN, "output:2"),
        (Attributes(recirc=1, output=2), PLAIN, "output:2,recirculate:1"),
        (
            several(Attributes(output=4, recirc=1, pop_vlan=True), Attributes(output=2)),
            PLAIN,
            "output:4,clone{pop_vlan,output:2},recirculate:1",
        ),
        (
            Attributes(clone=Attributes(hash=Hash.value(1, 0), recirc=7), output=2),
            PLAIN,
            "output:2,hash:0,recirculate:7",
        ),
        (
            several(
                Attributes(trunc=64, output=2),
                Attributes(output=3),
                Attributes(trunc=100, output=4),
            ),
            PLAIN,
            "output:3,truncate:100,output:4,truncate:64,output:2",
        ),
        (
            Attributes(sample=Attributes(probability=5, actions=Attributes(recirc=1)), output=2),
            PLAIN,
            "output:2,sample:0x5{recirculate:1}",
        ),
        (Attributes(sample=Attributes(probability=0, actions=Attributes(recirc=1))), PLAIN, "none"),
        (
            Attributes(add_mpls=AddMpls.value(1 << 12 | 0x100, 0x8848, 1)),
            TCP,
            "push_mpls:0x8848,set:mpls.label=1,set:mpls.traffic_class=0,set:mpls.ttl=0",
        ),
        (Attributes(dec_ttl=Attributes(actions=Attributes(drop=0))), TCP, "decrement_ttl:ipv4.ttl"),
        # What the program can't do with a copy is handed to user space.
        (
            Attributes(clone=Attributes(recirc=1), recirc=2),
            PLAIN,
            f"copy_to_user:reason=1:length=65535:{COPIED},recirculate:2",
        ),
        (
            several(Attributes(recirc=1), Attributes(trunc=64, output=2)),
            PLAIN,
            f"copy_to_user:reason=1:length=65535:{COPIED},truncate:64,output:2",
        ),
        (
            Attributes(recirc=1, push_mpls=PushMpls.value(0x100, 0x8847)),
            TCP,
            f"copy_to_user:reason=1:length=65535:{COPIED},push_mpls:0x8847,set:mpls.label=0,"
            "set:mpls.traffic_class=0,set:mpls.ttl=0",
        ),
        (
            several(
                Attributes(trunc=64, output=2, push_vlan=PushVlan.value(0x8100, 0x1005)),
                Attributes(trunc=90, output=3),
                Attributes(output=4),
            ),
            PLAIN,
            f"copy_to_user:reason=1:length=65535:{COPIED},push_vlan:0x8100,set:vlan.pcp=0,set:vlan.dei=0,"
            "set:vlan.vid=5,output:4,truncate:90,output:3",
        ),
    ],
)
def test_there_only(attributes: Attributes, what: Known, expected: str) -> None:
    assert show_actions(REGISTRY, actions_of(REGISTRY, attributes, what).actions) == expected


def masked_bits(name: str, value: dict[str, int]) -> Attributes:
    return masked(name, value, {})


@pytest.mark.parametrize(
    ("attributes", "what", "path", "reason"),
    [
        (Attributes(output=0xFEFF), PLAIN, "output[0]", "no port has the number"),
        (Attributes(trunc=13), PLAIN, "trunc[0]", "at least 14"),
        (Attributes(trunc=64), PLAIN, "", "nothing follows"),
        (Attributes(userspace=Attributes(userdata=b"")), PLAIN, "userspace[0]", "pid is missing"),
        (Attributes(push_vlan=PushVlan.value(0x800, 0x1000)), PLAIN, "push_vlan[0]", "no tag's"),
        (Attributes(push_vlan=PushVlan.value(0x8100, 5)), PLAIN, "push_vlan[0]", "0x1000"),
        (
            Attributes(push_mpls=PushMpls.value(0x100, 0x0800)),
            TCP,
            "push_mpls[0]",
            "0x800 is not MPLS",
        ),
        (Attributes(push_mpls=PushMpls.value(0x100, 0x8847)), PLAIN, "push_mpls[0]", "known"),
        (Attributes(push_mpls=PushMpls.value(0, 0x8847)), TCP, "push_mpls[0]", "has to be 1"),
        (Attributes(pop_mpls=0x800), TCP, "pop_mpls[0]", "there is a label"),
        (
            Attributes(pop_mpls=0x800, set=Attributes(ipv4=structure("ipv4"))),
            LABEL,
            "set[1].ipv4",
            "there is ipv4",
        ),
        (
            Attributes(
                push_vlan=PushVlan.value(0x8100, 0x1001), push_mpls=PushMpls.value(256, 0x8847)
            ),
            TCP,
            "push_mpls[1]",
            "untagged",
        ),
        (Attributes(dec_ttl=Attributes()), TCP, "dec_ttl[0]", "missing"),
        (Attributes(dec_ttl=Attributes(actions=Attributes())), PLAIN, "dec_ttl[0]", "it is IP"),
        (Attributes(drop=0, output=2), PLAIN, "drop[0]", "nothing can follow"),
        (Attributes(drop=7, output=1), PLAIN, "drop[0]", "nothing can follow"),
        (Attributes(sample=Attributes(probability=5)), PLAIN, "sample[0]", "actions is missing"),
        (
            Attributes(sample=Attributes(probability=0, actions=Attributes(sample=Attributes()))),
            PLAIN,
            "sample[0].sample[0]",
            "probability is missing",
        ),
        (Attributes(hash=Hash.value(2, 0)), PLAIN, "hash[0]", "no way to hash has the number 2"),
        (Attributes(ct=Attributes(commit=True)), PLAIN, "ct[0]", "connection tracking"),
        (Attributes(ct_clear=True), PLAIN, "ct_clear[0]", "connection tracking"),
        (Attributes(push_eth=structure("ethernet")), PLAIN, "push_eth[0]", "without Ethernet"),
        (Attributes(pop_eth=True), PLAIN, "pop_eth[0]", "without Ethernet"),
        (Attributes(push_nsh=Attributes()), PLAIN, "push_nsh[0]", "NSH"),
        (Attributes(pop_nsh=True), PLAIN, "pop_nsh[0]", "NSH"),
        (Attributes(check_pkt_len=Attributes(length=1)), PLAIN, "check_pkt_len[0]", "missing"),
        (Attributes(add_mpls=AddMpls.value(0, 0x8847, 0)), TCP, "add_mpls[0]", "before the Eth"),
        (Attributes(psample=Attributes(group=1)), PLAIN, "psample[0]", "psample"),
        (Attributes(set=Attributes()), PLAIN, "set[0]", "one attribute"),
        (Attributes(set=Attributes(vlan=0x1001)), PLAIN, "set[0].vlan", "can't be set"),
        (Attributes(set=Attributes(in_port=1)), PLAIN, "set[0].in_port", "can't be set"),
        (Attributes(set=Attributes(dp_hash=1)), PLAIN, "set[0].dp_hash", "can't be set"),
        (Attributes(set=Attributes(tcp=structure("tcp"))), PLAIN, "set[0].tcp", "there is tcp"),
        (Attributes(set=Attributes(udp=structure("udp"))), TCP, "set[0].udp", "there is udp"),
        (
            Attributes(set=Attributes(sctp=structure("sctp", src=1))),
            known("in_port=1,!vlan,ethertype=0x800,ipv4.protocol=132"),
            "set[0].sctp",
            "sctp.src can't be set",
        ),
        (
            Attributes(set=Attributes(ipv4=structure("ipv4", protocol=17))),
            TCP,
            "set[0].ipv4",
            "ipv4.protocol can't be set",
        ),
        (
            Attributes(set=Attributes(ipv4=structure("ipv4", protocol=6, fragment=1))),
            TCP,
            "set[0].ipv4",
            "fragment",
        ),
        (masked("ipv4", {}, {"fragment": 1}), TCP, "set_masked[0].ipv4", "fragment"),
        (masked_bits("ipv4", {"src": 1}), TCP, "set_masked[0].ipv4", "mask does not have"),
        (Attributes(set=Attributes(mpls=(0, 0))), LABEL, "set[0].mpls", "outermost"),
        (Attributes(set=Attributes(mpls=(0,))), LABEL, "set[0].mpls", "mpls.bottom can't be set"),
    ],
)
def test_what_is_refused(attributes: Attributes, what: Known, path: str, reason: str) -> None:
    with pytest.raises(NetlinkError, match=reason) as caught:
        actions_of(REGISTRY, attributes, what)
    assert caught.value.attribute == ".".join(filter(None, ["actions", path]))
    assert caught.value.errno == 22


def test_every_action_is_translated_or_has_a_reason() -> None:
    from hotswitch.netlink.actions import _ACTIONS
    from hotswitch.netlink.lacks import ACTIONS

    assert {each.name for each in ACTION.attributes} == set(_ACTIONS) | set(ACTIONS)


def meant(actions: act.Actions, upcalls: Sequence[Upcall]) -> list[object]:
    """The actions, each copy to user space with what its number stands for: numbers have gaps
    where a sample of no packets has copies."""
    found: list[object] = []
    for action in actions:
        inner = act.lists_in(action)
        found.append(act.with_lists(action, ((),) * len(inner)))
        if isinstance(action, act.CopyToUser):
            upcall = upcalls[action.reason - 1]
            asked = upcall if isinstance(upcall, ByDaemon) else flagged(upcall)
            found[-1:] = [replace(action, reason=0), asked]
        found += [meant(each, upcalls) for each in inner]
    return found


@given(of_set(ACTION, 4), st.sampled_from([PLAIN, TCP, UDP6, LABEL, {}]))
def test_any_actions_are_translated_or_refused(attributes: Attributes, what: Known) -> None:
    with contextlib.suppress(NetlinkError):
        found = actions_of(REGISTRY, attributes, what)
        back = attributes_of(REGISTRY, *found, what)
        again = actions_of(REGISTRY, back, what)
        assert meant(again.actions, again.upcalls) == meant(found.actions, found.upcalls)


SETTABLE = [info for info in REGISTRY.fields() if info.settable]


@st.composite
def settings(draw: st.DrawFn) -> act.SetField:
    info = draw(st.sampled_from(SETTABLE))
    mask = draw(st.just(info.mask) | st.integers(1, info.mask))
    return act.SetField(info.name, draw(st.integers(0, info.mask)) & mask, mask)


@given(
    st.lists(
        settings()
        | st.builds(act.Output, st.integers(2, 9))
        | st.sampled_from([act.PopVlan(), act.Output(act.IN_PORT), act.Limit(3)]),
        max_size=6,
    ).map(tuple)
)
def test_the_models_actions_are_said_or_refused(actions: act.Actions) -> None:
    try:
        attributes = attributes_of(REGISTRY, actions, (), TCP)
        again = actions_of(REGISTRY, attributes, TCP).actions
    except NetlinkError:
        return
    single = [
        each
        for action in again
        for each in (
            map(act.Output, action.ports) if isinstance(action, act.OutputList) else [action]
        )
    ]
    assert sorted(map(repr, single)) == sorted(map(repr, actions))


@pytest.mark.parametrize(
    "action",
    [
        act.OutputList((1, 2)),
        act.ToHost(),
        act.CopyField("reg0", "reg1"),
        act.SetField("reg0", 1, 0xFFFFFFFF),
        act.SetField("mpls2.label", 1, 0xFFFFF),
        act.GotoTable(1),
        act.Learn(),
        act.Lookup(),
        act.DecrementTtl("mpls.ttl"),
        act.CopyToUser(1),
        act.CopyToUser(0),
        act.PushVlan(),
        act.PushMpls(),
        act.Output(1),
    ],
)
def test_what_netlink_can_not_say(action: act.Action) -> None:
    with pytest.raises(NetlinkError):
        attributes_of(REGISTRY, (action,), (), PLAIN)


def test_recorded_actions_are_translated_or_refused() -> None:
    done = set()
    refused = set()
    for each in everything():
        message = each.message
        if not isinstance(message, Message) or "actions" not in message.attributes:
            continue
        actions = message.attributes["actions"]
        try:
            actions_of(REGISTRY, actions, {"in_port": 9, "ethertype": 0x0800})
            done |= set(actions.names)
        except NetlinkError as error:
            refused.add(error.path[1].partition("[")[0])
    assert done == {"output", "clone", "sample", "set_masked", "trunc", "hash", "check_pkt_len"}
    assert refused == {
        "add_mpls",
        "ct",
        "ct_clear",
        "set_masked",  # of nd_extensions
    }


def test_an_error_found_late_has_an_offset() -> None:
    actions = Attributes(output=2, set=Attributes(ipv4=structure("ipv4")))
    request = Codec().encode(Message(FLOW, "new", Attributes(ufid=b"1234", actions=actions)))
    with pytest.raises(NetlinkError) as caught:
        actions_of(REGISTRY, actions, PLAIN)
    error = with_offset(caught.value, FLOW, request)
    assert error.attribute == "actions.set[1].ipv4"
    # nlmsghdr, genlmsghdr, ovs_header, ufid, actions, output, set
    assert error.offset == 16 + 4 + 4 + 8 + 4 + 8 + 4
    assert request[error.offset + 2] == KEY.by_name["ipv4"].number
    lost = with_offset(NetlinkError("gone", path=("mask", "ipv4")), FLOW, request)
    assert lost.offset is None


def test_what_is_known_of_a_frame() -> None:
    frame = bytes(12) + bytes.fromhex("8100 0005 0800") + bytes(20)
    found = known_in_frame(REGISTRY, frame, 4)
    wanted: dict[str, Any] = {"in_port": 4, "vlan": 1, "vlan2": 0, "ethertype": 0x800, "ipv4": 0}
    assert {name: found[name] for name in wanted} == wanted
    assert "in_port" not in known_in_frame(REGISTRY, frame, 0)
