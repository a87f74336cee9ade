from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.ufid import identity, read, show, shown

UFID = bytes(range(16))


@given(st.binary(min_size=16, max_size=16))
def test_the_text_is_read_again(ufid: bytes) -> None:
    assert read(show(ufid)) == ufid


def test_the_text() -> None:
    assert show(struct.pack("=4I", 0x00010203, 0x04050607, 0x08090A0B, 0x0C0D0E0F)) == (
        "00010203-0405-0607-0809-0a0b0c0d0e0f"
    )
    for text in ("", "0001", show(UFID) + "0", show(UFID).replace("-", ""), "ufid:" + show(UFID)):
        with pytest.raises(NetlinkError):
            read(text)


def test_a_flow_is_its_ufid_or_its_key() -> None:
    one = Attributes(in_port=1, priority=3)
    other = Attributes(priority=3, in_port=1)
    port = Attributes(in_port=1)
    assert identity(Attributes(key=one)) == identity(Attributes(key=other))
    assert identity(Attributes(key=one)) != identity(Attributes(key=port))
    zeros = port + Attributes(recirc_id=0, ct_labels=bytes(16), in_port=1)
    assert identity(Attributes(key=Attributes(zeros.pairs[:3]))) == identity(Attributes(key=port))
    assert identity(Attributes(key=one, ufid=UFID)) == UFID
    assert len(identity(Attributes(key=Attributes()))) > 16
    with pytest.raises(NetlinkError) as caught:
        identity(Attributes())
    assert caught.value.missing == 1


def test_what_is_left_out_of_an_answer() -> None:
    flow = Attributes(ufid=UFID, key=Attributes(), mask=Attributes(), used=5, actions=Attributes())
    assert shown(flow, 5).names == ("ufid", "mask", "used")
    assert shown(flow, 0) is flow
    assert shown(Attributes(flow.pairs[1:]), 7).names == ("key", "used")
