"""The tap that QEMU's script has in its hand.

QEMU forks with the tap's descriptor open, closes all others, and runs the script (net/tap.c,
launch_script). So the script needs not remember which tap is meant: as long as it runs, that very
device is held, and no other can take its place under that descriptor.
"""

from __future__ import annotations

import fcntl
import os
import stat

_TUNGETIFF = 0x800454D2
"""include/uapi/linux/if_tun.h."""
_IFREQ = 40
_IFNAMSIZ = 16
_TUN = os.makedev(10, 200)
"""TUN_MINOR, include/linux/miscdevice.h."""


def held_taps() -> list[str]:
    """The names that the taps behind this process's descriptors have in this moment.

    Empty for one that has been deleted.
    """
    return [_name(each) for each in _descriptors()]


def _descriptors() -> list[int]:
    numbers = [int(each) for each in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return sorted(each for each in numbers if _is_tun(each))


def _is_tun(descriptor: int) -> bool:
    try:
        status = os.fstat(descriptor)
    except OSError:  # the listing's own
        return False
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == _TUN


def _name(descriptor: int) -> str:
    try:
        request = fcntl.ioctl(descriptor, _TUNGETIFF, bytes(_IFREQ))
    except OSError:
        return ""
    return os.fsdecode(request[:_IFNAMSIZ].split(b"\0")[0])
