"""HOTSWITCH_DUMP: every stage of a compilation, for people."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.headers.standard import standard_registry
from tests.engines.fixture import read_entry
from tests.engines.kernel_harness import kernel_engine

REGISTRY = standard_registry()
STAGES = {
    "ir-reach": "table 0",
    "ir-layout": "tcp.dst/0xffff",
    "llvm": "define",
    "llvm-optimised": "define",
    "assembly": "; 1: flow of",
    "verifier": "processed",
}


@pytest.mark.parametrize("only", ["", ":ir-reach,verifier"])
def test_every_stage_that_is_asked_for(
    only: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTSWITCH_DUMP", f"{tmp_path}{only}")
    name = f"dump{os.getpid()}"
    datapath = EntryDatapath(name, REGISTRY, kernel_engine(name, REGISTRY, name, 16))
    try:
        datapath.change([PutEntry(read_entry(REGISTRY, "0 1 tcp.dst=80 drop"))])
    finally:
        datapath.destroy()
    texts = {path.stem.removeprefix("tcx-"): path.read_text() for path in tmp_path.iterdir()}
    wanted = only[1:].split(",") if only else STAGES
    assert texts.keys() >= set(wanted) and (not only or texts.keys() == set(wanted))
    for stage in wanted:
        assert STAGES[stage] in texts[stage]
    assert "R1=" in texts["verifier"]
