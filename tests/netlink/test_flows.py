"""Flow keys to matches and back, and keys of frames: as the kernel has them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hotswitch.datapath.engines.reference.packet import Packet
from hotswitch.headers.build import build
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model.match import Match
from hotswitch.model.text import read_match, show_match
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.flows import beside_of, match_of
from hotswitch.netlink.keys import key_of, key_of_frame
from hotswitch.netlink.message import Message
from hotswitch.netlink.ports import LOCAL_IN_MODEL, from_model, to_model
from tests.headers.stacks import Stack, stacks
from tests.netlink.recorded import everything, recording
from tests.netlink.values import of_set

REGISTRY = Registry(BUILT_IN)
MAC_A, MAC_B = 0x0A0000000001, 0x0A0000000002
LACKS = ("recirc_id", "dp_hash", "ct_state", "ct_zone", "ct_mark", "ct_labels", "ct_tuple")


def structure(name: str, **members: int) -> Any:
    """A key attribute; members that are not given are 0."""
    kind: Any = KEY.by_name[name].type
    return kind.value(**(dict.fromkeys(kind.members, 0) | members))


def full(name: str, *members: str) -> Any:
    """The mask of an attribute: these members wholly, or all."""
    kind: Any = KEY.by_name[name].type
    names = members or tuple(kind.members)
    return structure(name, **{each: (1 << 8 * kind.members[each].size) - 1 for each in names})


def text(key: Attributes, mask: Attributes | None = None) -> str:
    return show_match(REGISTRY, match_of(REGISTRY, key, mask))


def key(**more: Any) -> Attributes:
    return Attributes(in_port=3, ethernet=structure("ethernet"), **more)


def mask(**more: Any) -> Attributes:
    return Attributes(in_port=0xFFFFFFFF, **more)


ANY_TCP = key(
    ethertype=0x0800,
    ipv4=structure("ipv4", src=0x0A000001, protocol=6),
    tcp=structure("tcp", dst=80),
    tcp_flags=0x002,
)


@pytest.mark.parametrize(
    ("flow", "under", "expected"),
    [
        (key(), mask(), "in_port=3,!vlan"),
        (
            key(),
            None,
            "ethernet.dst=00:00:00:00:00:00,ethernet.src=00:00:00:00:00:00,in_port=3,!vlan",
        ),
        (key(ethertype=0x0800, ipv4=structure("ipv4")), mask(), "in_port=3,!vlan"),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4")),
            mask(ethertype=1),
            "ethertype=0x800,in_port=3,!vlan",
        ),
        (
            ANY_TCP,
            mask(
                ethertype=0xFFFF,
                ipv4=structure("ipv4", src=0xFFFFFF00, protocol=0xFF, fragment=0xFF),
                tcp=full("tcp", "dst"),
                tcp_flags=0x0FFF,
            ),
            "ethertype=0x800,in_port=3,ipv4.fragment_offset=0,ipv4.more_fragments=0,"
            "ipv4.protocol=6,ipv4.src=10.0.0.0/24,tcp.dst=80,tcp.flags=0x2,!vlan",
        ),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4", tos=0xB9, fragment=1)),
            mask(ethertype=0xFFFF, ipv4=full("ipv4", "tos", "fragment")),
            "ethertype=0x800,in_port=3,ipv4.dscp=46,ipv4.ecn=1,ipv4.fragment_offset=0,"
            "ipv4.more_fragments=1,!vlan",
        ),
        (
            key(
                ethertype=0x8100,
                vlan=0x1000 | 5 << 13 | 10,
                encap=Attributes(ethertype=0x0806, arp=structure("arp", operation=1)),
            ),
            mask(
                ethertype=0xFFFF,
                vlan=0x1FFF,
                encap=Attributes(ethertype=0xFFFF, arp=structure("arp", operation=0xFF)),
            ),
            "arp.operation=0x1/0xff,ethernet.type=0x8100,ethertype=0x806,in_port=3,vlan,vlan.vid=10,"
            "!vlan2",
        ),
        (
            key(
                ethertype=0x88A8,
                vlan=0x1064,
                encap=Attributes(ethertype=0x8100, vlan=0x1001, encap=Attributes(ethertype=0x1234)),
            ),
            None,
            "ethernet.dst=00:00:00:00:00:00,ethernet.src=00:00:00:00:00:00,ethernet.type=0x88a8,"
            "ethertype=0x1234,in_port=3,vlan,vlan.pcp=0,vlan.type=0x8100,vlan.vid=100,vlan2,"
            "vlan2.pcp=0,vlan2.vid=1",
        ),
        (
            key(ethertype=0x8100, vlan=0, encap=Attributes()),
            mask(),
            "ethernet.type=0x8100,in_port=3,!vlan",
        ),
        (
            key(ethertype=0x8847, mpls=(0x00064140, 0x000C8140)),
            mask(ethertype=0xFFFF, mpls=(0xFFFFF000, 0x00000100)),
            "ethertype=0x8847,in_port=3,mpls.label=100,mpls2.bottom=1,!vlan",
        ),
        (
            key(
                ethertype=0x86DD,
                ipv6=structure("ipv6", protocol=58, label=0x12345),
                icmpv6=structure("icmpv6", type=135),
                nd=structure("nd", target=1, source_link=MAC_A),
            ),
            mask(
                ethertype=0xFFFF,
                ipv6=full("ipv6", "protocol", "label", "fragment"),
                icmpv6=full("icmpv6"),
                nd=full("nd"),
            ),
            "ethertype=0x86dd,icmpv6.code=0,icmpv6.type=135,in_port=3,ip_protocol=58,"
            "ipv6.flow_label=0x12345,!ipv6_fragment,nd_solicit.target=::1,"
            "nd_source_link.address=0a:00:00:00:00:01,!vlan",
        ),
        (
            key(
                ethertype=0x86DD,
                ipv6=structure("ipv6", protocol=58, fragment=1),
                icmpv6=structure("icmpv6", type=136),
                nd=structure("nd"),
            ),
            mask(
                ethertype=0xFFFF,
                ipv6=full("ipv6", "protocol", "fragment"),
                icmpv6=full("icmpv6", "type"),
                nd=full("nd", "target_link"),
            ),
            "ethertype=0x86dd,icmpv6.type=136,in_port=3,ip_protocol=58,ipv6_fragment,"
            "ipv6_fragment.fragment_offset=0,!nd_target_link,!vlan",
        ),
    ],
)
def test_what_a_flow_says(flow: Attributes, under: Attributes | None, expected: str) -> None:
    assert text(flow, under) == expected
    match = match_of(REGISTRY, flow, under)
    assert match == read_match(REGISTRY, expected)
    again, masked = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked) == match


IPV4_MASK = {"ethertype": 0xFFFF, "ipv4": full("ipv4", "fragment")}


@pytest.mark.parametrize(
    ("flow", "under", "path", "reason"),
    [
        (
            Attributes(in_port=1),
            None,
            "key",
            "ethernet is missing, which every flow needs .eth.. matches any",
        ),
        (
            key(ethertype=0x0800),
            None,
            "key",
            "ipv4 is missing, which ethertype 0x0800 needs .ipv4.. matches any",
        ),
        (
            key(ethertype=0x0806),
            mask(),
            "key",
            "arp is missing, which ethertype 0x0806 needs .arp.. matches any",
        ),
        (key(ethertype=0x5DC), None, "key.ethertype", "0x5dc is a length"),
        (key(vlan=0x1001), None, "key.vlan", "without a tag's EtherType"),
        (
            key(ethertype=0x8100, vlan=0x1001),
            None,
            "key",
            "encap is missing, which ethertype 0x8100",
        ),
        (key(ethertype=0x8100, vlan=1, encap=Attributes()), None, "key.vlan", "0x1000"),
        (
            key(ethertype=0x8100, vlan=0, encap=Attributes(ethertype=0x800)),
            None,
            "key.encap",
            "cut off",
        ),
        (
            key(ethertype=0x8100, vlan=0x1001, encap=Attributes(ethertype=0x1234)),
            mask(ethertype=0xFFFF, vlan=0x0FFF, encap=Attributes()),
            "mask.vlan",
            "whether there is a tag",
        ),
        (
            key(ethertype=0x8100, vlan=0x1001, encap=Attributes(ethertype=0x1234)),
            mask(ethertype=0xFF, vlan=0x1FFF, encap=Attributes()),
            "mask.ethertype",
            "matched whole",
        ),
        (
            key(ethertype=0x8100, vlan=0x1001, encap=Attributes(in_port=1)),
            None,
            "key.encap.in_port",
            "twice",
        ),
        (key(ethertype=0x1234), mask(encap=Attributes(ethertype=1)), "mask.encap", "no tag"),
        (
            key(ethertype=0x86DD, ipv6=structure("ipv6", protocol=6, fragment=2)),
            mask(ethertype=0xFFFF, ipv6=full("ipv6", "fragment", "protocol")),
            "key.ipv6",
            "a later fragment has the protocol 44",
        ),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4", fragment=3)),
            mask(**IPV4_MASK),
            "key.ipv4",
            "no kind of fragment is 3",
        ),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4")),
            mask(ipv4=full("ipv4", "src")),
            "mask.ipv4",
            "nothing that is matched says",
        ),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4", protocol=17), udp=structure("udp")),
            mask(ethertype=0xFFFF, udp=full("udp")),
            "mask.udp",
            "nothing that is matched says that it is there: protocol 17, under a mask of all bits",
        ),
        (key(tcp=structure("tcp")), None, "key.tcp", "nothing that is matched says"),
        (key(), mask(skb_mark=1), "mask.skb_mark", "does not have it"),
        (key(ct_state=0x21), mask(ct_state=0x20), "key.ct_state", "connection tracking"),
        (key(packet_type=0), mask(), "key.packet_type", "not supported"),
        (
            Attributes(in_port=0xFEFF, ethernet=structure("ethernet")),
            None,
            "key.in_port",
            "no port has the number",
        ),
        (
            key(ethertype=0x8847, mpls=(1,)),
            mask(ethertype=0xFFFF, mpls=(1, 1)),
            "mask.mpls",
            "another number",
        ),
        (
            key(ethertype=0x86DD, ipv6=structure("ipv6", label=1 << 20)),
            None,
            "key.ipv6",
            "can't hold",
        ),
    ],
)
def test_what_is_refused(
    flow: Attributes, under: Attributes | None, path: str, reason: str
) -> None:
    with pytest.raises(NetlinkError, match=reason) as caught:
        match_of(REGISTRY, flow, under)
    assert caught.value.attribute == path
    assert caught.value.errno == 22


def test_what_no_packet_has_may_be_matched_as_zero() -> None:
    flow = key(ct_state=0x0F, ct_labels=bytes(16))
    under = mask(
        ct_state=0xF0,
        ct_labels=b"\xff" * 16,
        tunnel=Attributes(ttl=0),
    )
    assert text(flow, under) == "in_port=3,!vlan"


@given(of_set(KEY, 4), st.none() | of_set(KEY, 4))
def test_any_key_is_translated_or_refused(flow: Attributes, under: Attributes | None) -> None:
    whole = flow if "ethernet" in flow else flow + Attributes(ethernet=structure("ethernet"))
    try:
        match = match_of(REGISTRY, whole, under)
    except NetlinkError:
        return
    again, masked = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked) == match


def _flows() -> list[tuple[Message, Message]]:
    """Recorded requests for new flows, with the kernel's later listing of the same flow."""
    found = []
    for name in ("dpctl", "vswitchd"):
        messages = [each.message for each in recording(name) if isinstance(each.message, Message)]
        flows = [each for each in messages if each.family.name == "ovs_flow"]
        for place, asked in enumerate(flows):
            if asked.command != "new":
                continue
            for answer in flows[place + 1 :]:
                same = asked.attributes.get("ufid") == answer.attributes.get("ufid")
                whole = "mask" in answer.attributes and not answer.flags & 1
                in_port = asked.attributes["key"].get("in_port")
                same = same and answer.attributes.get("key", Attributes()).get("in_port") == in_port
                if whole and same and ("ufid" in asked.attributes or _alike(asked, answer)):
                    found.append((asked, answer))
                    break
    return found


