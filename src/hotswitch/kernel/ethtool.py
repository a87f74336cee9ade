"""What a device's driver says of it, asked by ioctl (netdevice(7), linux/ethtool.h)."""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from dataclasses import dataclass

_SIOCETHTOOL = 0x8946
_GET_SETTINGS = 0x1
_GET_DRIVER = 0x3

_REQUEST = struct.Struct("16sP16x")
"""`struct ifreq` with a pointer in its union."""

_SETTINGS = struct.Struct("=IIIHBBBBBBIIHBBI8x")
"""`struct ethtool_cmd`: speed in Mbit/s is in two halves."""

_DRIVER = struct.Struct("=I32s32s32s32s32s12xIIIII")
"""`struct ethtool_drvinfo`."""

_UNKNOWN_SPEED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver's name and version, and the device's firmware's."""

    name: str
    version: str
    firmware: str


@dataclass(frozen=True, slots=True)
class LinkMode:
    """speed: Mbit/s, 0 if unknown. full_duplex: None if unknown."""

    speed: int
    full_duplex: bool | None


def asker() -> socket.socket:
    """What to ask by, for many questions: about links of this thread's network namespace."""
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def driver(name: str, by: socket.socket) -> Driver | None:
    """The driver of the link with this name, or None if it does not say."""
    answer = _ask(name, by, _DRIVER, _GET_DRIVER)
    if answer is None:
        return None
    _, driver_name, version, firmware, *_ = answer
    return Driver(_text(driver_name), _text(version), _text(firmware))


def link_mode(name: str, by: socket.socket) -> LinkMode | None:
    """Speed and duplex of the link with this name, or None if it does not say."""
    answer = _ask(name, by, _SETTINGS, _GET_SETTINGS)
    if answer is None:
        return None
    low, duplex, high = answer[3], answer[4], answer[12]
    speed = high << 16 | low
    is_full = {0: False, 1: True}.get(duplex)
    return LinkMode(0 if speed in (_UNKNOWN_SPEED, 0xFFFF) else speed, is_full)


def _ask(
    name: str, by: socket.socket, layout: struct.Struct, command: int
) -> tuple[int, ...] | None:
    buffer = array.array("B", bytes(layout.size))
    struct.pack_into("=I", buffer, 0, command)
    request = _REQUEST.pack(name.encode()[:15], buffer.buffer_info()[0])
    try:
        fcntl.ioctl(by, _SIOCETHTOOL, request)
    except OSError:
        return None
    return layout.unpack(buffer.tobytes())


def _text(value: object) -> str:
    assert isinstance(value, bytes)
    return value.partition(b"\0")[0].decode(errors="replace")
