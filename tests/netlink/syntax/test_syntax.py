"""Flows as text: what is shown is read again, whatever it is; and what can't be read is said."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.families.actions import ACTION
from hotswitch.netlink.families.flow import FlowStatistics
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.syntax import actions as action_forms
from hotswitch.netlink.syntax import keys as key_forms
from hotswitch.netlink.syntax.actions import show_actions
from hotswitch.netlink.syntax.errors import FlowSyntaxError
from hotswitch.netlink.syntax.flow import read_actions, read_flow, show_flow, show_match
from hotswitch.netlink.syntax.form import Style
from tests.netlink.syntax import values
from tests.netlink.values import of_set

VERBOSE = Style(verbose=True)
PORTS = {"p1": 1, "tap0": 2, "3com": 3, "pop_vlan": 4, "drop": 5, "clone": 6, "7": 8, "0xa": 9}
NAMES = {number: name for name, number in PORTS.items()}


def unordered(value: Any) -> Any:
    """The same whatever the order of attributes that are no actions is."""
    if isinstance(value, Attributes):
        return frozenset((name, unordered(each)) for name, each in value)
    return value


def in_order(actions: Attributes) -> Any:
    """The same whatever the order is of what is within an action."""
    nested = {"actions", "if_greater", "if_less_equal"}
    return tuple(
        (
            name,
            in_order(value)
            if name == "clone"
            else frozenset(
                (part, in_order(each) if part in nested and each is not True else unordered(each))
                for part, each in value
            )
            if isinstance(value, Attributes)
            else value,
        )
        for name, value in actions
    )


def test_the_tables_have_every_attribute() -> None:
    assert [form.attribute for form in key_forms.FORMS] == [each.name for each in KEY.attributes]
    said = {form.attribute for form in action_forms.FORMS} | {"output", "set", "set_masked"}
    assert said == {each.name for each in ACTION.attributes}


@pytest.mark.parametrize("name", [form.attribute for form in key_forms.FORMS])
@settings(max_examples=25)
@given(data=st.data())
def test_a_key_that_is_shown_is_read_again(name: str, data: st.DataObject) -> None:
    key, mask = data.draw(values.key_of(name))
    text = show_match(Attributes(key=key, mask=mask), VERBOSE)
    read = read_flow(text)
    assert (unordered(read.key), unordered(read.mask)) == (unordered(key), unordered(mask)), text
    assert KEY.encode(read.key) and KEY.encode(read.mask)


@given(values.keys(), values.actions(), st.booleans())
def test_a_flow_s_line_is_read_again(pair: Any, actions: Attributes, names: bool) -> None:
    key, mask = pair
    counted = FlowStatistics.value(packets=3, bytes=300)
    flow = Attributes(
        ufid=bytes(range(16)), key=key, mask=mask, statistics=counted, used=1000, actions=actions
    )
    flow += Attributes(tcp_flags=0x12)
    line = show_flow(flow, 2500, Style(True, NAMES if names else {}))
    assert ", packets:3, bytes:300, used:1.500s, flags:S., dp:ovs, actions:" in line
    read = read_flow(line, PORTS)
    assert read.ufid == flow["ufid"]
    assert (unordered(read.key), unordered(read.mask)) == (unordered(key), unordered(mask))
    assert read.actions is not None and in_order(read.actions) == in_order(actions)


@pytest.mark.parametrize("name", values.NAMES)
@settings(max_examples=25)
@given(data=st.data())
def test_an_action_that_is_shown_is_read_again(name: str, data: st.DataObject) -> None:
    actions = Attributes([data.draw(values.action(name))])
    text = show_actions(actions, Style(ports=NAMES))
    read = read_actions(text, PORTS)
    assert in_order(read) == in_order(actions), text
    data = ACTION.encode(read)
    assert ACTION.decode(data, 0, len(data)) == read


@given(of_set(KEY), of_set(KEY), of_set(ACTION), st.booleans())
def test_whatever_the_codec_takes_can_be_shown(
    key: Attributes, mask: Attributes, actions: Attributes, verbose: bool
) -> None:
    """Also what makes no sense, from a server that is not ours."""
    style = Style(verbose)
    assert show_flow(Attributes(key=key, mask=mask, actions=actions), 0, style)
    assert show_match(Attributes(key=key), style)


_SYNTAX = "()/,=+-:.0123456789abcdefxp "
_WORDS = st.sampled_from(
    [form.name + "(" for form in (*key_forms.FORMS, *action_forms.FORMS)]
    + ["src=", "dst=", "vid=", "actions(", "nat(", "gbp(", "{class=", "ufid:", "drop", "set(", "1"]
)


@given(st.lists(_WORDS | st.text(_SYNTAX, max_size=6) | st.text(max_size=3), max_size=12))
def test_any_text_is_read_or_refused(words: list[str]) -> None:
    for read in (read_flow, read_actions):
        try:
            read("".join(words))
        except FlowSyntaxError as error:
            assert "column" in str(error) and error.expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("in_port(1),ipv5()", "flow, column 12, at 'ipv5()': one of encap(), "),
        ("in_port(p9)", "column 9, at 'p9)': the number or the name of a port of this datapath"),
        ("eth(src=1)", "column 9, at '1)': an address like 00:00:00:00:00:01"),
        ("eth(dst=00:00:00:00:00:01,dst=00:00:00:00:00:01)", "column 27, at 'dst=00"),
        ("ipv4(tos=256)", "column 10, at '256)': a number from 0 to 255"),
        ("ipv4(tos=010)", "column 11, at '10)': ')' is expected"),
        ("tcp_flags(+syn-syn)", "column 16, at 'syn)': each flag only once"),
        ("in_port(1)eth()", "column 11, at 'eth()': a comma"),
        ("in_port(1),in_port(2)", "column 12, at 'in_port(2)': in_port only once"),
        ("in_port(1", "column 10, at its end: ')' is expected"),
        ("in_port(1))", "column 11, at ')': the end, or a comma"),
        ("ufid:12", "column 6, at '12': 32 hexadecimal digits"),
        ("tunnel(src=1.1.1.1,flags(+key))", "column 8, at 'src=1.1.1.1,flags(+key))': tun_id="),
        ("encap(" * 40, "no more than 32 levels"),
        ("mpls(label=1,label=2,label=3,label=4)", "column 30, at 'label=4)': no more than 3"),
        ("ct_label(0x1" + "0" * 32 + ")", "column 10"),
    ],
)
def test_what_is_wrong_with_a_flow_is_said(text: str, says: str) -> None:
    with pytest.raises(FlowSyntaxError) as refused:
        read_flow(text, PORTS)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("outptu(1)", "actions, column 1, at 'outptu(1)': a port or one of userspace"),
        ("p9", "column 1, at 'p9': a port"),
        ("1,drop", "column 3, at 'drop': drop(N)"),
        ("drop,1", "column 1, at 'drop,1': drop alone"),
        ("push_vlan(vid=4096)", "column 15, at '4096)': a number from 0 to 4095"),
        ("push_vlan(vid=1/0xff)", "column 16, at '/0xff)': ')'"),
        ("set(tunnel(tun_id=1/2))", "column 20"),
        ("sample(sample=101%,actions(1))", "column 15, at '101%,actions(1))': a percentage of at"),
        ("sample(actions(1))", "sample=N%"),
        ("userspace()", "column 11, at ')': pid=N"),
        ("userspace(pid=1,slow_path(cmf))", "column 27, at 'cmf))': cfm,bfd"),
        ("userspace(pid=1,slow_path(bfd,4294967296))", "column 31, at '4294967296))'"),
        (
            "userspace(pid=1,ipfix(output_port=1),userdata(00))",
            "column 38, at 'userdata(00))': one",
        ),
        ("userspace(pid=1,controller(reason=1,reason=1))", "column 37, at 'reason=1))'"),
        ("userspace(pid=1,controller(dont_send=2))", "column 38, at '2))': a number from 0 to 1"),
        ("userspace(pid=1,slow_path(ofproto_uuid=12))", "column 40, at '12))': 32 hexadecimal"),
        (
            "userspace(pid=1,flow_sample(ingress,egress))",
            "column 37, at 'egress))': probability=N",
        ),
        ("ct(nat(src,dst))", "column 12, at 'dst))': only one of src and dst"),
        ("ct(nat(src=10.0.0.2-10.0.0.1))", "column 12, at '10.0.0.2-10.0.0.1))': the lower"),
        ("clone(" * 40, "no more than 32 levels"),
        ("trunc", "column 1, at 'trunc': trunc(N)"),
        ("clone(1", "column 8, at its end: ')'"),
    ],
)
def test_what_is_wrong_with_actions_is_said(text: str, says: str) -> None:
    with pytest.raises(FlowSyntaxError) as refused:
        read_actions(text, {})
    assert says in str(refused.value)


def test_what_open_vswitch_s_daemon_puts_into_user_data_is_named() -> None:
    text = (
        "userspace(pid=1,controller(reason=1,dont_send=0,continuation=0,recirc_id=5,"
        "rule_cookie=0x77,controller_id=0,max_len=65535,ofp_in_port=3,"
        "ofproto_uuid=00000001-0000-0002-0000-000300000004))"
    )
    data = struct.pack(
        "=HxxI4I" + "BBHI8sHHI",
        *(5, 3, 1, 2, 3, 4),
        *(0, 0, 1, 5, bytes(7) + b"\x77", 0, 0xFFFF, 0),
    )
    actions = Attributes(userspace=Attributes(pid=1, userdata=data))
    assert show_actions(actions, Style()) == text
    assert read_actions(text) == actions
    for unknown in (data[:-1], data[:-1] + b"1", b"\6" + data[1:]):
        shown = show_actions(Attributes(userspace=Attributes(pid=1, userdata=unknown)), Style())
        assert shown == f"userspace(pid=1,userdata({unknown.hex()}))"


def test_ports_have_names_where_those_can_be_read_back() -> None:
    actions = Attributes([("output", number) for number in range(1, 10)])
    shown = show_actions(actions, Style(ports=NAMES))
    assert shown == "p1,tap0,3com,4,5,6,7,8,9"
    assert show_match(Attributes(key=Attributes(in_port=1)), Style(ports=NAMES)) == "in_port(p1)"
