"""Link ids in a file, which outlive the process and the boot.

One write for each flock of changes, before any of their ids is told. What a power cut must not
undo is brought to the disk: a reservation of ids, and hardware. Software links do not outlive it.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from hotswitch.kernel.links import Link
from hotswitch.ports import link_id_records
from hotswitch.ports.link_changes import LinkChange
from hotswitch.ports.link_id_records import Edit, Kept, LinkIdError, Record, Reserved
from hotswitch.ports.link_ids import LinkIds

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SPARE_LINES = 2048
"""So many lines may say nothing any more before the file is written anew."""
_SKIPPED = 4096
"""Ids not given after damage, for a reservation that can't be read any more."""

_log = logging.getLogger(__name__)


class KeptLinkIds:
    """`LinkIds` with a file. A file that can't be written is logged, and tried again."""

    def __init__(self, path: Path, *, boot: str = "") -> None:
        """Go on from the file, or begin. boot: the machine's boot id; nothing: this boot.

        A damaged file is logged and put aside. Raises LinkIdError if it can't be read or begun.
        """
        self._path = path
        self._boot = boot or _this_boot()
        self._file = -1
        self._lines = 0
        self._complaint = ""
        self._ids = LinkIds(self._load())
        try:
            self._write_all()
        except OSError as error:
            raise LinkIdError(f"can't write {path}: {error.strerror}") from None

    def follow(self, changes: Iterable[LinkChange]) -> None:
        """Take over what has become of links (`LinkIds.follow`), and keep it."""
        self._ids.follow(changes)
        edits = self._ids.pending()
        if not edits:
            return
        try:
            if self._file < 0 or self._lines > _SPARE_LINES + 2 * self._ids.count:
                self._write_all()
            else:
                self._append(edits)
        except OSError as error:
            self._fail(error)
        else:
            self._complaint = ""

    def id_of(self, link: Link) -> int | None:
        """The link's id; None if it has not been seen, or if its id could not be kept yet."""
        return self._ids.id_of(link)

    def link_of(self, link_id: int) -> Link | None:
        """The link with this id as it is now; None if there is none now."""
        return self._ids.link_of(link_id)

    def record_of(self, link_id: int) -> Record | None:
        """What is known of the link with this id, also when it is absent; None: nothing."""
        return self._ids.record_of(link_id)

    def close(self) -> None:
        """Give back the ids that are reserved, so that they stay small, and let go of the file."""
        self._ids.release()
        try:
            self._write_all()
        except OSError as error:
            self._fail(error)
        self._let_go()

    def _let_go(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _load(self) -> Kept:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return Kept()
        except OSError as error:
            raise LinkIdError(f"can't read {self._path}: {error.strerror}") from None
        try:
            return link_id_records.decode(text, self._boot)
        except LinkIdError as error:
            aside = self._path.with_name(self._path.name + ".damaged")
            try:
                self._path.replace(aside)
            except OSError as failed:
                raise LinkIdError(f"can't move {self._path}: {failed.strerror}") from None
            _log.error("%s: %s; it is %s now, and all links get new ids", self._path, error, aside)
            return Kept(reserved=link_id_records.salvage(text) + _SKIPPED)

    def _append(self, edits: tuple[Edit, ...]) -> None:
        text = link_id_records.encode(edits)
        _write(self._file, text)
        if any(isinstance(each, Reserved) or _is_hardware(each) for each in edits):
            os.fdatasync(self._file)
        self._lines += len(edits)
        self._ids.kept()

    def _write_all(self) -> None:
        self._let_go()
        everything = self._ids.everything()
        temporary = self._path.with_name(self._path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        file = os.open(temporary, flags, 0o644)
        try:
            head = link_id_records.head(self._boot)
            _write(file, link_id_records.encode((head, *everything)))
            os.fsync(file)
            temporary.replace(self._path)
            _synchronise(self._path.parent)
        except OSError:
            os.close(file)
            raise
        self._file = file
        self._lines = len(everything)
        self._ids.kept()

    def _fail(self, error: OSError) -> None:
        """What was written of a line must not be added to: all is written anew next time."""
        self._let_go()
        complaint = f"can't write {self._path}: {error.strerror}"
        if complaint != self._complaint:
            _log.warning("%s: new links have no ids that last", complaint)
        self._complaint = complaint


def _write(file: int, text: bytes) -> None:
    if os.write(file, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_hardware(edit: Edit) -> bool:
    return isinstance(edit, Record) and bool(edit.hardware)


def _this_boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError as error:
        raise LinkIdError(f"can't read {_BOOT_ID}: {error.strerror}") from None


def _synchronise(directory: Path) -> None:
    """Make a rename in the directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
