"""A large pipeline: 64 tables of 16 masks each compiles and loads. Its times: pytest -s."""

from __future__ import annotations

import time

import pytest

from hotswitch.datapath.contract import PutEntry
from hotswitch.headers.standard import standard_registry
from hotswitch.model.action import GotoTable, Output
from hotswitch.model.entry import Entry
from hotswitch.model.match import Match
from hotswitch.model.port import Hook
from tests.engines.frames import tcp4
from tests.engines.kernel_harness import kernel_harness

REGISTRY = standard_registry()
TABLES, MASKS = 64, 16
FRAME = tcp4()
_SOURCE = 0x0A000001


def _entries() -> list[Entry]:
    """In each table the frame meets the entry with the lowest priority, under the last mask."""
    entries = []
    for table in range(TABLES):
        last = table == TABLES - 1
        for number in range(MASKS):
            mask = 0xFFFF0000 | 1 << number
            value = _SOURCE & mask if number == MASKS - 1 else ~_SOURCE & mask
            match = Match.of({"ipv4.src": (value, mask), "tcp.dst": (80, 0xFFFF)})
            action = Output(2) if last else GotoTable(table + 1)
            entries.append(Entry(table, 100 + MASKS - number, match, (action,)))
    return entries


@pytest.mark.parametrize("hook", [Hook.TCX, Hook.XDP])
def test_64_tables_of_16_masks(hook: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    entries = _entries()
    with kernel_harness(REGISTRY, hook=hook) as harness:
        started = time.monotonic()
        harness.datapath.change([PutEntry(each) for each in entries])
        taken = time.monotonic() - started
        report = harness.datapath.report()
        assert harness.send([(1, FRAME)])[2] == [FRAME]
        hit = {each.key for each in entries if each.priority == 101}
        statistics = harness.datapath.entry_statistics()
        assert {key for key, counted in statistics.items() if counted.packets} == hit
    assert {program["hook"] for program in report.programs} >= {"tcx"}
    with capsys.disabled():
        for program in report.programs:
            print(
                f"\n{program['hook']}: {TABLES} tables of {MASKS} masks, "
                f"{program['instructions']} instructions ({program['verified_instructions']} "
                f"verified), compiled in {program['compile_milliseconds']} ms"
            )
        print(f"in force for all hooks after {taken:.2f} s")
