"""bpf(2), through ctypes.

Attributes are `ctypes.Structure`s laid out as the members of `union bpf_attr`
(include/uapi/linux/bpf.h); the kernel takes a shorter union than its own and reads the rest as
zero.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import platform
from functools import cache
from pathlib import Path

from hotswitch.kernel.error import KernelError

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361}
_NUMBER = _NUMBERS.get(platform.machine(), 0)
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


class Command(enum.IntEnum):
    """`enum bpf_cmd`, those that are used."""

    MAP_CREATE = 0
    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_DELETE = 3
    MAP_NEXT_KEY = 4
    PROGRAM_LOAD = 5
    PIN = 6
    GET = 7
    TEST_RUN = 10
    PROGRAM_NEXT_ID = 11
    PROGRAM_FD_BY_ID = 13
    MAP_FD_BY_ID = 14
    INFO = 15
    QUERY = 16
    BTF_LOAD = 18
    MAP_LOOKUP_AND_DELETE = 21
    MAP_LOOKUP_BATCH = 24
    MAP_UPDATE_BATCH = 26
    MAP_DELETE_BATCH = 27
    LINK_CREATE = 28
    LINK_UPDATE = 29
    ENABLE_STATISTICS = 32
    LINK_DETACH = 34


def call(command: int, attributes: ctypes.Structure) -> int:
    """Call bpf(2) and return its result, or the negative errno; EINTR is tried again."""
    if not _NUMBER:
        return -errno.ENOSYS
    size = ctypes.sizeof(attributes)
    pointer = ctypes.byref(attributes)
    while True:
        result: int = _syscall(_NUMBER, int(command), pointer, size)
        if result >= 0:
            return result
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return -number


def bpf(command: int, attributes: ctypes.Structure, attempt: str) -> int:
    """Call bpf(2); `attempt` says what for. Raises KernelError."""
    result = call(command, attributes)
    if result < 0:
        raise KernelError(attempt, -result)
    return result


class _InfoAttributes(ctypes.Structure):
    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
        ("info", ctypes.c_uint64),
    )


def read_info(fd: int, info: ctypes.Structure, attempt: str) -> None:
    """Fill `info` with what the kernel says about the object; an older kernel fills less."""
    attributes = _InfoAttributes(fd, ctypes.sizeof(info), ctypes.addressof(info))
    bpf(Command.INFO, attributes, attempt)


class _IdAttributes(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_uint32),
        ("next_id", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )


def open_id(command: int, identity: int, attempt: str) -> int:
    """Return a descriptor of the object with this id. Raises KernelError."""
    return bpf(command, _IdAttributes(identity), attempt)


def next_id(command: int, identity: int, attempt: str) -> int | None:
    """Return the next larger id, or None if there is none. Raises KernelError."""
    attributes = _IdAttributes(identity)
    result = call(command, attributes)
    if result == -errno.ENOENT:
        return None
    if result < 0:
        raise KernelError(attempt, -result)
    return int(attributes.next_id)


class _PathAttributes(ctypes.Structure):
    _fields_ = (
        ("path", ctypes.c_char_p),
        ("fd", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
    )


def pin(fd: int, path: Path) -> None:
    """Give the object a name in a bpffs; it lives as long as the name. Raises KernelError."""
    bpf(Command.PIN, _PathAttributes(bytes(path), fd), f"pin {path}")


def get(path: Path) -> int:
    """Return a descriptor of the object pinned there, of any kind. Raises KernelError."""
    return bpf(Command.GET, _PathAttributes(bytes(path)), f"open {path}")


def open_pin(path: Path, kind: str) -> int:
    """Return a descriptor of the object pinned there. Raises KernelError, also if it is not of
    this kind ("bpf-map")."""
    fd = get(path)
    actual = str(Path(f"/proc/self/fd/{fd}").readlink()).removeprefix("anon_inode:")
    actual = actual.replace("_", "-")  # links are called either way
    if actual != kind:
        os.close(fd)
        raise KernelError(f"{kind} expected, found {actual}")
    return fd


@cache
def possible_cpus() -> int:
    """The number of CPUs that a per-CPU value has room for (Documentation/bpf/map_hash.rst)."""
    text = Path("/sys/devices/system/cpu/possible").read_text()
    return sum(_length(part) for part in text.strip().split(","))


def _length(part: str) -> int:
    first, _, last = part.partition("-")
    return int(last or first) - int(first) + 1


def object_name(name: str) -> bytes:
    """As much of a name as the kernel keeps: 15 letters, digits, dots and underscores."""
    safe = "".join(
        each if each.isascii() and (each.isalnum() or each in "._") else "_" for each in name
    )
    return safe.encode()[:15]
