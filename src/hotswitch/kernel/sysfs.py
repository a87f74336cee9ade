"""Which life of a device a link is, read from sysfs.

An index can be given to another device as soon as the first one has gone, and so can a name; both
at once too. The inode number of a device's directory in sysfs can't: it is the number of its kernfs
node (64 bits, fs/kernfs/dir.c), counted up from boot. It stays through renames and through moves
to other network namespaces, and ends with the device.

/sys shows the devices of the network namespace in which it was mounted, which may be another one.
So this mounts a sysfs of its own for this thread's namespace, *detached*: it is in no mount
namespace, nobody sees it, and it goes with its descriptor (fsopen(2), fsconfig(2), fsmount(2),
since Linux 5.2; they need CAP_SYS_ADMIN).
"""

from __future__ import annotations

import ctypes
import os

from hotswitch.base.closing import Closing
from hotswitch.kernel.error import KernelError

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432
"""The same on all architectures (include/uapi/asm-generic/unistd.h)."""
_CLOSE_ON_EXEC = 1
_CREATE = 6

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class NetworkDevices(Closing):
    """The devices of the network namespace of the thread that makes this."""

    def __init__(self) -> None:
        """Look into sysfs from now on. Raises KernelError."""
        mount = _mount()
        try:
            self._directory = os.open("class/net", _DIRECTORY, dir_fd=mount)
        except OSError as error:
            raise KernelError("find the network devices in sysfs", error.errno or 0) from None
        finally:
            os.close(mount)

    def incarnation(self, name: str, index: int) -> int:
        """The incarnation of the device with this name and index; 0 if none has both now."""
        try:
            device = os.open(name, _DIRECTORY, dir_fd=self._directory)
        except (OSError, ValueError):  # ValueError: a name that no file can have
            return 0
        try:
            # A rename may have come in between: what has the name must have the index.
            return os.fstat(device).st_ino if _number("ifindex", device) == index else 0
        except OSError:  # it has gone meanwhile
            return 0
        finally:
            os.close(device)

    def has(self, name: str, incarnation: int) -> bool:
        """Whether the device with this name is that life of it; costs a fourth of the above."""
        try:
            return os.stat(name, dir_fd=self._directory).st_ino == incarnation
        except (OSError, ValueError):
            return False

    def driver(self, name: str) -> str:
        """The driver of the device with this name; nothing if it is made by software, or gone."""
        try:
            target = os.readlink(f"{name}/device/driver", dir_fd=self._directory)
        except (OSError, ValueError):
            return ""
        return target.rpartition("/")[2]

    def bus(self, name: str) -> str:
        """Where the device with this name is plugged in, as "pci/0000:00:03.0"; or nothing.

        A virtio device's own number depends on how many others there are: it is where that one is.
        """
        try:
            path = os.readlink(name, dir_fd=self._directory).split("/")  # ends in /net/NAME
            bus = os.readlink(f"{name}/device/subsystem", dir_fd=self._directory)
            place = path[-3]
            if bus.endswith("/virtio"):
                bus = os.readlink(f"{name}/device/../subsystem", dir_fd=self._directory)
                place = path[-4]
        except (OSError, ValueError, IndexError):
            return ""
        return f"{bus.rpartition('/')[2]}/{place}"

    def close(self) -> None:
        """Let go of sysfs."""
        os.close(self._directory)


def _number(name: str, directory: int) -> int:
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return int(os.read(descriptor, 32) or b"0")
    finally:
        os.close(descriptor)


def _mount() -> int:
    context = _call(_FSOPEN, b"sysfs", _CLOSE_ON_EXEC)
    try:
        _call(_FSCONFIG, context, _CREATE, None, None, 0)
        return _call(_FSMOUNT, context, _CLOSE_ON_EXEC, 0)
    finally:
        os.close(context)


def _call(number: int, *arguments: int | bytes | None) -> int:
    result: int = _syscall(number, *arguments)
    if result < 0:
        raise KernelError(
            "look into sysfs", ctypes.get_errno(), remedy="needs CAP_SYS_ADMIN and Linux 5.2"
        )
    return result