def _alike(asked: Message, answer: Message) -> bool:
    """Without an identity, they are one flow if the key is the same in what was asked."""
    said = answer.attributes["key"]
    return all(said.get(name) == value for name, value in asked.attributes["key"])


def test_flows_are_listed_as_the_kernel_lists_them() -> None:
    flows = _flows()
    compared = 0
    assert len(flows) > 20
    for asked, answer in flows:
        try:
            match = match_of(REGISTRY, asked.attributes["key"], asked.attributes.get("mask"))
        except NetlinkError as error:
            # The kernel tracks connections and recirculates.
            assert error.path[-1].startswith(LACKS), error
            continue
        listed, under = key_of(REGISTRY, match)
        assert listed.names == answer.attributes["key"].names
        assert under.names == answer.attributes["mask"].names
        if "mask" in asked.attributes:
            assert listed == answer.attributes["key"]
            assert _without_zero_masks(under) == _without_zero_masks(answer.attributes["mask"])
            compared += 1
    assert compared >= 8


def _without_zero_masks(under: Attributes) -> Attributes:
    """Without those that can only be zero here: the kernel keeps the mask, not only the match."""
    return Attributes(pair for pair in under if not str(pair[0]).startswith(LACKS))


def test_keys_of_frames_are_the_kernels() -> None:
    misses = [
        each.message
        for each in everything()
        if isinstance(each.message, Message) and each.message.command == "miss"
    ]
    assert len(misses) == 4
    for miss in misses:
        said = miss.attributes["key"]
        mine = key_of_frame(REGISTRY, miss.attributes["packet"], to_model(said["in_port"]))
        assert mine == said


