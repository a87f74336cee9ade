"""The server's memory in a file: records one behind another, written anew when most are outdated.

Nothing is forced to the disk: a killed process loses nothing by that, and after a crash of the
machine nothing forwards of which there was something to know.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from hotswitch.base.errors import HotswitchError
from hotswitch.base.pieces import Pieces, at_once
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.records import Record

_log = logging.getLogger(__name__)

_SMALL = 4 << 20
"""Bytes below which a file is never written anew."""
_AT_ONCE = 64
"""Records that are written anew in one piece."""


class JournalError(HotswitchError):
    """The file can't be read or written."""


class JournalFile:
    """`outside.Memory` in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it. Raises JournalError."""
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise self._failed("open", error) from error
        self._base = self._size
        self._meanwhile: list[bytes] | None = None

    def known(self) -> list[Record]:
        """What is in it, up to what can't be read: left unfinished at its end, or damaged.

        That is cut off, with a warning. Raises JournalError.
        """
        try:
            data = self._path.read_bytes()
            found = list(kept.decode(data))
            whole = len(kept.encode(found))
            if whole != len(data):
                os.ftruncate(self._file, whole)
                _log.warning(
                    "%s: the records from byte %d on are unreadable and dropped: %d bytes",
                    self._path,
                    whole,
                    len(data) - whole,
                )
        except OSError as error:
            raise self._failed("read", error) from error
        self._size = self._base = whole
        return found

    def append(self, records: Sequence[Record]) -> None:
        """Keep these too, all or none. Raises JournalError."""
        data = kept.encode(records)
        try:
            written = os.write(self._file, data)
            if written != len(data):
                os.ftruncate(self._file, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._failed("write", error) from error
        self._size += written
        if self._meanwhile is not None:
            self._meanwhile.append(data)

    @property
    def is_outdated(self) -> bool:
        """Whether it has grown so much that writing it anew pays."""
        return self._size > _SMALL and self._size > 2 * self._base

    def rewrite(self, records: Iterable[Record]) -> None:
        """Let it hold just these. Raises JournalError; then it is as before."""
        at_once(self.rewriting(records))

    def rewriting(self, records: Iterable[Record]) -> Pieces[None]:
        """The same, piece by piece; not twice at a time.

        What is kept between two pieces is kept. records: each as it is when it is taken.
        """
        beside = self._path.with_name(self._path.name + ".new")
        try:
            beside.unlink(missing_ok=True)
            new = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                yield from self._write_beside(new, records)
                beside.rename(self._path)
            except BaseException:
                os.close(new)
                raise
        except OSError as error:
            raise self._failed("write", error) from error
        os.close(self._file)
        self._file = new
        self._size = self._base = os.fstat(new).st_size

    def _write_beside(self, new: int, records: Iterable[Record]) -> Pieces[None]:
        meanwhile: list[bytes] = []
        self._meanwhile = meanwhile
        try:
            with os.fdopen(os.dup(new), "wb") as out:
                left = iter(records)
                while group := list(islice(left, _AT_ONCE)):
                    out.write(kept.encode(group))
                    yield None
                    # First what was kept before the next of them were taken.
                    out.writelines(meanwhile)
                    meanwhile.clear()
        finally:
            self._meanwhile = None

    def close(self) -> None:
        """Close it."""
        os.close(self._file)

    def _failed(self, what: str, error: OSError) -> JournalError:
        return JournalError(f"can't {what} {self._path}: {error.strerror or error}")
