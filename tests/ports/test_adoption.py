"""Patterns, rules, and whether two of them can want the same device."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel.links import Link
from hotswitch.ports.adoption import fit, overlap, read_rules, show_rules
from hotswitch.ports.errors import PortTextError
from hotswitch.ports.patterns import common_name, read_pattern

ALPHABET = "ab."
NAMES = ["".join(each) for size in range(1, 6) for each in itertools.product(ALPHABET, repeat=size)]

pieces = st.sampled_from(["a", "b", ".", "?", "*", "{x}", "{y}", "{z}"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    found = draw(st.lists(pieces, min_size=1, max_size=4))
    once = [each for at, each in enumerate(found) if "{" not in each or each not in found[:at]]
    text = "".join(once)
    return "a" if text in (".", "..") else text


@given(patterns(), patterns())
def test_two_patterns_overlap_if_and_only_if_a_name_fits_both(one: str, other: str) -> None:
    first, second = read_pattern(one), read_pattern(other)
    name = common_name(first, second)
    both = [
        each for each in NAMES if first.match(each) is not None and second.match(each) is not None
    ]
    if name:
        assert first.match(name) is not None and second.match(name) is not None
        assert not both or len(name) <= len(both[0])
    else:
        assert not both
    assert bool(common_name(second, first)) is bool(name)


def test_stars_in_a_row_are_one() -> None:
    assert read_pattern("*" * 60 + "a**").steps == read_pattern("*a*").steps


def test_no_name_is_longer_than_a_link_s() -> None:
    assert common_name(read_pattern("a" * 15 + "*"), read_pattern("*")) == "a" * 15
    assert common_name(read_pattern("a" * 16 + "*"), read_pattern("*")) == ""
    assert common_name(read_pattern("?" * 15), read_pattern("*b")) == "x" * 14 + "b"
    assert common_name(read_pattern("?" * 16), read_pattern("*")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "a:b",
        "{",
        "{}",
        "{A}",
        "{a}{a}",
        "a,b",
        "a;b",
        "[a]",
        "ä",
        "x" * 64,
    ],
)
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(PortTextError):
        read_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        "tap*.* lifecycle=ephemeral tag=5",
        "tap*; vnet?,kind=tun mtu=9000",
        "*,driver=virtio_net trunks=10,20",
        "tap{dom}.{dev}+vif{dom}.{dev} external-ids:vm-id=7 tag=5",
        "*,kind=tun vif=address",
        "*,master=docker0",
    ],
)
def test_rules_round_trip(text: str) -> None:
    assert show_rules(read_rules(text)) == text


def test_spaces_and_empty_rules_do_not_matter() -> None:
    assert read_rules(" ; tap*   tag=1 ;;") == read_rules("tap* tag=1")
    assert read_rules("") == read_rules("  ") == ()
    assert read_rules("kind=tun") == read_rules("*,kind=tun")


@pytest.mark.parametrize(
    "text",
    [
        "tap*,vnet*",
        "tap* tag",
        "tap* tag=1 tag=2",
        "tap*,colour=red",
        "tap*,kind=",
        "tap*,kind=a,kind=b",
        "tap{a}+vif{b}",
        "tap{a}*+vif{a}",
        "tap+vif",
        "tap* vif=name",
        "tap*+",
        " ;;; ",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(PortTextError):
        read_rules(text)


def test_as_many_rules_as_can_be_compared_and_no_more() -> None:
    assert len(read_rules(";".join(f"tap{number}" for number in range(128)))) == 128
    pairs = ";".join(f"tap{number}{{x}}+vif{number}{{x}}" for number in range(65))
    with pytest.raises(PortTextError, match="130 patterns of names are too many"):
        read_rules(pairs)


@given(st.text() | st.text(alphabet="tapx*?{}.,;= +kind"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        rules = read_rules(text)
    except PortTextError:
        return
    assert read_rules(show_rules(rules)) == rules


def port(text: str, link: Link, master: str = "") -> str:
    found = fit(read_rules(text), link, master)
    return f"{found.port}/{found.place}" if found else ""


def test_devices_fit_rules() -> None:
    tap = Link(1, "tap7.0", kind="tun", driver="tun", address=0x020000000001)
    assert port("tap*.*", tap) == "tap7.0/0"
    assert port("tap?", tap) == port("tap*,kind=veth", tap) == port("tap*,driver=x", tap) == ""
    assert port("kind=tun", tap) == "tap7.0/0"
    assert port("tap*", tap, master="br9") == port("tap*,master=br8", tap, master="br9") == ""
    assert port("tap*,master=br9", tap, master="br9") == "tap7.0/0"
    assert port("vif{d}.{i}+tap{d}.{i}", tap) == "vif7.0/1"
    assert port("kind=tun vif=address", tap) == "vif020000000001/0"
    assert port("x*; t*", tap) == "tap7.0/0"
    assert port("longer-than-it-{d}.{i}+tap{d}.{i}", tap) == ""


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ("tap*", "tap1*", "tap1"),
        ("tap*,kind=tun", "tap1*,kind=veth", ""),
        ("tap*,kind=tun", "tap1*,driver=x", "tap1"),
        ("tap*,master=a", "tap*,master=b", ""),
        ("tap*,master=a", "tap*", ""),
        ("a*; b*", "c*; ?b", "ab"),
        ("tap{d}.{i}+vif{d}.{i}", "vif1.0", "vif1.0"),
        ("tap{d}", "tap1.0", ""),
    ],
)
def test_rules_overlap(one: str, other: str, name: str) -> None:
    assert overlap(read_rules(one), read_rules(other)) == name
