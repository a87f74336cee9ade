from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest

from hotswitch.headers.declaration import (
    Checksum,
    Field,
    Header,
    Length,
    Oxm,
    Select,
    TotalLength,
    Under,
)
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.protocols import ethernet, ipv4, ipv6, tcp, vlan
from hotswitch.headers.registry import FieldKind, Registry
from hotswitch.headers.standard import BUILT_IN


def test_layers_stand_outer_before_inner(registry: Registry) -> None:
    order = list(registry.layers)
    assert order[:7] == ["ethernet", "vlan", "vlan2", "mpls", "mpls2", "mpls3", "arp"]
    position = {registry.layers[name].header.name: at for at, name in enumerate(order)}
    for name, nexts in registry.followers.items():
        for inner in nexts:
            if inner not in registry.cycles.get(name, ()):
                assert position[name] < position[inner], (name, inner)


def test_the_order_does_not_depend_on_who_comes_last() -> None:
    backwards = Registry(reversed(BUILT_IN))
    order = list(backwards.layers)
    assert order[0] == "ethernet"
    assert order.index("vlan") < order.index("ipv6") < order.index("ipv6_fragment")
    assert order.index("authentication") < order.index("tcp")


def test_occurrences(registry: Registry) -> None:
    layer = registry.layers["mpls3"]
    assert (layer.name, layer.header.name, layer.occurrence) == ("mpls3", "mpls", 2)


def test_cycles(registry: Registry) -> None:
    assert registry.cycles["vlan"] == {"vlan"}
    extensions = registry.cycles["ipv6_fragment"]
    assert {"ipv6_routing", "authentication", "ipv6_hop_by_hop"} <= extensions
    assert registry.cycles["ipv6_routing"] == extensions
    assert not {"ethernet", "ipv4", "ipv6", "tcp"} & set(registry.cycles)


def test_fields_of_each_kind(registry: Registry) -> None:
    source = registry.field("ipv4.src")
    assert (source.kind, source.layer, source.bit, source.width, source.settable) == (
        FieldKind.HEADER,
        "ipv4",
        96,
        32,
        True,
    )
    assert registry.field("vlan2.vid").bit == 4
    assert registry.field("vlan.vid").oxm == Oxm(6)
    assert registry.field("vlan2.vid").oxm is None  # OpenFlow speaks of the outermost tag
    assert registry.field("vlan2").kind is FieldKind.PRESENCE
    assert not registry.field("vlan2").settable
    assert registry.field("in_port").kind is FieldKind.META
    assert not registry.field("in_port").settable
    assert registry.field("metadata").settable and registry.field("metadata").width == 64
    assert registry.field("reg15").width == 32
    for name, width, code in (("ethertype", 16, 5), ("ip_protocol", 8, 10)):
        info = registry.field(name)
        assert (info.kind, info.width, info.oxm) == (FieldKind.SPACE, width, Oxm(code))
        assert not info.settable


def test_names_are_unique_and_found_again(registry: Registry) -> None:
    infos = list(registry.fields())
    assert len({info.name for info in infos}) == len(infos)
    for info in infos:
        assert registry.field(info.name) is info


def test_an_oxm_code_means_one_thing(registry: Registry) -> None:
    # IP fields have one code for IPv4 and IPv6, ND targets one for both messages: same width.
    widths: dict[Oxm, int] = {}
    for info in registry.fields():
        if info.oxm:
            assert widths.setdefault(info.oxm, info.width) == info.width, info.name
    basic = {oxm.code for oxm in widths if oxm.oxm_class == 0x8000}
    assert basic == {0, *range(2, 37), 38, 42}  # OpenFlow 1.5, table 12, without phy_port and PBB


@pytest.mark.parametrize(
    "name",
    [
        "ethernet.type",
        "vlan.type",
        "mpls.bottom",
        "ipv4.version",
        "ipv4.ihl",
        "ipv4.total_length",
        "ipv4.protocol",
        "ipv4.fragment_offset",
        "ipv4.more_fragments",
        "ipv6.next_header",
        "ipv6_fragment.fragment_offset",
        "icmpv6.type",
        "tcp.data_offset",
        "udp.length",
        "sctp.src",
    ],
)
def test_what_decides_the_parse_is_not_settable(registry: Registry, name: str) -> None:
    assert not registry.field(name).settable


def test_next(registry: Registry) -> None:
    assert registry.next("ethertype", 0x88A8) is registry.headers["vlan"]
    assert registry.next("ethertype", 0x1234) is None
    assert registry.next("nowhere", 0) is None
    assert registry.start is registry.headers["ethernet"]


@pytest.mark.parametrize(
    ("name", "near"),
    [("ipv4.sorce", "ipv4.src"), ("vlan4", "vlan"), ("etherype", "ethertype")],
)
def test_an_unknown_field_is_refused_with_its_neighbour(
    registry: Registry, name: str, near: str
) -> None:
    with pytest.raises(HeaderError) as caught:
        registry.field(name)
    assert str(caught.value) == f"no field {name!r}; did you mean {near}?"


def test_an_unknown_field_like_no_other(registry: Registry) -> None:
    with pytest.raises(HeaderError, match=r"^no field '\?\?\?'$"):
        registry.field("???")


PLAIN = Header(
    name="plain",
    title="A header for tests",
    fields=(Field("a", 8, settable=False), Field("b", 16), Field("c", 8)),
    under=(Under("ethertype", 0x88B5),),
)
E_, V_ = ethernet.HEADER, vlan.HEADER

