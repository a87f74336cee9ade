"""Extended acknowledgements, and policies: both say what the table says."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import FAMILIES, Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extended import accept, explain, refuse
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.flags import ACK_ATTRIBUTES, CAPPED
from hotswitch.netlink.message import Acknowledgement, Header, Message
from hotswitch.netlink.policy import listing

CODEC = Codec()


def _refused(request: bytes) -> NetlinkError:
    with pytest.raises(NetlinkError) as caught:
        CODEC.decode(request)
    return caught.value


def _bad_name() -> bytes:
    name = struct.pack("=HH", 7, 1) + b"dp0\0"
    body = struct.pack("=BBHi", 3, 2, 0, 0) + name
    return Header(16 + len(body), CODEC.ids[DATAPATH], 1, 42, 7).encode() + body


def test_an_error_says_which_attribute_and_why() -> None:
    request = _bad_name()
    answer = CODEC.decode(CODEC.encode(refuse(request, _refused(request), port=7)))
    assert isinstance(answer, Acknowledgement)
    assert (answer.error, answer.sequence, answer.port) == (errno.ERANGE, 42, 7)
    assert answer.request == request
    assert answer.flags == ACK_ATTRIBUTES
    assert answer.attributes == Attributes(
        message="name: no zero byte ends the string",
        offset=24,
        policy=Attributes(type=12, maximum_length=15),
    )


def test_it_can_be_capped_and_plain() -> None:
    request = _bad_name()
    error = _refused(request)
    capped = refuse(request, error, port=7, capped=True)
    assert capped.request == request[:16]
    assert capped.flags == CAPPED | ACK_ATTRIBUTES
    plain = refuse(request, error, port=7, extended=False)
    assert plain.attributes == Attributes()
    assert plain.flags == 0
    for answer in (capped, plain):
        assert CODEC.decode(CODEC.encode(answer)) == answer


def test_what_is_missing_is_said() -> None:
    error = NetlinkError("there is no name", missing=1)
    assert explain(error) == Attributes(message="there is no name", missing_type=1)
    nested = NetlinkError("there is no pid", missing=1, offset=32, path=("actions", "userspace"))
    assert explain(nested) == Attributes(
        message="actions.userspace: there is no pid", missing_type=1, missing_nest=32
    )


@given(st.binary(max_size=40))
def test_junk_gets_an_answer_that_can_be_sent(junk: bytes) -> None:
    answer = refuse(junk, NetlinkError("not Netlink"), port=1)
    assert CODEC.decode(CODEC.encode(answer)) == answer


def test_success_has_the_header_only() -> None:
    request = CODEC.encode(Message(DATAPATH, "get", Attributes(name="dp0"), sequence=9))
    answer = accept(request, port=3)
    assert answer == Acknowledgement(0, request[:16], sequence=9, port=3)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_policies_can_be_sent_and_are_complete(family: object) -> None:
    assert family in FAMILIES
    for found in FAMILIES:
        if found is not family:
            continue
        messages = list(listing(found, 33))
        for attributes in messages:
            message = Message(CONTROLLER, "getpolicy", attributes, version=2)
            assert CODEC.decode(CODEC.encode(message)) == message
        described = {
            number
            for each in messages
            if "policy" in each
            for index, entry in each["policy"]
            for number, _ in entry
            if index == 0
        }
        checked = any(each.flags & 8 for each in found.commands)
        assert described == (set(found.attributes.by_number) if checked else set())


def test_nested_policies_point_to_each_other() -> None:
    policies: dict[int, dict[int, Attributes]] = {}
    for each in listing(FLOW, 34):
        for index, entry in each.get("policy", Attributes()):
            for number, said in entry:
                policies.setdefault(index, {})[number] = said
    key = policies[0][1]
    mask = policies[0][7]
    assert key["policy"] == mask["policy"]
    assert key["maximum_type"] == 32
    assert policies[key["policy"]][1]["policy"] == key["policy"]  # encap
    assert policies[key["policy"]][3] == Attributes(type=4, minimum=0, maximum=0xFFFFFFFF)


def test_one_command_can_be_asked_about() -> None:
    uses = [each["operation_policy"] for each in listing(FLOW, 34, 3) if "policy" not in each]
    assert uses == [Attributes(((3, Attributes(do=0, dump=0)),))]
