"""Frames to any link; TCP segments that are too long for it are cut up by the kernel or the device
(packet(7), PACKET_VNET_HDR; include/uapi/linux/virtio_net.h)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from hotswitch.base.closing import Closing
from hotswitch.kernel.error import KernelError

_SOL_PACKET = 263
_PACKET_VNET_HDR = 15
_NEEDS_CHECKSUM = 1
_TCP_IPV4, _TCP_IPV6 = 1, 4

_header = struct.Struct("=BBHHHH")
"""`struct virtio_net_hdr`: flags, kind, bytes of all headers, payload of a segment, where the
checksum begins to count, and where from there it is."""
_WHOLE = bytes(_header.size)


class Segments(NamedTuple):
    """How a frame with TCP is cut up.

    headers: bytes of all of them together. payload: bytes in one segment, at most. start: where
    TCP's header begins; checksum: where in it the checksum is, which has to be the sum of the
    pseudo header only. ipv6: whether it is behind IPv6.
    """

    headers: int
    payload: int
    start: int
    checksum: int
    ipv6: bool

    def encode(self) -> bytes:
        """What goes in front of the frame."""
        kind = _TCP_IPV6 if self.ipv6 else _TCP_IPV4
        return _header.pack(
            _NEEDS_CHECKSUM, kind, self.headers, self.payload, self.start, self.checksum
        )


class PacketOutput(Closing):
    """A socket in this thread's network namespace."""

    def __init__(self) -> None:
        """Raises KernelError."""
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0
            )
            self._socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        except OSError as error:
            raise KernelError("open a packet socket", error.errno or 0) from None
        self._sends_with = (0, 0)

    def send(
        self,
        index: int,
        frame: bytes,
        priority: int = 0,
        mark: int = 0,
        segments: Segments | None = None,
    ) -> None:
        """Let a frame leave by the link of this index, with this priority and mark.

        segments: how it is cut up, None: not at all. Raises KernelError.
        """
        before = _WHOLE if segments is None else segments.encode()
        try:
            if (priority, mark) != self._sends_with:
                signed = struct.pack("=I", priority), struct.pack("=I", mark)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, signed[0])
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, signed[1])
                self._sends_with = priority, mark
            self._socket.sendto(before + frame, (socket.if_indextoname(index), 0))
        except OSError as error:
            raise KernelError(f"send by the link {index}", error.errno or 0) from None

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
