"""The TCP flags that entries have seen: none is lost, whatever becomes of the entry or its map."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hotswitch.datapath.contract import DeleteEntry, PutEntry
from hotswitch.headers.standard import standard_registry
from tests.engines.fixture import read_entry
from tests.engines.frames import ethernet, ip4, tcp
from tests.engines.harness import Setup, install
from tests.engines.kernel_harness import KernelHarness, kernel_harness

REGISTRY = standard_registry()
FIN, SYN, PUSH, ACK = 1, 2, 8, 16


@pytest.fixture
def harness() -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY) as made:
        yield made


def _segment(flags: str) -> tuple[int, bytes]:
    return 1, ethernet(ip4(tcp(flags=flags)))


def test_flags_add_up_over_changes_and_growth(harness: KernelHarness) -> None:
    datapath = harness.datapath
    entry = read_entry(REGISTRY, "0 9 tcp note_flags,output:2")
    install(datapath, Setup([entry]))
    harness.send([_segment("S"), _segment("S")])
    assert datapath.entry_statistics()[entry.key].tcp_flags == SYN
    # Other actions: another slot, which goes on from this one.
    datapath.change([PutEntry(read_entry(REGISTRY, "0 9 tcp note_flags,output:3"))])
    harness.send([_segment("A")])
    assert datapath.entry_statistics()[entry.key].tcp_flags == SYN | ACK
    # More entries than the slots have room for: another map.
    many = [
        PutEntry(read_entry(REGISTRY, f"1 1 tcp.dst={number} output:2"))
        for number in range(1, 2000)
    ]
    datapath.change(many)
    harness.send([_segment("PA")])
    assert datapath.entry_statistics()[entry.key].tcp_flags == SYN | ACK | PUSH
    harness.send([_segment("F")])
    last = datapath.change([DeleteEntry(entry.key)])[entry.key]
    assert (last.packets, last.tcp_flags) == (5, FIN | SYN | ACK | PUSH)
    datapath.change([PutEntry(entry)])
    assert datapath.entry_statistics()[entry.key].tcp_flags == 0
