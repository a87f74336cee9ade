"""The database file on disk: appended to, made durable, replaced as a whole.

Transactions are appended. A file that has grown is replaced by a shorter one that says the same:
written beside it, then renamed over it, so that there is a whole file at every moment.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hotswitch.ovsdb.file_lock import FileLock
from hotswitch.ovsdb.log import LogError, Record, encode_record, read_records

_MODE = 0o640


class LogFile:
    """A database file that is locked, against us and Open vSwitch's tools, and open.

    Read `records` to its end first. All methods are for one thread, except where it says so.
    failure: why nothing can be appended until the content is replaced, or "".
    """

    def __init__(self, path: Path) -> None:
        """Raises LogError."""
        self.path = path.resolve()  # where a symbolic link points to is what gets replaced
        self._lock = FileLock(self.path)
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            self._lock.release()
            raise LogError(f"can't open {path}: {error.strerror}") from error
        self._end = 0
        self._replacement: Replacement | None = None
        self.failure = ""

    @classmethod
    def create(cls, path: Path, schema: Any) -> None:
        """Make a file with nothing but a schema. Raises LogError, also if there is one already."""
        beside = path.with_name(f"{path.name}.new~")
        try:
            beside.unlink(missing_ok=True)
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
            try:
                _write(file, encode_record(schema), 0)
                os.fsync(file)
            finally:
                os.close(file)
            try:
                os.link(beside, path)
            finally:
                beside.unlink()
            _sync_directory(path)
        except OSError as error:
            raise LogError(f"can't create {path}: {error.strerror}") from error

    @property
    def size(self) -> int:
        """Bytes in intact records."""
        return self._end

    @property
    def replacing(self) -> bool:
        """Whether a replacement is under way."""
        return self._replacement is not None

    def records(self) -> Iterator[Record]:
        """Read all records. Raises DamageError; what was intact before it has been yielded."""
        if os.fstat(self._file).st_size == 0:
            return
        with mmap.mmap(self._file, 0, access=mmap.ACCESS_READ) as data:
            for record in read_records(data):
                self._end = record.end
                yield record

    def cut(self) -> int:
        """Drop what comes after the intact records; return how many bytes. Raises LogError."""
        try:
            torn = os.fstat(self._file).st_size - self._end
            if torn:
                os.ftruncate(self._file, self._end)
                os.fsync(self._file)
        except OSError as error:
            raise LogError(f"can't shorten {self.path}: {error.strerror}") from error
        return torn

    def append(self, record: bytes) -> None:
        """Add what `encode_record` made. Raises LogError, then the file is as it was."""
        if self.failure:
            raise LogError(self.failure, remedy="compact the database")
        replacement = self._replacement
        try:
            _write(self._file, record, self._end)
            if replacement is not None and replacement.joined:
                replacement.append(record)
        except OSError as error:
            _truncate(self._file, self._end)
            raise LogError(f"can't write {self.path}: {error.strerror}") from error
        self._end += len(record)

    def sync(self) -> Sync:
        """Return what makes all that is appended by now durable.

        If that fails, nothing can be appended until the file is replaced: what the disk holds is
        unknown.
        """
        files = [os.dup(self._file)]
        if self._replacement is not None and self._replacement.joined:
            files.append(self._replacement.duplicate())
        return Sync(files, self._lost)

    def _lost(self, number: int) -> LogError:
        self.failure = f"can't bring {self.path} to the disk: {os.strerror(number)}"
        return LogError(self.failure)

    def replace(self) -> Replacement:
        """Begin to replace the file's content. Raises LogError."""
        if self._replacement is not None:
            raise LogError(f"{self.path} is being compacted already")
        self._replacement = Replacement(self.path, self._file, self._end)
        return self._replacement

    def adopt(self, replacement: Replacement) -> None:
        """Go on in the new file, once it is installed."""
        os.close(self._file)
        self._file, self._end = replacement.release()
        self._replacement = None
        self.failure = ""

    def abandon(self, replacement: Replacement) -> None:
        """Forget a replacement that has failed.

        If only bringing its name to the disk has failed, it is the file nevertheless.
        """
        if replacement.renamed:
            self.adopt(replacement)
            self.failure = f"can't bring {self.path} to the disk"
        else:
            replacement.discard()
            self._replacement = None

    def close(self) -> None:
        """Let go of the file, and then of its lock."""
        if self._replacement is not None:
            self.abandon(self._replacement)
        os.close(self._file)
        self._lock.release()


