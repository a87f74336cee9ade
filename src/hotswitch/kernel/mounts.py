"""What is mounted at a place, and taking it away (proc_pid_mountinfo(5), umount(2))."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

from hotswitch.kernel.error import KernelError

_MNT_FORCE, _MNT_DETACH = 1, 2
"""include/linux/fs.h."""

_MOUNTS = Path("/proc/self/mountinfo")
_PLACE = 4
_ESCAPED = re.compile(r"\\([0-7]{3})")
_libc = ctypes.CDLL(None, use_errno=True)


def file_systems(path: Path) -> list[str]:
    """The types of the file systems that are mounted just there, the lowest first.

    path: absolute, without symbolic links. It is not touched: what serves it may be dead.
    """
    found = []
    for line in _MOUNTS.read_text(errors="surrogateescape").splitlines():
        mount, _, system = line.partition(" - ")
        place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), mount.split(" ")[_PLACE])
        if place == str(path):
            found.append(system.split(" ")[0])
    return found


def detach(path: Path) -> None:
    """Take the topmost file system away from there, at once, though somebody is in it.

    Who waits for a FUSE daemon's answer gets an error. Raises KernelError.
    """
    if _libc.umount2(bytes(path), _MNT_FORCE | _MNT_DETACH):
        raise KernelError(f"unmount {path}", ctypes.get_errno())
