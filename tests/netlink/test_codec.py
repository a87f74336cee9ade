"""The codec by itself: round trips, and what is not a message."""

from __future__ import annotations

import contextlib
import errno
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import FAMILIES, Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.actions import ACTION
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY, Ethernet, Ipv4
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import Acknowledgement, Control, Done, Header, Message, split
from hotswitch.netlink.nested import Encoded
from hotswitch.netlink.types import Masked
from tests.netlink.recorded import everything
from tests.netlink.values import messages

CODEC = Codec()


@given(messages(CODEC))
def test_what_is_encoded_is_decoded(message: Message) -> None:
    data = CODEC.encode(message)
    assert CODEC.decode(data) == message
    assert split(data) == [data]


@given(
    st.builds(Done, error=st.integers(0, 4095), sequence=st.integers(0, 9), port=st.integers(0, 9))
    | st.builds(Control, type=st.sampled_from([1, 4]), body=st.binary(max_size=9))
)
def test_control_messages_round_trip(message: Done | Control) -> None:
    assert CODEC.decode(CODEC.encode(message)) == message


@given(st.binary(max_size=200))
def test_junk_is_refused_cleanly(junk: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        split(junk)
    with contextlib.suppress(NetlinkError):
        CODEC.decode(junk)


@given(st.sampled_from(FAMILIES), st.integers(0, 12), st.binary(max_size=120))
def test_junk_behind_a_good_header_is_refused_cleanly(
    family: Any, command: int, junk: bytes
) -> None:
    body = struct.pack("=BBH", command, 1, 0) + bytes(family.header) + junk
    data = Header(16 + len(body), CODEC.ids[family]).encode() + body
    with contextlib.suppress(NetlinkError):
        message = CODEC.decode(data)
        # What is accepted means what it says: written again it means the same.
        assert CODEC.decode(CODEC.encode(message)) == message


@given(messages(CODEC), st.data())
def test_damage_is_refused_cleanly(message: Message, data: st.DataObject) -> None:
    whole = bytearray(CODEC.encode(message))
    for _ in range(3):
        place = data.draw(st.integers(16, len(whole) - 1))
        whole[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(NetlinkError):
        CODEC.decode(bytes(whole))


def test_a_message_cut_anywhere_is_refused_cleanly() -> None:
    shortest: dict[str, bytes] = {}
    for each in everything():
        if isinstance(each.message, Message):
            key = f"{each.message.family.name}.{each.message.command}{len(each.data) // 64}"
            shortest.setdefault(key, each.data)
    assert len(shortest) > 20
    for data in shortest.values():
        for length in range(len(data)):
            with pytest.raises(NetlinkError):
                CODEC.decode(data[:length])
            if length >= 16:
                # With a length that agrees, it may end between two attributes.
                shorter = struct.pack("=I", length) + data[4:length]
                with contextlib.suppress(NetlinkError):
                    CODEC.decode(shorter)


def _with(family: Any, payload: bytes, command: int = 1) -> bytes:
    body = struct.pack("=BBH", command, 1, 0) + bytes(family.header) + payload
    return Header(16 + len(body), CODEC.ids[family]).encode() + body


def _attribute(number: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), number) + payload + bytes(-len(payload) % 4)


START = 16 + 4 + 4
"""Where the attributes of the OVS families begin."""


def _refusal(data: bytes) -> NetlinkError:
    with pytest.raises(NetlinkError) as caught:
        CODEC.decode(data)
    return caught.value


def test_the_error_names_the_attribute_and_its_place() -> None:
    inner = _attribute(3, bytes(4)) + _attribute(7, bytes(11))
    error = _refusal(_with(FLOW, _attribute(9, b"ufid") + _attribute(1, inner)))
    assert error.attribute == "key.ipv4"
    assert error.offset == START + 8 + 4 + 8
    assert error.errno == errno.EINVAL
    assert str(error) == "key.ipv4: 11 bytes where struct ovs_key_ipv4 has 12"


@pytest.mark.parametrize(
    ("family", "payload", "attribute", "offset", "number"),
    [
        (DATAPATH, _attribute(1, b"dp0"), "name", START, errno.ERANGE),
        (DATAPATH, _attribute(1, b"a\0b\0"), "name", START, errno.ERANGE),
        (DATAPATH, _attribute(1, b"x" * 16 + b"\0"), "name", START, errno.ERANGE),
        (DATAPATH, _attribute(2, b"\1"), "upcall_pid", START, errno.ERANGE),
        (DATAPATH, _attribute(8, b""), "per_cpu_pids", START, errno.ERANGE),
        (DATAPATH, _attribute(9, struct.pack("=i", -1)), "ifindex", START, errno.ERANGE),
        (FLOW, _attribute(6, b"\1"), "clear", START, errno.ERANGE),
        (FLOW, _attribute(9, bytes(17)), "ufid", START, errno.ERANGE),
        (FLOW, _attribute(1, _attribute(77, b"")), "key", START + 4, errno.EINVAL),
        (FLOW, _attribute(1, _attribute(3, bytes(4)) * 2), "key.in_port", START + 12, errno.EINVAL),
        (FLOW, _attribute(2, _attribute(4, b"\1")), "actions.push_vlan", START + 4, errno.EINVAL),
        (FLOW, _attribute(1, b"")[:3], "", START, errno.EINVAL),
        (FLOW, _attribute(6, b"") + b"\0\0", "", START + 4, errno.EINVAL),
        (FLOW, struct.pack("=HH", 3, 1), "", START, errno.EINVAL),
        (FLOW, struct.pack("=HH", 60000, 1), "", START, errno.EINVAL),
        (VPORT, _attribute(4, _attribute(1, b"\1")), "options.destination_port", START + 4, None),
    ],
)
def test_what_is_refused(
    family: Any, payload: bytes, attribute: str, offset: int, number: int | None
) -> None:
    error = _refusal(_with(family, payload))
    assert error.attribute == attribute
    assert error.offset == offset
    assert number in (None, error.errno)


def test_an_unknown_attribute_at_the_top_is_kept_by_number() -> None:
    data = _with(DATAPATH, _attribute(1234, b"later"))
    message = CODEC.decode(data)
    assert isinstance(message, Message)
    assert message.attributes == Attributes(((1234, b"later"),))
    assert CODEC.decode(CODEC.encode(message)) == message


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (Header(20, 999).encode() + bytes(4), errno.ENOENT),
        (_with(DATAPATH, b"", 9), errno.EOPNOTSUPP),
        (_with(DATAPATH, b"", 0), errno.EOPNOTSUPP),
        (Header(16, 0).encode(), errno.EINVAL),
        (Header(16, 2).encode(), errno.EINVAL),
        (Header(16, 3).encode(), errno.EINVAL),
        (Header(20, 2).encode() + bytes(4), errno.EINVAL),
        (b"", errno.EINVAL),
        (b"GET / HTTP/1.1\r\n\r\n", errno.EINVAL),
        (_with(DATAPATH, b"") + b"\0", errno.EINVAL),
    ],
)
def test_other_things_are_told_apart(data: bytes, number: int) -> None:
    assert _refusal(data).errno == number


