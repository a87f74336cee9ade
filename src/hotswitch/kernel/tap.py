"""TAP devices that outlive their maker, for a program to open (include/uapi/linux/if_tun.h)."""

from __future__ import annotations

import fcntl
import os
import struct

from hotswitch.kernel import link_actions
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, check_name, get_link

_DEVICE = "/dev/net/tun"

_SET_INTERFACE = 0x400454CA
"""TUNSETIFF."""
_SET_PERSISTENT = 0x400454CB
"""TUNSETPERSIST: whether the device stays when nobody has it open."""

_TAP = 0x0002
_NO_INFORMATION = 0x1000
"""IFF_NO_PI: no flags and protocol before each frame."""
_EXCLUSIVE = 0x8000

_request = struct.Struct("=16sH22x")
"""`struct ifreq`: name and flags."""


def create_tap(name: str, mark: str) -> Link:
    """Make a TAP device with an alternative name, to be opened by others; it is down.

    There is never one without the mark: until it has that, it goes with this process. It has one
    queue: nobody can open it with IFF_MULTI_QUEUE, and QEMU does not for one. Raises KernelError.
    """
    check_name(name)
    attempt = f"make the TAP device {name}"
    try:
        descriptor = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        remedy = f"is there a {_DEVICE}? try `modprobe tun`"
        raise KernelError(attempt, error.errno or 0, remedy=remedy) from None
    try:
        fcntl.ioctl(
            descriptor,
            _SET_INTERFACE,
            _request.pack(name.encode(), _TAP | _NO_INFORMATION | _EXCLUSIVE),
        )
        made = get_link(name)
        if made is None:
            raise KernelError(f"{attempt}: it went at once")
        link_actions.add_alternative_name(made.index, mark)
        fcntl.ioctl(descriptor, _SET_PERSISTENT, 1)
    except OSError as error:
        raise KernelError(attempt, error.errno or 0) from None
    finally:
        os.close(descriptor)
    return made
