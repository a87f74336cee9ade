"""Links' flags by ioctl (netdevice(7)): it waits for nobody, as a request by rtnetlink does."""

from __future__ import annotations

import fcntl
import socket
import struct

_GET_NAME, _GET_FLAGS = 0x8910, 0x8913
"""SIOCGIFNAME, SIOCGIFFLAGS (include/uapi/linux/sockios.h)."""
_UP = 1

_index = struct.Struct("=16si20x")
_flags = struct.Struct("=16xH22x")
"""`struct ifreq`: a name and the index, or the flags."""


def is_up(index: int) -> bool:
    """Whether the link of this index is known to be set up."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
            asked = _index.pack(b"", index)
            named = fcntl.ioctl(asker, _GET_NAME, asked)
            answer = fcntl.ioctl(asker, _GET_FLAGS, named)
            is_still_its = fcntl.ioctl(asker, _GET_NAME, asked) == named
    except OSError:
        return False
    return is_still_its and bool(_flags.unpack(answer)[0] & _UP)
