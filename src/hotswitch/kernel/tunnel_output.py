"""Frames of this process that leave by a tunnel's device, each with outer headers of its own.

A socket can't say those. So a small program says them, and sends the frame; it is run on one frame
at a time (BPF_PROG_TEST_RUN), to which the device belongs that is in this thread's namespace.
"""

from __future__ import annotations

import struct

from hotswitch.base.closing import Closing
from hotswitch.kernel import tunnel_key
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import Program, ProgramType
from hotswitch.kernel.tunnel_key import TunnelKey

_ORDER = struct.Struct("<II")
"""Behind the key in the map: the helper's flags, and the device's index."""
_FLAGS, _INDEX = tunnel_key.SIZE, tunnel_key.SIZE + 4
_MAP_LOOKUP, _CLONE_REDIRECT, _SET_TUNNEL_KEY = 1, 13, 21


class TunnelOutput(Closing):
    """Sends frames. Its thread's namespace is that of the devices."""

    def __init__(self) -> None:
        """Raises KernelError."""
        size = tunnel_key.SIZE + _ORDER.size
        self._order = Map.create(
            MapType.ARRAY, key_size=4, value_size=size, max_entries=1, name="hotswitch_order"
        )
        try:
            self._program = Program.load(
                ProgramType.SCHED_CLS, _instructions(self._order.fd), name="hotswitch_tunnel"
            )
        except KernelError:
            self._order.close()
            raise

    def send(self, index: int, frame: bytes, key: TunnelKey) -> None:
        """Let a frame leave by the device of this index.

        Raises KernelError: EINVAL for a frame that does not fit into a page with what the kernel
        has beside it (about 3,500 bytes).
        """
        data, flags = key.encode()
        self._order.update(bytes(4), data + _ORDER.pack(flags, index))
        result = self._program.test_run(frame).result
        if result:
            errno = -result & 0xFFFFFFFF
            raise KernelError(f"send a frame by the tunnel device {index}", errno)

    def close(self) -> None:
        """Let go."""
        self._program.close()
        self._order.close()


def _instructions(order: int) -> bytes:
    """order: the map's descriptor."""
    return b"".join(
        struct.pack("<BBhi", *each)
        for each in (
            (0xBF, 0x16, 0, 0),  # r6 = the packet
            (0x62, 0x0A, -4, 0),  # a key of 0 on the stack
            (0x18, 0x11, 0, order),  # r1 = the map
            (0x00, 0x00, 0, 0),
            (0xBF, 0xA2, 0, 0),  # r2 = the key
            (0x07, 0x02, 0, -4),
            (0x85, 0x00, 0, _MAP_LOOKUP),
            (0x15, 0x00, 11, 0),  # it is always there
            (0xBF, 0x07, 0, 0),  # r7 = the order
            (0xBF, 0x61, 0, 0),
            (0xBF, 0x72, 0, 0),  # the tunnel key
            (0xB7, 0x03, 0, tunnel_key.SIZE),
            (0x61, 0x74, _FLAGS, 0),
            (0x85, 0x00, 0, _SET_TUNNEL_KEY),
            (0x55, 0x00, 4, 0),  # refused: say so
            (0xBF, 0x61, 0, 0),
            (0x61, 0x72, _INDEX, 0),
            (0xB7, 0x03, 0, 0),
            (0x85, 0x00, 0, _CLONE_REDIRECT),
            (0x95, 0x00, 0, 0),
        )
    )
