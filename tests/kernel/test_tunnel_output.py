"""Frames that leave by a tunnel device, seen on the wire below it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import get_link
from hotswitch.kernel.tunnel_key import TunnelKey
from hotswitch.kernel.tunnel_output import TunnelOutput
from tests.support.namespaces import inside_namespace
from tests.support.wait import until

PORT = 4789
INNER = bytes(range(60))
V4 = 0x7F000001
V6 = 1


@pytest.fixture
def device() -> Iterator[int]:
    """The index of a VXLAN device above the loopback of a namespace of its own."""
    with inside_namespace():
        loopback = get_link("lo")
        assert loopback
        link_actions.set_up(loopback.index)
        made = link_actions.create_vxlan("vx0", PORT, mtu=65000)
        link_actions.set_up(made.index)
        yield made.index


def outer(device: int, frame: bytes, key: TunnelKey) -> bytes:
    """What comes out below, without its Ethernet header."""
    loopback = get_link("lo")
    assert loopback
    wire = PacketSocket(loopback.index)
    try:
        with TunnelOutput() as output:
            output.send(device, frame, key)

        def found() -> bytes:
            while received := wire.receive():
                if received.data.endswith(frame):
                    return received.data[14:]
            return b""

        return until(found, "the frame comes out")
    finally:
        wire.close()


def test_ipv4_as_it_is_said(device: int) -> None:
    key = TunnelKey(4, 0xABCDEF, V4, V4, tos=0x28, ttl=9, checksum=True, dont_fragment=True)
    found = outer(device, INNER, key)
    _, tos, _, _, flags, ttl, protocol, _, source, target = struct.unpack_from(">BBHHHBBHII", found)
    assert (tos, flags, ttl, protocol) == (0x28, 0x4000, 9, 17)
    assert (source, target) == (V4, V4)
    _, to, _, checksum = struct.unpack_from(">HHHH", found, 20)
    assert to == PORT and checksum
    assert found[28:36] == bytes.fromhex("08000000abcdef00")


def test_ipv6_and_what_need_not_be_said(device: int) -> None:
    found = outer(device, INNER, TunnelKey(6, 5, V6))
    assert found[0] >> 4 == 6 and found[7] == 64
    assert int.from_bytes(found[8:24], "big") == int.from_bytes(found[24:40], "big") == V6
    assert struct.unpack_from(">H", found, 46) == (0,)
    assert found[48:56] == bytes.fromhex("0800000000000500")


def test_what_can_not_be_sent(device: int) -> None:
    with TunnelOutput() as output:
        for index, frame in ((device + 99, INNER), (device, bytes(9000)), (device, bytes(9))):
            with pytest.raises(KernelError, match="frame"):
                output.send(index, frame, TunnelKey(4, 1, V4))
