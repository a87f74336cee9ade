"""Entries installed a second, through the datapath's own checks and books, into the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from bench.alone.datapath import datapath
from bench.results import Row, rows_of
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
    cases = (
        (f"{SINGLE:,} entries, one by one", SINGLE, 1),
        (f"{BATCHED:,} entries, {BATCH:,} at a time", BATCHED, BATCH),
        (f"{BATCHED:,} entries, all at once", BATCHED, BATCHED),
    )
    return rows_of(((case[0], partial(_rates, *case)) for case in cases), note)


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