ETHERNET = bytes.fromhex("0a0000000002 0a0000000001")


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("0026 424203", {}),
        ("1234 00", {"ethertype": 0x1234}),
        ("8100", {"ethertype": 0x8100, "vlan": 0, "encap": Attributes()}),
        (
            "8100 a00a 1234",
            {"ethertype": 0x8100, "vlan": 0xB00A, "encap": Attributes(ethertype=0x1234)},
        ),
        (
            "0800 4500 001c 0000 00b9 4006 0000 0a000001 0a000002 00500051 00000000",
            {
                "ethertype": 0x0800,
                "ipv4": structure(
                    "ipv4", src=0x0A000001, dst=0x0A000002, protocol=6, ttl=64, fragment=2
                ),
            },
        ),
        ("0800 45", {"ethertype": 0x0800, "ipv4": structure("ipv4")}),
        ("8847 00064140 00", {"ethertype": 0x8847, "mpls": (0x00064140,)}),
        (
            "86dd 60000000 0008 2c40" + "00" * 15 + "01" + "00" * 15 + "02" + "0600 0008 00000000",
            {
                "ethertype": 0x86DD,
                "ipv6": structure("ipv6", src=1, dst=2, protocol=44, hop_limit=64, fragment=2),
            },
        ),
    ],
)
def test_keys_of_odd_frames(frame: str, expected: dict[str, Any]) -> None:
    found = key_of_frame(REGISTRY, ETHERNET + bytes.fromhex(frame), 1)
    behind = found.names.index("ethernet") + 1
    assert dict(found.pairs[behind:]) == expected
    assert found["ethernet"] == structure("ethernet", src=MAC_A, dst=MAC_B)


