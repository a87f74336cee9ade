"""Entries of one datapath: a change is prepared, then in force or taken back."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import NamedTuple

from hotswitch.compiler.errors import CompileError
from hotswitch.compiler.flow import Flow
from hotswitch.datapath.engines.kernel.book import Book
from hotswitch.datapath.engines.kernel.change import carry_out, shape_after
from hotswitch.datapath.engines.kernel.installation import install
from hotswitch.datapath.engines.kernel.record import Record
from hotswitch.datapath.engines.kernel.room import Room
from hotswitch.datapath.engines.kernel.running import Running
from hotswitch.kernel.error import KernelError
from hotswitch.model.entry import Entry, EntryKey, EntryStatistics

_log = logging.getLogger(__name__)


class _Prepared(NamedTuple):
    """What was found for entries that are to be put, if no others are put before them."""

    puts: Sequence[Entry]
    records: Sequence[Record]
    compiling: Future[object] | None


class Entries:
    """Changes of what `book` holds, for the programs that run. name: the datapath's, for the log.

    All methods raise CompileError, KernelError and DatapathError.
    """

    def __init__(self, name: str, flow: Flow, book: Book, running: Running, room: Room) -> None:
        self._name = name
        self._flow = flow
        self._book = book
        self._running = running
        self._room = room
        self._prepared: _Prepared | None = None

    def prepare(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> Future[object] | None:
        """Compile in the background what this change will need, and return that, or None."""
        self._prepared = self._find_out(puts, deletes)
        return self._prepared.compiling

    def change(
        self, puts: Sequence[Entry], deletes: Sequence[EntryKey]
    ) -> dict[EntryKey, EntryStatistics]:
        """Delete and put entries, in force on return; the deleted ones' last statistics."""
        prepared, self._prepared = self._prepared, None
        if prepared is None or prepared.puts is not puts:
            prepared = self._find_out(puts, deletes)
        _, records, compiling = prepared
        if compiling is not None:
            compiling.result()  # what can't be compiled changes nothing
        self._book.clear_retired()
        self._room.for_entries(records, self._running.homes)
        keys = dict.fromkeys([*deletes, *(record.key for record in records)])
        before = [self._book.records[key].entry for key in keys if key in self._book.records]
        with self._undone_on_error(before, puts):
            return self._carry_out(records, deletes)

    def settle(self) -> None:
        """Return when all entries are in force."""
        shape = self._book.shaper.shape()
        install(self._flow, shape, self._book, self._running, self._room)

    def _find_out(self, puts: Sequence[Entry], deletes: Sequence[EntryKey]) -> _Prepared:
        records = [self._book.shaper.record(entry) for entry in puts]
        homes = self._running.homes
        if homes is not None and all(homes.home(record) for record in records):
            return _Prepared(puts, records, None)
        compiling = self._running.ask(shape_after(self._book, homes, records, deletes))
        return _Prepared(puts, records, compiling)

    def _carry_out(
        self, records: Sequence[Record], deletes: Sequence[EntryKey]
    ) -> dict[EntryKey, EntryStatistics]:
        last = carry_out(self._book, self._running.homes, records, deletes)
        if self._book.waiting:
            self.settle()
        return last

    @contextmanager
    def _undone_on_error(self, before: Sequence[Entry], puts: Sequence[Entry]) -> Iterator[None]:
        """After a change that failed: let the entries be those of before."""
        try:
            yield
        except (KernelError, CompileError):
            records = [self._book.shaper.record(entry) for entry in before]
            old = {entry.key for entry in before}
            new = [entry.key for entry in puts if entry.key not in old]
            try:
                self._carry_out(records, [key for key in new if key in self._book.records])
            except (KernelError, CompileError):
                _log.exception("%s: a change failed, and so did taking it back", self._name)
            raise
