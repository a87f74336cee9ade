"""Entries of numbered tables, and what is counted for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hotswitch.model.action import Actions
from hotswitch.model.match import Match


class EntryKey(NamedTuple):
    """What makes an entry that entry: no two in a datapath have the same key."""

    table: int
    priority: int
    match: Match


@dataclass(frozen=True, slots=True)
class Entry:
    """In table `table` (0–254), for packets that `match`, do `actions`.

    Of several that match, the highest priority (0–65535) wins; of equal priorities, the
    one whose `match.mask` sorts first (as a tuple). `cookie` (64 bits) is the owner's own.
    """

    table: int
    priority: int
    match: Match
    actions: Actions
    cookie: int = 0

    @property
    def key(self) -> EntryKey:
        return EntryKey(self.table, self.priority, self.match)


@dataclass(frozen=True, slots=True)
class EntryStatistics:
    """Packets and bytes (frame length with tags, without FCS) that an entry has handled.

    last_used: nanoseconds of the monotonic clock, 0 if never; a few ms coarse.
    tcp_flags: all that `NoteFlags` has seen.
    """

    packets: int = 0
    bytes: int = 0
    last_used: int = 0
    tcp_flags: int = 0

    def __add__(self, other: EntryStatistics) -> EntryStatistics:
        return EntryStatistics(
            self.packets + other.packets,
            self.bytes + other.bytes,
            max(self.last_used, other.last_used),
            self.tcp_flags | other.tcp_flags,
        )


NOTHING = EntryStatistics()
