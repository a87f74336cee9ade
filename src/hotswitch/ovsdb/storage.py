"""A database and the file that keeps it.

What a transaction has changed is appended to the file before anyone hears of it. If the file
can't take it, the change is undone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hotswitch.base.collections_paused import collections_paused
from hotswitch.ovsdb.changes import Changes
from hotswitch.ovsdb.database import Database, Outcome
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.log import DamageError, KindError, LogError, encode_record
from hotswitch.ovsdb.log_file import LogFile, Replacement, Sync
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.values import Json

_logger = logging.getLogger(__name__)

COMPACTION_MINIMUM = 10 << 20
"""Bytes below which a file is not worth to be compacted."""

COMPACTION_GROWTH = 2
"""How many times as large as after the last compaction a file is when it gets the next."""


def wall_clock() -> int:
    """Return milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class TornTail:
    """What a crash left of a record that nobody was promised: now cut off."""

    offset: int
    length: int


class Compaction:
    """A shorter file in the making. See `Replacement` for the order and the threads."""

    def __init__(self, schema: DatabaseSchema, content: Changes, date: int) -> None:
        self._schema = schema
        self._content = content
        self._date = date

    def write(self, replacement: Replacement) -> None:
        """Write the whole content. Raises LogError. Runs in any thread."""
        record = self._content.to_json(comment="compacted by hotswitch", date=self._date)
        records = [self._schema.to_json(), *([record] if record else [])]
        replacement.write(encode_record(each) for each in records)