class Sync:
    """What is to be brought to the disk: call it once, in any thread. It raises LogError.

    Or do it otherwise with its `files`, and `finish` it.
    """

    def __init__(
        self, files: Sequence[int] = (), lost: Callable[[int], LogError] | None = None
    ) -> None:
        self.files = files
        self._lost = lost

    def __call__(self) -> None:
        number = 0
        try:
            for each in self.files:
                os.fdatasync(each)
        except OSError as error:
            number = error.errno or errno.EIO
        self.finish(number)

    def finish(self, number: int = 0) -> None:
        """Say that all files are on the disk, or the error's number. Raises LogError then."""
        for each in self.files:
            os.close(each)
        if number and self._lost is not None:
            raise self._lost(number)


class Replacement:
    """New content for a log file, in the making. The steps, in this order:

    `write`    in any thread: the content as it was when the replacement began
    `join`     in the log's thread: what was appended since; from now on, both files get all
    `install`  in any thread: to the disk, and under the file's name
    then `LogFile.adopt`; or `LogFile.abandon` when a step raises LogError.
    """

    def __init__(self, path: Path, old: int, begin: int) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.tmp")
        self._old = old
        self._begin = begin
        self._end = 0
        self.joined = False
        self.renamed = False
        try:
            status = os.fstat(old)
            self._beside.unlink(missing_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.open(self._beside, flags, 0o600)
            os.fchown(self._file, status.st_uid, status.st_gid)
            os.fchmod(self._file, status.st_mode & 0o777)
        except OSError as error:
            raise LogError(f"can't write {self._beside}: {error.strerror}") from error

    def write(self, records: Iterable[bytes]) -> None:
        """Write records that `encode_record` made. Raises LogError."""
        try:
            for record in records:
                self.append(record)
            os.fdatasync(self._file)
        except OSError as error:
            raise LogError(f"can't write {self._beside}: {error.strerror}") from error

    def join(self, end: int) -> None:
        """Copy what the old file has got up to `end`, its size. Raises LogError."""
        try:
            while self._begin < end:
                piece = os.pread(self._old, min(end - self._begin, 1 << 20), self._begin)
                if not piece:
                    raise LogError(f"{self._path} has become shorter")
                self.append(piece)
                self._begin += len(piece)
        except OSError as error:
            raise LogError(f"can't write {self._beside}: {error.strerror}") from error
        self.joined = True

    def install(self) -> None:
        """Put the new file in the old one's place. Raises LogError."""
        try:
            os.fsync(self._file)
            self._beside.rename(self._path)
            self.renamed = True
            _sync_directory(self._path)
        except OSError as error:
            raise LogError(f"can't replace {self._path}: {error.strerror}") from error

    def append(self, piece: bytes) -> None:
        """Raises OSError, then nothing is added."""
        try:
            _write(self._file, piece, self._end)
        except OSError:
            _truncate(self._file, self._end)
            raise
        self._end += len(piece)

    def duplicate(self) -> int:
        """Return a file descriptor of its own."""
        return os.dup(self._file)

    def release(self) -> tuple[int, int]:
        """Return the file descriptor, from now on the caller's, and the size."""
        return self._file, self._end

    def discard(self) -> None:
        """Remove the new file."""
        os.close(self._file)
        self._beside.unlink(missing_ok=True)


def _write(file: int, data: bytes, offset: int) -> None:
    written = os.pwrite(file, data, offset)
    while written < len(data):
        written += os.pwrite(file, memoryview(data)[written:], offset + written)


def _truncate(file: int, end: int) -> None:
    """Best effort: what stays behind is a torn tail, which the next write covers."""
    try:
        os.ftruncate(file, end)
    except OSError:
        return


def _sync_directory(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