def test_nesting_has_a_limit() -> None:
    inner = b""
    for _ in range(5000):
        inner = _attribute(20, inner)  # clone in clone
    error = _refusal(_with(FLOW, _attribute(2, inner[:60000])))
    assert error.attribute.startswith("actions.clone.clone")
    actions = Attributes()
    for _ in range(5000):
        actions = Attributes(clone=actions)
    with pytest.raises(NetlinkError, match="too deep"):
        CODEC.encode(Message(FLOW, "new", Attributes(actions=actions)))


def test_several_messages_in_a_datagram() -> None:
    one = CODEC.encode(Message(PACKET, "miss", Attributes(packet=b"x" * 13), padded=False))
    two = CODEC.encode(Done())
    assert len(one) % 4 == 1
    assert split(one + bytes(3) + two) == [one, two]
    assert CODEC.decode(one) == Message(
        PACKET, "miss", Attributes(packet=b"x" * 13), version=1, padded=False
    )


@pytest.mark.parametrize(
    "attributes",
    [
        Attributes(name=1),
        Attributes(name="a\0"),
        Attributes(name="x" * 16),
        Attributes(name="\ud8ff"),
        Attributes(upcall_pid=-1),
        Attributes(upcall_pid=1 << 32),
        Attributes(upcall_pid="1"),
        Attributes(statistics=(1, 2, 3, 4)),
        Attributes(statistics=DATAPATH.attributes.by_name["statistics"].type.value(1, 2, -3, 4)),  # type: ignore[attr-defined]
        Attributes(per_cpu_pids=[1]),
        Attributes(nothing=1),
        Attributes(((1 << 15, b""),)),
        Attributes(((77, "text"),)),
    ],
)
def test_values_that_do_not_fit_are_refused(attributes: Attributes) -> None:
    with pytest.raises(NetlinkError):
        CODEC.encode(Message(DATAPATH, "get", attributes))


