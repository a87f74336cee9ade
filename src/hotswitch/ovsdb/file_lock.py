"""The lock on a database file that Open vSwitch's programs take (ovsdb-tool(1))."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hotswitch.ovsdb.log import LogError

# The kernel's lock belongs to the process: it does not keep two parts of one process apart, and
# closing a second descriptor would let go of it (fcntl(2)).
_held: set[Path] = set()


class FileLock:
    """Held from the beginning until `release`, or until the process ends.

    path: the file, symbolic links resolved; the lock is on `.NAME.~lock~` beside it.
    """

    def __init__(self, path: Path) -> None:
        """Raises LogError."""
        if path in _held:
            raise LogError(f"{path} is in use already")
        name = path.with_name(f".{path.name}.~lock~")
        try:
            self._file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogError(f"can't lock {path}: {error.strerror}") from error
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise LogError(f"{path} is in use by another program") from error
        self._path = path
        _held.add(path)

    def release(self) -> None:
        """Let go, once."""
        _held.discard(self._path)
        os.close(self._file)