@given(st.binary(max_size=90), st.sampled_from(["", "0800", "86dd", "8100", "8847", "0806"]))
def test_any_frame_has_a_key_that_can_be_sent(rest: bytes, kind: str) -> None:
    found = key_of_frame(REGISTRY, ETHERNET + bytes.fromhex(kind) + rest, LOCAL_IN_MODEL)
    data = KEY.encode(found)
    assert KEY.decode(data, 0, len(data)) == found
    assert found["in_port"] == 0


@pytest.mark.parametrize("match", ["any", "!vlan,reg0=1", "!vlan,tcp.src=80", "vlan,!vlan2"])
def test_what_a_key_can_not_say(match: str) -> None:
    with pytest.raises(NetlinkError):
        key_of(REGISTRY, read_match(REGISTRY, match))


def test_ingress() -> None:
    said = Attributes(priority=0, skb_mark=7, recirc_id=2, dp_hash=9, in_port=3)
    found = {"in_port": 3, "priority": 0, "skb_mark": 7, "recirc_id": 2, "dp_hash": 9}
    assert beside_of(REGISTRY, said) == found
    assert beside_of(REGISTRY, Attributes(in_port=0)) == {"in_port": LOCAL_IN_MODEL}
    assert beside_of(REGISTRY, Attributes()) == {"in_port": 0}
    with pytest.raises(NetlinkError, match="connection tracking"):
        beside_of(REGISTRY, Attributes(ct_mark=1))


@pytest.mark.parametrize("number", [0, 1, 0xFEFE])
def test_port_numbers_round_trip(number: int) -> None:
    assert from_model(to_model(number)) == number


