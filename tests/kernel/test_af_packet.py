"""Whole frames over a veth pair, tags and all."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import Frame, PacketSocket, restore
from hotswitch.kernel.error import KernelError
from tests.kernel.conftest import Pair, wait_for

ADDRESSES = bytes.fromhex("02000000000a02000000000b")


def frame(tags: str, payload: bytes = bytes(50)) -> bytes:
    return ADDRESSES + bytes.fromhex(tags) + b"\x88\xb5" + payload


def receive(receiver: PacketSocket) -> bytes:
    """The next frame of this test; the kernel itself sends others."""

    def next_frame() -> bytes | None:
        got = receiver.receive()
        return got.data if got and got.data[:12] == ADDRESSES else None

    return wait_for(next_frame)


@pytest.mark.parametrize(
    "tags",
    ["", "81000064", "8100e064", "88a80005", "88a8000581000006", "8100000581000006", "81000000"],
)
def test_a_frame_arrives_with_all_its_tags(tags: str, pair: Pair) -> None:
    with PacketSocket(pair.near) as sender, PacketSocket(pair.far) as receiver:
        for size in (50, 1400):
            sent = frame(tags, bytes(range(200)) * 7 if size == 1400 else bytes(size))
            sender.send(sent)
            assert receive(receiver) == sent


def test_what_is_sent_here_is_not_received_here(pair: Pair) -> None:
    with PacketSocket(pair.near) as one, PacketSocket(pair.far) as other:
        one.send(frame("", b"first" + bytes(50)))
        other.send(frame("", b"second" + bytes(50)))
        assert receive(one)[14:20] == b"second"
        assert receive(other)[14:19] == b"first"


def test_errors(pair: Pair) -> None:
    with PacketSocket(pair.near) as sender:
        with pytest.raises(KernelError, match="send a frame of 9000 bytes"):
            sender.send(bytes(9000))
        with pytest.raises(KernelError, match="send a frame of 5 bytes"):
            sender.send(bytes(5))
        link_actions.delete(pair.near)
        with pytest.raises(KernelError, match="send a frame of 64 bytes"):
            sender.send(bytes(64))
    with pytest.raises(KernelError, match="packet socket on the link 4711"):
        PacketSocket(4711)


@given(
    st.binary(min_size=14, max_size=80),
    st.integers(0, 0xFFFF),
    st.sampled_from([0x8100, 0x88A8]),
    st.booleans(),
)
def test_restoring_is_the_inverse_of_taking_out(
    data: bytes, tci: int, tpid: int, pending: bool
) -> None:
    status = 0x10 | 0x40 | (8 if pending else 0)
    auxiliary = struct.pack("=IIIHHHH", status, 0, 0, 0, 0, tci, tpid)
    restored = restore(data, auxiliary)
    assert restored.data[:12] + restored.data[16:] == data
    assert restored.data[12:16] == struct.pack(">HH", tpid, tci)
    assert restored.checksum_pending == pending
    none = struct.pack("=IIIHHHH", 0, 0, 0, 0, 0, tci, tpid)
    assert restore(data, none) == Frame(data)
