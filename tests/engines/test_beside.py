"""What the kernel keeps beside its packets: marks and priorities come in, and go out with them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from hotswitch.headers.standard import standard_registry
from hotswitch.model.port import Hook
from tests.engines.fixture import Fixture
from tests.engines.frames import tcp4
from tests.engines.harness import install
from tests.engines.kernel_harness import SECONDS, KernelHarness, kernel_harness
from tests.support.wait import until

REGISTRY = standard_registry()
FRAME = tcp4()
_SO_RCVMARK = 75  # asm-generic/socket.h
_ALL_PROTOCOLS = 0x0300  # ETH_P_ALL on the wire


@pytest.fixture(params=[Hook.TCX, Hook.XDP])
def harness(request: pytest.FixtureRequest) -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY, hook=request.param) as made:
        yield made


def _send(mark: int) -> None:
    """From the far end of wire 1; in one namespace a veth keeps a packet's mark."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        sender.sendto(FRAME, ("far1", 0))


def _marks(receiver: socket.socket) -> list[int]:
    found: list[int] = []
    while True:
        try:
            _, control, _, _ = receiver.recvmsg(2048, 256)
        except BlockingIOError:
            return found
        found += [
            struct.unpack("=I", value)[0]
            for level, kind, value in control
            if (level, kind) == (socket.SOL_SOCKET, socket.SO_MARK)
        ]


def test_marks_are_matched_set_and_go_out(harness: KernelHarness) -> None:
    entries = [
        "0 9 in_port=1,skb_mark=0x1200/0xff00 set:skb_mark=0x34/0xff,output:2",
        "0 8 in_port=1,skb_mark=0x77 copy_to_user:fields=priority+skb_mark",
    ]
    install(harness.datapath, Fixture("", entries, ()).setup(REGISTRY))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVMARK, 1)
        receiver.setblocking(False)
        receiver.bind(("far2", socket.ntohs(_ALL_PROTOCOLS)))
        for mark in (0x12FF, 0x77, 0):
            _send(mark)
        until(lambda: _received(harness) == 3, "all came in", SECONDS)
        copies = until(harness.datapath.upcalls, "a copy", SECONDS)
        assert [copy.fields for copy in copies] == [(("priority", 0), ("skb_mark", 0x77))]
        assert until(lambda: _marks(receiver), "a frame came out", SECONDS) == [0x1234]
    assert harness.datapath.counters().missed == 1


def _received(harness: KernelHarness) -> int:
    return harness.datapath.port_statistics()[1].rx_packets
