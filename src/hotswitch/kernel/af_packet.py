"""Whole frames to and from a link, with their VLAN tag (packet(7))."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from hotswitch.base.closing import Closing
from hotswitch.kernel.error import KernelError

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_PACKET_IGNORE_OUTGOING = 23

_CHECKSUM_NOT_READY = 1 << 3
_VLAN_VALID = 1 << 4
_TPID_VALID = 1 << 6
_ETHERTYPE_VLAN = 0x8100

_auxiliary = struct.Struct("=IIIHHHH")
"""`struct tpacket_auxdata`: status, length, captured length, mac, net, VLAN TCI, VLAN TPID."""

_ADDRESSES = 12
_LARGEST = 1 << 18


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it was on the link: all its tags, no FCS.

    checksum_pending: the sender left the transport checksum to hardware that isn't there, so it
        holds only the pseudo-header's sum.
    """

    data: bytes
    checksum_pending: bool = False


class PacketSocket(Closing):
    """A raw socket on one link; it does not see what is sent on the link from here."""

    def __init__(self, ifindex: int, *, receive_buffer: int = 0) -> None:
        """Open it on the link, in this thread's network namespace. Raises KernelError."""
        try:
            # Protocol 0: nothing is received before it is bound to its link.
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except OSError as error:
            raise KernelError("open a packet socket", error.errno or 0) from None
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            if receive_buffer:
                self._socket.setsockopt(socket.SOL_SOCKET, 33, receive_buffer)  # SO_RCVBUFFORCE
            self._socket.bind((socket.if_indextoname(ifindex), _ETH_P_ALL))
        except OSError as error:
            self._socket.close()
            attempt = f"open a packet socket on the link {ifindex}"
            raise KernelError(attempt, error.errno or 0) from None

    def fileno(self) -> int:
        """The descriptor, readable when a frame is there."""
        return self._socket.fileno()

    def receive(self) -> Frame | None:
        """Return a frame that is there, or None; never waits. Raises KernelError."""
        space = socket.CMSG_SPACE(_auxiliary.size)
        try:
            data, control, _, _ = self._socket.recvmsg(_LARGEST, space, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise KernelError("receive a frame", error.errno or 0) from None
        for level, kind, value in control:
            if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
                return restore(data, value)
        return Frame(data)

    def send(self, frame: bytes) -> None:
        """Send a frame of at least 14 bytes. Raises KernelError: EMSGSIZE, ENETDOWN, ENOBUFS."""
        try:
            self._socket.send(frame)
        except OSError as error:
            raise KernelError(f"send a frame of {len(frame)} bytes", error.errno or 0) from None

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def restore(data: bytes, auxiliary: bytes) -> Frame:
    """Put the tag that the kernel keeps beside the packet back into the frame."""
    status, _, _, _, _, tci, tpid = _auxiliary.unpack_from(auxiliary)
    if status & _VLAN_VALID:
        ethertype = tpid if status & _TPID_VALID else _ETHERTYPE_VLAN
        data = data[:_ADDRESSES] + struct.pack(">HH", ethertype, tci) + data[_ADDRESSES:]
    return Frame(data, bool(status & _CHECKSUM_NOT_READY))
