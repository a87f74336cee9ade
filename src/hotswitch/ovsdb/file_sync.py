"""Bringing files to the disk while the caller goes on: io_submit(2) with IOCB_CMD_FDSYNC.

A thread that calls fdatasync(2) does the same, but each hand-over to a thread of Python and back
costs more than what a fast disk takes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from typing import NamedTuple


class _Numbers(NamedTuple):
    """Of the system calls."""

    setup: int
    destroy: int
    getevents: int
    submit: int


_GENERIC = _Numbers(0, 1, 4, 2)
_NUMBERS = {
    "x86_64": _Numbers(206, 207, 208, 209),
    "ppc64le": _Numbers(227, 228, 229, 230),
    **dict.fromkeys(("aarch64", "riscv64", "loongarch64"), _GENERIC),
}
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long

_FDSYNC = 3
_TELL_EVENTFD = 1
"""IOCB_FLAG_RESFD."""
_iocb = struct.Struct("=Q8xHhI8x8x8x8xII")
"""`struct iocb` (include/uapi/linux/aio_abi.h): data, opcode, priority, file, flags, eventfd."""
_event = struct.Struct("=QQqq")
"""`struct io_event`: data, the iocb's address, result, another one."""
_AT_ONCE = 64


class FileSync:
    """Files under way to the disk. Its `fileno` is readable when some have arrived."""

    def __init__(self) -> None:
        """Raises OSError, also where the kernel lacks it (ENOSYS)."""
        numbers = _NUMBERS.get(platform.machine())
        if numbers is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._numbers = numbers
        self._context = ctypes.c_ulong(0)
        self._control = ctypes.create_string_buffer(_iocb.size)
        self._controls = (ctypes.c_void_p * 1)(ctypes.addressof(self._control))
        self._events = ctypes.create_string_buffer(_event.size * _AT_ONCE)
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            _call(numbers.setup, ctypes.c_long(_AT_ONCE), ctypes.byref(self._context))
        except OSError:
            os.close(self._eventfd)
            raise

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._eventfd

    def begin(self, file: int, token: int) -> None:
        """Bring what has been written to a file to the disk; it may be closed meanwhile.

        token: what `finished` knows it by. Raises OSError: EAGAIN if too many are under way,
        EINVAL if it is a file that can't be brought to a disk.
        """
        control = (token, _FDSYNC, 0, file, _TELL_EVENTFD, self._eventfd)
        _iocb.pack_into(self._control, 0, *control)
        _call(self._numbers.submit, self._context, ctypes.c_long(1), self._controls)

    def finished(self) -> list[tuple[int, int]]:
        """Return the tokens of those that have ended since the last call, each with an error
        number or 0."""
        try:
            os.eventfd_read(self._eventfd)
        except BlockingIOError:
            return []
        ended: list[tuple[int, int]] = []
        count = _AT_ONCE
        while count == _AT_ONCE:
            none, most = ctypes.c_long(0), ctypes.c_long(_AT_ONCE)
            count = _call(self._numbers.getevents, self._context, none, most, self._events, None)
            events = _event.iter_unpack(self._events.raw[: count * _event.size])
            ended += [(token, -result) for token, _, result, _ in events]
        return ended

    def close(self) -> None:
        """Wait for all, and let go."""
        _call(self._numbers.destroy, self._context)
        os.close(self._eventfd)


def _call(number: int, *arguments: object) -> int:
    while True:
        result: int = _syscall(ctypes.c_long(number), *arguments)
        if result >= 0:
            return result
        failed = ctypes.get_errno()
        if failed != errno.EINTR:
            raise OSError(failed, os.strerror(failed))