class Storage:
    """A database and its log. Without a log, in memory only.

    torn: what `open` cut off, or None.
    refusal: why the file did not take the last commit, or "".
    """

    def __init__(
        self,
        database: Database,
        log: LogFile | None = None,
        *,
        torn: TornTail | None = None,
        date: Callable[[], int] = wall_clock,
    ) -> None:
        self.database = database
        self.torn = torn
        self.refusal = ""
        self._log = log
        self._date = date
        self._compacted_size = log.size if log else 0

    @classmethod
    def open(cls, path: Path, *, date: Callable[[], int] = wall_clock) -> Storage:
        """Load a file, hotswitch's or Open vSwitch's, and cut off a torn tail.

        Raises LogError: damage in the middle, a transaction that doesn't fit, no schema, a
        cluster's file, or a file in use.
        """
        log = LogFile(path)
        try:
            with collections_paused():
                database = _load(log, path)
            offset = log.size
            length = log.cut()
        except BaseException:
            log.close()
            raise
        torn = TornTail(offset, length) if length else None
        return cls(database, log, torn=torn, date=date)

    @classmethod
    def create(
        cls, path: Path, schema: DatabaseSchema, *, date: Callable[[], int] = wall_clock
    ) -> Storage:
        """Make a file that must not exist, and open it. Raises LogError."""
        LogFile.create(path, schema.to_json())
        return cls.open(path, date=date)

    @property
    def name(self) -> str:
        """The database's name."""
        return self.database.schema.name

    @property
    def path(self) -> Path | None:
        """Where the file is."""
        return self._log.path if self._log else None

    @property
    def failure(self) -> str:
        """Why nothing can be committed any more, or ""."""
        return self._log.failure if self._log else ""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._log.size if self._log else 0

    def transact(
        self,
        operations: Sequence[Json],
        *,
        read_only: bool = False,
        elapsed: int = 0,
        owns_lock: Callable[[str], bool] = lambda name: False,
    ) -> Outcome:
        """Execute and commit; see `Database.transact`. Never raises for want of a disk.

        A durable transaction is durable once `sync` has run.
        """
        outcome = self.database.transact(
            operations, read_only=read_only, elapsed=elapsed, owns_lock=owns_lock
        )
        if outcome.changes is None:
            return outcome
        try:
            self._append(outcome.changes, outcome.comment)
        except LogError as error:
            self.database.revert(outcome.changes)
            results = [*outcome.results, io_error(error)]
            return msgspec.structs.replace(outcome, results=results, changes=None)
        return outcome

    def apply(self, record: Json) -> Changes | None:
        """Commit changes given as in the log, such as the server's own; see `Database.replay`.

        Raises OvsdbError, then nothing has changed.
        """
        changes = self.database.replay(record)
        if changes is None:
            return None
        try:
            self._append(changes, "")
        except LogError as error:
            self.database.revert(changes)
            raise OvsdbError("I/O error", error.message) from error
        return changes

    def sync(self) -> Sync:
        """Return what brings all commits by now to the disk."""
        return self._log.sync() if self._log else Sync()

    @property
    def compacting(self) -> bool:
        """Whether a compaction is under way."""
        return self._log is not None and self._log.replacing

    def wants_compaction(self) -> bool:
        """Whether the file has grown so much that it's worth it."""
        if self._log is None or self._log.replacing:
            return False
        return self._log.size > max(COMPACTION_MINIMUM, COMPACTION_GROWTH * self._compacted_size)

    def begin_compaction(self) -> tuple[Compaction, Replacement] | None:
        """Begin; None in memory only. Raises LogError, also if one is under way."""
        if self._log is None:
            return None
        replacement = self._log.replace()
        database = self.database
        return Compaction(database.schema, database.snapshot(), self._date()), replacement

    def join_compaction(self, replacement: Replacement) -> None:
        """Let the new file have what was committed since, and what will be. Raises LogError."""
        replacement.join(self.size)

    def end_compaction(self, replacement: Replacement, *, installed: bool) -> None:
        """Go on in the new file; or, if some step has failed, in the old one."""
        assert self._log is not None
        if installed:
            self._log.adopt(replacement)
        else:
            self._log.abandon(replacement)
        self._compacted_size = self._log.size

    def compact(self) -> None:
        """All of it at once. Raises LogError."""
        begun = self.begin_compaction()
        if begun is not None:
            self._replace(*begun)

    def convert(self, schema: DatabaseSchema) -> None:
        """Bring the database and the file to another schema; `database` is a new one afterwards.

        Raises OvsdbError, then nothing has changed.
        """
        converted = self.database.convert(schema)
        if self._log is not None:
            try:
                replacement = self._log.replace()
                self._replace(Compaction(schema, converted.snapshot(), self._date()), replacement)
            except LogError as error:
                raise OvsdbError("I/O error", error.message) from error
        self.database = converted

    def close(self) -> None:
        """Let go of the file. What was committed is in it, though perhaps not on the disk."""
        if self._log is not None:
            self._log.close()

    def _replace(self, content: Compaction, replacement: Replacement) -> None:
        installed = False
        try:
            content.write(replacement)
            replacement.join(self.size)
            replacement.install()
            installed = True
        finally:
            self.end_compaction(replacement, installed=installed)

    def _append(self, changes: Changes, comment: str) -> None:
        if self._log is None:
            return
        record = changes.to_json(comment=comment, date=self._date())
        if record is None:
            return
        try:
            self._log.append(encode_record(record))
        except LogError as error:
            if str(error) != self.refusal:
                _logger.error("%s; what clients ask for is refused", error)
            self.refusal = str(error)
            raise
        if self.refusal:
            _logger.info("%s is written again", self.path)
        self.refusal = ""


def io_error(error: LogError) -> Json:
    """Return the `<error>` for a transaction that the disk did not take."""
    return OvsdbError("I/O error", error.message).to_json()


def _load(log: LogFile, path: Path) -> Database:
    database = None
    try:
        for record in log.records():
            if database is None:
                database = Database(DatabaseSchema.from_json(record.value))
            else:
                database.replay(record.value)
    except DamageError as error:
        if not error.last or database is None:
            remedy = "see what is in it with ovsdb-tool show-log, or restore a backup"
            if isinstance(error.__cause__, KindError):
                remedy = "a cluster's file: let ovsdb-server serve it, and give --db unix:PATH"
            raise LogError(f"{path}: {error.message}", remedy=remedy) from error
    except OvsdbError as error:
        what = "schema" if database is None else f"transaction before offset {log.size}"
        raise LogError(f"{path}: the {what} is not valid: {error}") from error
    if database is None:
        raise LogError(f"{path} is not a database: it is empty")
    return database
