"""What building refuses, and what it leaves to the caller."""

from __future__ import annotations

import pytest

from hotswitch.headers.build import build
from hotswitch.headers.declaration import Field, Header, Length, Select, Under
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.parse import parse
from hotswitch.headers.protocols import ethernet
from hotswitch.headers.registry import Registry
from tests.headers.stacks import Stack


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([("ipv5", {})], "no header 'ipv5'; did you mean ipv6?"),
        ([("ethernet", {"destination": 1})], "no field 'ethernet.destination'"),
        ([("ethernet", {"dst": 1 << 48})], "ethernet.dst: 281474976710656 does not fit into 48"),
        ([("ethernet", {"dst": -1})], "ethernet.dst: -1 does not fit into 48 bits"),
        ([("ethernet", {"dst": b"\0"})], "ethernet.dst is a number, not bytes"),
        ([("ethernet", {"options": b"\0"})], "its length is fixed"),
        ([("ethernet", {}), ("tcp", {})], "tcp can't follow ethernet"),
        ([("arp", {}), ("ipv4", {})], "ipv4 can't follow arp"),
        ([("mpls", {}), ("ipv4", {})], "ipv4 can't follow mpls"),
        ([("nd_solicit", {}), ("nd_target_link", {})], "nd_target_link can't follow nd_solicit"),
        ([("ipv4", {"options": bytes(41)})], "ipv4.ihl: 16 is more than it can say"),
    ],
)
def test_refuses(registry: Registry, stack: Stack, message: str) -> None:
    with pytest.raises(HeaderError) as caught:
        build(registry, stack)
    assert message in str(caught.value)


def test_refuses_a_payload_that_no_length_can_say(registry: Registry) -> None:
    with pytest.raises(HeaderError, match="total_length"):
        build(registry, [("ipv4", {})], bytes(65516))


def test_what_is_given_stays_even_if_wrong(registry: Registry) -> None:
    frame = build(registry, [("ethernet", {"type": 0x0800}), ("ipv4", {"ihl": 4, "checksum": 7})])
    assert frame[12:15] == b"\x08\0\x44"
    assert frame[24:26] == b"\0\7"
    parsed = parse(registry, frame)
    assert parsed.malformed and list(parsed.layers) == ["ethernet"]


def test_can_begin_anywhere(registry: Registry) -> None:
    frame = build(registry, [("udp", {"src": 1, "dst": 2})], b"x")
    # Without addresses the sum is that of the datagram alone.
    assert frame == bytes.fromhex("0001000200 0987f378")


def test_a_computed_zero_is_sent_as_ones(registry: Registry) -> None:
    found = set()
    for port in range(0xFFD0, 0x10000):
        frame = build(registry, [("udp", {"src": port, "dst": 0x20})])
        found.add(frame[6:8])
    assert b"\xff\xff" in found
    assert b"\0\0" not in found


def test_more_headers_than_the_chain_are_payload(registry: Registry) -> None:
    stack: Stack = [("ethernet", {}), *[("vlan", {"vid": vid}) for vid in (1, 2, 3)], ("ipv4", {})]
    parsed = parse(registry, build(registry, stack))
    assert list(parsed.layers) == ["ethernet", "vlan", "vlan2"]
    assert not parsed.malformed
    assert parsed.keys["ethertype"] == 0x8100
    assert parsed.end == 14 + 8


def test_extension_headers_of_one_kind_are_recorded_once(registry: Registry) -> None:
    stack: Stack = [
        ("ethernet", {}),
        ("ipv6", {}),
        ("ipv6_destination", {"options": b"\1\4first"}),
        ("ipv6_routing", {}),
        ("ipv6_destination", {"options": b"\1\4later"}),
        ("tcp", {}),
    ]
    frame = build(registry, stack)
    parsed = parse(registry, frame)
    assert list(parsed.layers) == [name for name, _ in stack[:4]] + ["tcp"]
    assert b"first" in frame[parsed.layers["ipv6_destination"].offset :][:9]


def test_nine_extension_headers_are_too_many(registry: Registry) -> None:
    head: Stack = [("ethernet", {}), ("ipv6", {})]
    eight = build(registry, [*head, *[("ipv6_destination", {})] * 8, ("tcp", {})])
    nine = build(registry, [*head, *[("ipv6_destination", {})] * 9, ("tcp", {})])
    assert "tcp" in parse(registry, eight).layers
    parsed = parse(registry, nine)
    assert "tcp" not in parsed.layers and not parsed.malformed
    assert parsed.keys["ip_protocol"] == 60


SPACER = Header(
    name="spacer",
    title="as long as it says",
    fields=(Field("length", 16, settable=False),),
    under=(Under("ethertype", 0x88B5),),
    select=Select("behind_spacer"),
    length=Length("length", unit=1),
)
LAST = Header("last", "four bytes", (Field("value", 32),), (Under("behind_spacer", 0),))


@pytest.mark.parametrize(("end", "seen"), [(255, True), (256, True), (257, False)])
def test_a_fixed_part_ends_within_256_bytes(end: int, seen: bool) -> None:
    registry = Registry((ethernet.HEADER, SPACER, LAST))
    spacer = ("spacer", {"options": bytes(end - 4 - 14 - 2)})
    parsed = parse(registry, build(registry, [("ethernet", {}), spacer, ("last", {})], bytes(99)))
    assert ("last" in parsed.layers) == seen
    assert parsed.malformed != seen


def test_a_header_shorter_than_its_fixed_part_is_malformed() -> None:
    registry = Registry((ethernet.HEADER, SPACER, LAST))
    for length, names in ((1, ["ethernet"]), (2, ["ethernet", "spacer", "last"])):
        stack: Stack = [("ethernet", {}), ("spacer", {"length": length}), ("last", {})]
        assert list(parse(registry, build(registry, stack)).layers) == names


def test_a_whole_header_may_end_behind_the_limit() -> None:
    registry = Registry((ethernet.HEADER, SPACER, LAST))
    frame = build(registry, [("ethernet", {}), ("spacer", {"options": bytes(500)})], bytes(4))
    parsed = parse(registry, frame)
    assert parsed.layers["spacer"].length == 502
    assert parsed.malformed and parsed.end == 516