def test_headers_that_do_not_fit_are_refused() -> None:
    for message in (
        Message(DATAPATH, "frobnicate"),
        Message(DATAPATH, "get", datapath=1 << 31),
        Message(DATAPATH, "get", version=256),
        Message(DATAPATH, "get", sequence=-1),
        Message(PACKET, "miss", Attributes(packet=bytes(70000))),
        Done(error=1 << 40),
    ):
        with pytest.raises(NetlinkError):
            CODEC.encode(message)
    with pytest.raises(NetlinkError):
        Codec({16: CONTROLLER}).encode(Message(DATAPATH, "get"))


def test_byte_orders() -> None:
    key = Attributes(ethertype=0x0800, in_port=0x01020304)
    assert KEY.encode(key) == (
        b"\x06\0\x06\0\x08\0\0\0" + struct.pack("=HH", 8, 3) + struct.pack("=I", 0x01020304)
    )
    ethernet = Ethernet.value(src=0x0A0B0C0D0E0F, dst=0x010203040506)
    assert KEY.encode(Attributes(ethernet=ethernet))[4:].hex() == "0a0b0c0d0e0f010203040506"


def test_masked_sets_have_values_and_masks() -> None:
    address = Ipv4.value(0x0A000001, 0, 0, 0, 0, 0)
    mask = Ipv4.value(0xFFFFFF00, 0, 0, 0, 0, 0)
    actions = Attributes(set_masked=Attributes(ipv4=Masked(address, mask)))
    data = ACTION.encode(actions)
    assert data[8:].hex() == (
        "0a000001000000000000000000"[:24].ljust(24, "0") + "ffffff00".ljust(24, "0")
    )
    assert ACTION.decode(data, 0, len(data)) == actions


def test_what_is_encoded_already_can_be_nested() -> None:
    key = Attributes(in_port=1, ethertype=0x0806)
    plain = Message(FLOW, "get", Attributes(key=key, ufid=b"1"))
    quick = Message(FLOW, "get", Attributes(key=Encoded(KEY.encode(key)), ufid=b"1"))
    assert CODEC.encode(quick) == CODEC.encode(plain)


def test_an_error_in_a_mask_has_its_place_every_time() -> None:
    payload = _attribute(9, b"id") + _attribute(7, _attribute(3, bytes(4)) + _attribute(6, b"\1"))
    for _ in range(3):
        error = _refusal(_with(FLOW, payload))
        assert error.attribute == "mask.ethertype"
        assert error.offset == START + 8 + 4 + 8


def test_an_acknowledgement_keeps_the_request() -> None:
    request = CODEC.encode(Message(DATAPATH, "get", Attributes(name="dp0"), sequence=7))
    refused = Acknowledgement(19, request, sequence=7)
    assert CODEC.decode(CODEC.encode(refused)) == refused
    accepted = Acknowledgement(0, request[:16], sequence=7)
    assert CODEC.decode(CODEC.encode(accepted)) == accepted


def test_of_a_family_s_own_attributes_that_come_twice_the_last_counts() -> None:
    """As with the kernel (nla_parse); the kernel's own ovs-dpctl.py sends one of them twice."""
    codec = Codec()
    twice = Attributes((("name", "dp1"), ("upcall_pid", 5), ("upcall_pid", 0)))
    data = codec.encode(Message(DATAPATH, "new", twice))
    found = codec.decode(data)
    assert isinstance(found, Message)
    assert found.attributes["upcall_pid"] == 0
    assert codec.encode(found) == data


def test_a_message_is_shown_without_its_family_s_table() -> None:
    assert repr(Message(FLOW, "get", Attributes(ufid=b"1"))).startswith(
        "Message(family=<ovs_flow>, command='get', attributes=Attributes(ufid=b'1')"
    )
