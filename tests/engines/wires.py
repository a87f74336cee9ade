"""Real wires into a datapath: veth pairs in a namespace of their own, with nobody else on them."""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import ioctl
from functools import partial
from pathlib import Path
from select import poll
from socket import AF_INET, SOCK_DGRAM, if_indextoname, socket

from hotswitch.kernel import link_actions
from hotswitch.kernel.af_packet import PacketSocket
from hotswitch.kernel.bpf_link import BpfLink
from hotswitch.kernel.hooks import xdp as hook_xdp
from hotswitch.kernel.links import OperationalState, get_link
from hotswitch.kernel.programs import Program, ProgramType
from tests.engines.fixture import Fixture
from tests.kernel.code_for_bpf import returning
from tests.support.namespaces import inside_namespace
from tests.support.wait import until

MTU = 3000
"""XDP on veth wants each frame within a page."""

_SIOCETHTOOL, _ETHTOOL_SGRO = 0x8946, 0x2C  # linux/sockios.h, linux/ethtool.h
_XDP_PASS = 2
_ROOM = 1 << 22
_TAGS = (b"\x81\x00", b"\x88\xa8")


@dataclass(frozen=True)
class Wire:
    """near: the index of the datapath's end. far: a socket on the other end, or the host's on the
    near one."""

    near: int
    far: PacketSocket


@contextmanager
def wires(
    numbers: Sequence[int], *, xdp: bool = False, host: bool = False
) -> Iterator[Mapping[int, Wire]]:
    """A wire for each number. The calling thread is in their namespace until the end.

    xdp: the near ends can send what an XDP program redirects to them.
    host: what is sent into the wires the host sends, and what comes out of them it receives.
    """
    with ExitStack() as cleanup:
        cleanup.enter_context(inside_namespace())
        # The kernel's own frames (neighbour discovery, multicast reports) would be in the way.
        for which in ("default", "all"):
            Path(f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6").write_text("1")
        made = {}
        for number in numbers:
            near = link_actions.create_veth(f"near{number}", f"far{number}", mtu=MTU)
            far = get_link(f"far{number}")
            assert far is not None
            link_actions.set_mtu(far.index, MTU)
            for index in (near.index, far.index):
                link_actions.set_up(index)
            # Until then the kernel drops silently what is sent.
            until(partial(_is_up, near.index), f"near{number} is up")
            if xdp:
                cleanup.callback(_take_redirected(far.index).close)
                # Frames that only one takes the kernel hands over later than their successors,
                # where it receives many at once: so another one takes them too.
                cleanup.callback(PacketSocket(far.index).close)
            far_end = PacketSocket(near.index if host else far.index, receive_buffer=_ROOM)
            cleanup.callback(far_end.close)
            made[number] = Wire(near.index, far_end)
        yield made


def _is_up(index: int) -> bool:
    link = get_link(index)
    return link is not None and link.state is OperationalState.UP


def _take_redirected(far: int) -> BpfLink:
    """A veth end polls for redirected frames only while it has an XDP program; one that does
    nothing will do. The kernel then turns GRO on, which merges and reorders frames."""
    with Program.load(ProgramType.XDP, returning(_XDP_PASS)) as program:
        link = hook_xdp.attach(program, far)
    value = struct.pack("=II", _ETHTOOL_SGRO, 0)
    buffer = ctypes.create_string_buffer(value)
    request = struct.pack("=16sQ16x", if_indextoname(far).encode(), ctypes.addressof(buffer))
    with socket(AF_INET, SOCK_DGRAM) as control:
        ioctl(control, _SIOCETHTOOL, request)
    return link


def can_arrive(frame: bytes) -> bool:
    """Linux drops a tagged frame of less than 20 bytes before any tcx program sees it.

    (`skb_vlan_untag` in net/core/skbuff.c: the tag and two more bytes must be there.)
    """
    return len(frame) >= 20 or frame[12:14] not in _TAGS


def fits_wires(fixture: Fixture) -> bool:
    """All its frames can arrive, those that go in and those that come out."""
    return all(can_arrive(frame) for _, frame in (*fixture.frames, *fixture.out))


class Capture:
    """What comes out at the far ends."""

    def __init__(self, made: Mapping[int, Wire]) -> None:
        self._wires = made
        self._poll = poll()
        for wire in made.values():
            self._poll.register(wire.far.fileno(), 1)
        self.frames: dict[int, list[bytes]] = {number: [] for number in made}

    def take(self) -> None:
        """Note what is there."""
        for number, wire in self._wires.items():
            while frame := wire.far.receive():
                self.frames[number].append(frame.data)

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Take what comes until it is done (True), or time is up."""
        deadline = time.monotonic() + seconds
        while True:
            is_late = time.monotonic() > deadline  # then it looks once more
            self.take()
            if done():
                self.take()
                return True
            if is_late:
                return False
            self._poll.poll(1)
