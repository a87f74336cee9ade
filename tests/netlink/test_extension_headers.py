"""`ipv6_extensions`: which extension headers a packet has, under any mask that a match can say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.datapath.engines.reference.packet import Packet
from hotswitch.headers.build import build
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import BUILT_IN
from hotswitch.model.text import show_match
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extension_headers import LAYERS
from hotswitch.netlink.flows import match_of
from hotswitch.netlink.keys import key_of
from hotswitch.netlink.syntax.flow import read_flow
from tests.netlink.test_flows import key, mask, structure

REGISTRY = Registry(BUILT_IN)


def flow(text: str) -> tuple[Attributes, Attributes | None]:
    read = read_flow(f"in_port(1),eth(),eth_type(0x86dd),{text}")
    return read.key, read.mask


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ipv6(),key32(40 00/40 00)", "ipv6_hop_by_hop,"),
        ("ipv6(),key32(00 00/24 00)", "!authentication,!ipv6_routing,"),
        ("ipv6(),key32(10 00/18 00)", "!ipv6_destination,ipv6_fragment,"),
        (
            "ipv6(frag=first),key32(10 00/18 00)",
            "!ipv6_destination,ipv6_fragment,ipv6_fragment.fragment_offset=0,",
        ),
        (
            "ipv6(proto=99),key32(00 00)",
            "!authentication,ip_protocol=99,!ipv6_destination,!ipv6_fragment,!ipv6_hop_by_hop,"
            "!ipv6_routing,",
        ),
        ("ipv6(proto=50),key32(02 00/02 00)", "ip_protocol=50,"),
        ("ipv6(),key32(40 00/00 00)", ""),
    ],
)
def test_what_it_says(text: str, says: str) -> None:
    asked, under = flow(text)
    match = match_of(REGISTRY, asked, under)
    shown = show_match(REGISTRY, match)
    for each in ("ethertype=0x86dd,", "in_port=1,"):
        shown = shown.replace(each, "")
    assert shown == f"{says}!vlan"
    again, masked = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked) == match


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ipv6(frag=no),key32(10 00/10 00)", "contradicts ipv6.fragment 0"),
        ("ipv6(proto=6),key32(02 00/02 00),tcp(),tcp_flags()", "contradicts the protocol 6"),
        ("ipv6(),key32(01 00/01 00)", "it takes ipv6.protocol"),
        ("ipv6(),key32(80 00/80 00)", "repeated or out of order"),
        ("ipv6(proto=99),key32(40 00)", "repeated or out of order"),
        ("ipv6(),key32(00 02/00 02)", "no extension headers"),
    ],
)
def test_what_is_refused(text: str, reason: str) -> None:
    asked, under = flow(text)
    with pytest.raises(NetlinkError, match=reason) as refused:
        match_of(REGISTRY, asked, under)
    assert refused.value.attribute == "key.ipv6_extensions"


def test_other_packets_have_none() -> None:
    with pytest.raises(NetlinkError, match="nothing that is matched says that it is IPv6"):
        match_of(REGISTRY, key(ethertype=0x1234, ipv6_extensions=0), None)


@given(
    st.lists(st.sampled_from(sorted(LAYERS)), unique=True, max_size=4),
    st.integers(0, 0x7F),
    st.integers(0, 0x7F),
)
def test_packets_match_as_their_headers_are(layers: list[str], value: int, looked_at: int) -> None:
    value, looked_at = value & 0x7C, looked_at & 0x7C
    stack = [("ethernet", {}), ("ipv6", {}), *((layer, {}) for layer in layers), ("udp", {})]
    packet = Packet(REGISTRY, 3, build(REGISTRY, stack))
    asked = key(ethertype=0x86DD, ipv6=structure("ipv6"), ipv6_extensions=value)
    under = mask(ethertype=0xFFFF, ipv6=structure("ipv6"), ipv6_extensions=looked_at)
    match = match_of(REGISTRY, asked, under)
    matches = all(
        (found := packet.read(term.field)) is not None and found & term.mask == term.value
        for term in match
    )
    bits = sum(LAYERS[layer] for layer in layers)
    assert matches == (bits & looked_at == value & looked_at)
    again, masked = key_of(REGISTRY, match)
    assert match_of(REGISTRY, again, masked) == match
