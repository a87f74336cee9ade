"""From a change of shape to the new program in force; no shape was seen before."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from bench.alone.datapath import datapath
from bench.results import Row, rows_of
from hotswitch.datapath.contract import PutEntry
from hotswitch.model.action import GotoTable, Output
from hotswitch.model.entry import Entry
from hotswitch.model.match import ANY, Match

_WHOLE = (1 << 48) - 1
_CHANGES = 7


def measure(note: Callable[[str], None]) -> list[Row]:
    """Rows; what can't be done has the reason in the number's place."""
    cases = ((_title(*case), *case) for case in ((1, 1), (1, 16), (8, 8), (32, 16)))
    return rows_of(((case[0], partial(_took, *case)) for case in cases), note)


def _title(tables: int, masks: int) -> str:
    return f"a new mask, {tables} table{'s' * (tables > 1)} of {masks} mask{'s' * (masks > 1)}"


def _took(title: str, tables: int, masks: int) -> list[Row]:
    with datapath(f"swap-{tables}-{masks}") as made:
        entries = [_entry(table, number) for table in range(tables) for number in range(masks)]
        onward = [Entry(table, 0, ANY, (GotoTable(table + 1),)) for table in range(tables - 1)]
        made.change([PutEntry(each) for each in (*entries, *onward)])
        times = []
        for number in range(masks, masks + _CHANGES):
            began = time.perf_counter()
            made.change([PutEntry(_entry(0, number))])
            times.append((time.perf_counter() - began) * 1000)
    return [Row(title, statistics.median(times), "ms")]


def _entry(table: int, number: int) -> Entry:
    mask = _WHOLE ^ (number << 8 | 1)
    match = Match.of({"ethernet.src": (0x02_00_00_00_00_00 & mask, mask)})
    return Entry(table, 1000 - number, match, (Output(1),))