def test_nothing_is_matched_by_no_key() -> None:
    assert match_of(REGISTRY, key(), mask()) == Match.of(
        {"in_port": (3, 0xFFFFFFFF), "vlan": (0, 1)}
    )


@given(stacks(REGISTRY), st.data())
def test_a_frame_matches_its_own_key(made: tuple[Stack, bytes], data: st.DataObject) -> None:
    stack, payload = made
    for name, fields in stack:
        # To the kernel an address of zero is none; here it is one.
        assume(name not in ("nd_source_link", "nd_target_link") or fields["address"])
    frame = build(REGISTRY, stack, payload)
    flow = key_of_frame(REGISTRY, frame, 3)
    under = data.draw(st.none() | masks_for(flow))
    try:
        match = match_of(REGISTRY, flow, under)
    except NetlinkError as error:
        assert "it takes" in str(error) or "kind of fragment" in str(error), error
        return
    packet = Packet(REGISTRY, 3, frame)
    for term in match:
        value = packet.read(term.field)
        assert value is not None and value & term.mask == term.value, term
    again, masked = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked) == match


@st.composite
def masks_for(draw: st.DrawFn, flow: Attributes) -> Attributes:
    """Masks that may go with a key: some bits of some attributes."""
    pairs: list[tuple[Any, Any]] = []
    for name, value in flow:
        if name == "encap":
            pairs.append((name, draw(masks_for(value))))
        elif name in ("in_port", "ethertype"):
            pairs.append((name, 0xFFFF))
        elif name == "vlan":
            pairs.append((name, draw(st.integers(0, 0xFFFF)) | 0x1000))
        elif isinstance(value, int):
            pairs.append((name, draw(st.integers(0, 0xFFF))))
        elif isinstance(value, bytes):
            pairs.append((name, bytes(len(value))))
        elif name == "mpls":
            pairs.append((name, tuple(draw(st.integers(0, 0xFFFFFFFF)) for _ in value)))
        else:
            kind: Any = KEY.by_name[name].type
            widths = {each: (1 << 8 * kind.members[each].size) - 1 for each in kind.members}
            some = {
                each: draw(st.sampled_from([0, full, full, draw(st.integers(0, full))]))
                for each, full in widths.items()
            }
            for each in {"protocol", "fragment", "type"} & some.keys():
                some[each] = 0xFF
            pairs.append((name, kind.value(**some)))
    return Attributes(pairs)


@pytest.mark.parametrize(
    ("flow", "under", "expected"),
    [
        (key(recirc_id=7), mask(recirc_id=0xFFFFFFFF), "in_port=3,recirc_id=0x7,!vlan"),
        (key(skb_mark=7), mask(skb_mark=0xFF), "in_port=3,skb_mark=0x7/0xff,!vlan"),
        (
            key(priority=7, dp_hash=9),
            mask(priority=7, dp_hash=15),
            "dp_hash=0x9/0xf,in_port=3,priority=0x7/0x7,!vlan",
        ),
        (key(), mask(ethertype=0xFFFF), "in_port=3,length_frame=1,!vlan"),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4", fragment=2)),
            mask(**IPV4_MASK),
            "ethertype=0x800,in_port=3,ip_fragment=0x2/0x2,!vlan",
        ),
        (
            key(ethertype=0x0800, ipv4=structure("ipv4", fragment=1)),
            mask(ethertype=0xFFFF, ipv4=structure("ipv4", fragment=1)),
            "ethertype=0x800,in_port=3,ip_fragment=0x1/0x1,!vlan",
        ),
        (
            key(ethertype=0x86DD, ipv6=structure("ipv6", protocol=44, fragment=2)),
            mask(ethertype=0xFFFF, ipv6=full("ipv6", "protocol", "fragment")),
            "ethertype=0x86dd,in_port=3,ip_fragment=0x2/0x2,!vlan",
        ),
        (
            key(ethertype=0x86DD, ipv6=structure("ipv6", fragment=0)),
            mask(ethertype=0xFFFF, ipv6=structure("ipv6", fragment=2)),
            "ethertype=0x86dd,in_port=3,ip_fragment=0x0/0x2,!vlan",
        ),
    ],
)
def test_fields_beside_the_packet(
    flow: Attributes, under: Attributes | None, expected: str
) -> None:
    match = match_of(REGISTRY, flow, under)
    assert show_match(REGISTRY, match) == expected
    again, masked = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked) == match
