"""One daemon a run directory: an flock on a file, which the kernel lets go whatever happens."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import time
from pathlib import Path

from hotswitch.base.errors import HotswitchError

_PATIENCE = 3.0
"""Seconds that a process has to die: it lets go only in the end."""
_EXITING = 0x4
"""PF_EXITING (include/linux/sched.h)."""
_KILLED = 1 << signal.SIGKILL - 1


class LockError(HotswitchError):
    """Another daemon has the run directory, or it can't be used."""


class Lock:
    """Held from `take` to `release`; the file holds the holder's process id."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self) -> None:
        """Make the run directory if need be, and lock it. Raises LockError."""
        try:
            self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LockError(
                f"can't use {self._path.parent}: {error.strerror}",
                remedy="run it as root, or give another --run-dir",
            ) from error
        try:
            if not _lock(descriptor):
                raise LockError(
                    f"another hotswitchd, process {_holder(descriptor)}, "
                    f"runs in {self._path.parent}",
                    remedy="stop it, or give another --run-dir",
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(descriptor)
            raise LockError(f"can't write {self._path}: {error.strerror}") from error
        except LockError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let it go; no harm if it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> bool:
    """Lock the file; of who has it and dies just now, its end is waited for. Whether it worked."""
    patience = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > patience or not _is_dying(_holder(descriptor)):
                return False
            time.sleep(0.01)
        else:
            return True


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"


def _is_dying(process: str) -> bool:
    """Whether the process has gone, is on its way, or has been killed (proc_pid_stat(5))."""
    if not process.isdecimal():
        return False
    try:
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return True
    pending = re.findall(r"^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$", status, re.MULTILINE)
    is_killed = any(int(each, 16) & _KILLED for each in pending)
    return stat[0] in "ZX" or bool(int(stat[6]) & _EXITING) or is_killed
