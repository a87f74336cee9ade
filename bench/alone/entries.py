"""Entries installed a second, through the datapath's own checks and books, into the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bench.alone.datapath import datapath
from bench.results import Row
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.model.action import Output
from hotswitch.model.entry import Entry
from hotswitch.model.match import Match

SINGLE = 2_000
BATCHED = 50_000
BATCH = 1_000
_FULL = (1 << 32) - 1


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    rows = []
    for title, count, batch in (
        (f"{SINGLE:,} entries, one by one", SINGLE, 1),
        (f"{BATCHED:,} entries, {BATCH:,} at a time", BATCHED, BATCH),
        (f"{BATCHED:,} entries, all at once", BATCHED, BATCHED),
    ):
        note(title)
        try:
            rows += _rates(title, count, batch)
        except HotswitchError as error:
            rows.append(Row(title, str(error), ""))
    return rows


def _rates(title: str, count: int, batch: int) -> list[Row]:
    with datapath(f"rate-{count}-{batch}") as made:
        made.change([PutEntry(_entry(0))])  # what follows needs no new program
        puts = [PutEntry(_entry(number)) for number in range(1, count + 1)]
        deletes = [DeleteEntry(each.entry.key) for each in puts]

        def rate(changes: Sequence[Change]) -> float:
            began = time.perf_counter()
            for start in range(0, count, batch):
                made.change(changes[start : start + batch])
            return count / (time.perf_counter() - began)

        return [
            Row(f"{title}: put", rate(puts), "/s", f"put by {batch}"),
            Row(f"{title}: deleted", rate(deletes), "/s"),
        ]


def _entry(number: int) -> Entry:
    match = Match.of({"ipv4.src": (number, _FULL), "ipv4.dst": (0x0A000002, _FULL)})
    return Entry(0, 1, match, (Output(1 + number % 2),))
