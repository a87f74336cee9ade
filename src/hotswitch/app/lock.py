"""One daemon a run directory: an flock on a file, which the kernel lets go whatever happens."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hotswitch.base.errors import HotswitchError


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
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise LockError(
                f"another hotswitchd, process {holder}, runs in {self._path.parent}",
                remedy="stop it, or give another --run-dir",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let it go; no harm if it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
