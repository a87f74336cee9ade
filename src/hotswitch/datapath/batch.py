"""Many changes to entries as one: what is left to do once all of them have been made."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.datapath.check import EntryCheck, describe
from hotswitch.datapath.contract import Change, DatapathError, PutEntry
from hotswitch.model.entry import Entry, EntryKey


class Batch:
    """Gathers changes to `before` in their order, and changes nothing itself.

    deletes: entries of `before` to delete (in order), first. puts: entries to add or change then.
    vanished: keys that were put and deleted within the batch, so never in force.
    """

    def __init__(self, before: Mapping[EntryKey, Entry], check: EntryCheck) -> None:
        self._before = before
        self._check = check
        self.deletes: dict[EntryKey, None] = {}
        self.puts: dict[EntryKey, Entry] = {}
        self.vanished: dict[EntryKey, None] = {}

    def add(self, change: Change) -> None:
        """Note one more change. Raises DatapathError for one that is wrong."""
        if isinstance(change, PutEntry):
            entry = self._check.entry(change.entry)
            self.puts[entry.key] = entry
        else:
            self._delete(self._check.key(change.key))

    def _delete(self, key: EntryKey) -> None:
        put = self.puts.pop(key, None)
        if key in self._before and key not in self.deletes:
            self.deletes[key] = None
        elif put is None:
            raise DatapathError(f"there is no entry to delete: {describe(key)}")
        elif key not in self.deletes:
            self.vanished[key] = None
