"""Requests, and what the controller says of families."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from hotswitch.netlink.announce import describe_family
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import FAMILIES, Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.flags import DUMP, REQUEST
from hotswitch.netlink.message import Message
from hotswitch.netlink.requests import check_request, is_dump
from tests.netlink.recorded import everything

NEWER = {"ovs_vport": 10, "ovs_packet": 12}
"""The highest attribute, where Linux has got more since the recording."""


def test_recorded_requests_are_requests() -> None:
    count = 0
    for each in everything():
        message = each.message
        if isinstance(message, Message) and message.flags & REQUEST:
            check_request(message)
            count += 1
    assert count > 1100


def test_families_are_described_as_the_kernel_does() -> None:
    families = {family.name: family for family in FAMILIES}
    seen = set()
    for each in everything():
        if not isinstance(each.message, Message) or each.message.command != "newfamily":
            continue
        said = each.message.attributes
        family = families[said["family_name"]]
        groups = {group["name"]: group["id"] for _, group in said.get("groups", ())}
        mine = describe_family(family, said["family_id"], groups)
        assert mine.names == said.names
        for name, value in mine:
            if name == "operations":  # the kernel's meters have theirs in another order
                assert sorted(map(repr, dict(value).values())) == sorted(
                    map(repr, dict(said[name]).values())
                )
            elif name == "maximum_attribute":
                assert value == NEWER.get(family.name, said[name])
            else:
                assert value == said[name]
        seen.add(family.name)
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("message", "number", "missing"),
    [
        (Message(DATAPATH, "new", Attributes(name="x")), errno.EINVAL, 2),
        (Message(DATAPATH, "new", Attributes(upcall_pid=0)), errno.EINVAL, 1),
        (Message(VPORT, "new", Attributes(name="x", upcall_pid=(0,))), errno.EINVAL, 2),
        (Message(FLOW, "new", Attributes(actions=Attributes())), errno.EINVAL, 1),
        (Message(FLOW, "set", Attributes(ufid=b"1")), errno.EINVAL, 1),
        (Message(PACKET, "execute", Attributes(packet=b"")), errno.EINVAL, 2),
        (Message(PACKET, "miss"), errno.EOPNOTSUPP, None),
        (Message(CONTROLLER, "getpolicy"), errno.EOPNOTSUPP, None),
        (Message(CONTROLLER, "getfamily"), errno.EINVAL, 2),
        (Message(CONTROLLER, "newfamily"), errno.EOPNOTSUPP, None),
    ],
)
def test_what_is_no_request(message: Message, number: int, missing: int | None) -> None:
    with pytest.raises(NetlinkError) as caught:
        check_request(replace(message, flags=REQUEST))
    assert (caught.value.errno, caught.value.missing) == (number, missing)
    with pytest.raises(NetlinkError, match="not a request"):
        check_request(message)


def test_dumps_need_no_attributes() -> None:
    for family, command in ((CONTROLLER, "getfamily"), (CONTROLLER, "getpolicy"), (FLOW, "get")):
        message = Message(family, command, flags=REQUEST | DUMP)
        check_request(message)
        assert is_dump(message)
    # The same bits in a NEW request are REPLACE and EXCLUSIVE.
    assert not is_dump(Message(FLOW, "new", flags=REQUEST | DUMP))


def test_a_description_can_be_sent() -> None:
    codec = Codec()
    for family, identity in codec.ids.items():
        said = describe_family(family, identity, dict.fromkeys(family.groups, 5))
        message = Message(CONTROLLER, "newfamily", said, version=2)
        assert codec.decode(codec.encode(message)) == message