BROKEN: dict[str, tuple[str, Callable[[], tuple[Header, ...]]]] = {
    "no ethernet": ("'ethernet'", lambda: (PLAIN,)),
    "twice the same name": ("two headers are named 'plain'", lambda: (E_, PLAIN, PLAIN)),
    "one place, two headers": (
        "'plain' and 'other' are both under key 0x88b5",
        lambda: (E_, PLAIN, replace(PLAIN, name="other")),
    ),
    "half bytes": (
        "31 bits together",
        lambda: (E_, replace(PLAIN, fields=(*PLAIN.fields[:2], Field("c", 7)))),
    ),
    "no fields": ("no fields", lambda: (E_, replace(PLAIN, fields=()))),
    "a field twice": (
        "two fields are named 'a'",
        lambda: (E_, replace(PLAIN, fields=(Field("a", 8), Field("a", 8)))),
    ),
    "a field of no width": (
        "0 bits wide",
        lambda: (E_, replace(PLAIN, fields=(*PLAIN.fields, Field("d", 0)))),
    ),
    "a default too large": (
        "default of field 'a'",
        lambda: (E_, replace(PLAIN, fields=(Field("a", 8, default=256),))),
    ),
    "a strange name": ("small letters", lambda: (E_, replace(PLAIN, name="Plain"))),
    "a dotted field": (
        "'a.b' is not a field's name",
        lambda: (E_, replace(PLAIN, fields=(Field("a.b", 8),))),
    ),
    "select by nothing known": (
        "select names the field 'x'",
        lambda: (E_, replace(PLAIN, select=Select("space", by="x"))),
    ),
    "unless nothing known": (
        "select names the field 'x'",
        lambda: (E_, replace(PLAIN, select=Select("space", by="a", unless=("x",)))),
    ),
    "shows nothing": (
        "has no field to show",
        lambda: (E_, replace(PLAIN, select=Select("space", shown_as="s"))),
    ),
    "length of nothing known": (
        "length names the field 'x'",
        lambda: (E_, replace(PLAIN, length=Length("x", 4))),
    ),
    "length that can be set": (
        "'b' decides how the frame is parsed",
        lambda: (E_, replace(PLAIN, length=Length("b", 4))),
    ),
    "length without a unit": ("unit", lambda: (E_, replace(PLAIN, length=Length("a", 0)))),
    "total length of nothing known": (
        "total_length names the field 'x'",
        lambda: (E_, replace(PLAIN, total_length=TotalLength("x"))),
    ),
    "requires nothing known": (
        "requires names the field 'x'",
        lambda: (E_, replace(PLAIN, requires=MappingProxyType({"x": 1}))),
    ),
    "requires the impossible": (
        "can never be 256",
        lambda: (E_, replace(PLAIN, requires=MappingProxyType({"a": 256}))),
    ),
    "checksum of nothing known": (
        "checksum names the field 'x'",
        lambda: (E_, replace(PLAIN, checksum=Checksum("x"))),
    ),
    "checksum at an odd byte": (
        "at an even byte",
        lambda: (E_, replace(PLAIN, checksum=Checksum("b"))),
    ),
    "an odd address": ("'a' is not a multiple", lambda: (E_, replace(PLAIN, addresses=("a",)))),
    "repeats beyond the chain": ("repeats 2 times", lambda: (E_, replace(PLAIN, repeat=2))),
    "no chain": ("at least 1", lambda: (E_, replace(PLAIN, chain=0))),
    "a key that does not fit": (
        "keys have 16 bits",
        lambda: (E_, replace(PLAIN, under=(Under("ethertype", 0x10000),))),
    ),
    "unreachable": (
        "is under 'etherype', which no header reaches",
        lambda: (E_, replace(PLAIN, under=(Under("etherype", 0x88B5),))),
    ),
    "under nothing": ("under nothing", lambda: (E_, replace(PLAIN, under=()))),
    "a layer named like a field": (
        "layer 'metadata'",
        lambda: (E_, replace(PLAIN, name="metadata")),
    ),
    "a layer named like a space's field": (
        "layer 'ethertype'",
        lambda: (E_, replace(PLAIN, name="ethertype")),
    ),
    "a layer named like an occurrence": (
        "two layers are named 'vlan2'",
        lambda: (E_, V_, replace(PLAIN, name="vlan2")),
    ),
    "a shown field of another width": (
        "shows 'ethertype' with another width",
        lambda: (E_, replace(PLAIN, select=Select("s", by="a", shown_as="ethertype"))),
    ),
    "a shown field that is a register": (
        "shows 'reg0'",
        lambda: (E_, replace(PLAIN, select=Select("s", by="a", shown_as="reg0"))),
    ),
    "a cycle of two minds": (
        "'vlan' and 'plain' can follow each other but have chain=2 and chain=1",
        lambda: (
            E_,
            V_,
            replace(PLAIN, select=Select("ethertype", by="b", shown_as="ethertype", oxm=Oxm(5))),
        ),
    ),
}


def test_the_plain_header_is_sound() -> None:
    assert Registry((E_, V_, PLAIN)).field("plain.c").bit == 24
    assert Registry((E_, ipv4.HEADER, ipv6.HEADER, tcp.HEADER)).header("tcp") is tcp.HEADER


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_declaration_is_refused(case: str) -> None:
    message, headers = BROKEN[case]
    with pytest.raises(HeaderError) as caught:
        Registry(headers())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
