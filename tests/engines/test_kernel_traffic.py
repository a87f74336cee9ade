"""Statistics are exact under traffic: each packet is in those of one entry, deleted or not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hotswitch.datapath.contract import Change, DeleteEntry, PutEntry
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import quiescence
from tests.engines.fixture import read_entry
from tests.engines.frames import tcp4
from tests.engines.kernel_harness import KernelHarness, kernel_harness

REGISTRY = standard_registry()
FRAME = tcp4()


@contextmanager
def traffic(harness: KernelHarness) -> Iterator[None]:
    """Frames come in by port 1 as fast as this machine sends."""
    stop = threading.Event()
    far = harness._wires[1].far

    def send() -> None:
        while not stop.is_set():
            for _ in range(64):
                far.send(FRAME)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join()


@pytest.mark.parametrize("way", ["visit", "grace period"])
def test_what_deletes_return_is_all_that_came(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "grace period":
        monkeypatch.setattr(quiescence, "_visit", lambda cpus: False)
    entry = read_entry(REGISTRY, "0 5 in_port=1,ipv4 output:2")
    other = read_entry(REGISTRY, "0 5 in_port=1,ipv4 set:ipv4.ttl=9,output:3")
    rest = read_entry(REGISTRY, "0 1 any drop")
    with kernel_harness(REGISTRY) as harness:
        datapath = harness.datapath
        datapath.change([PutEntry(rest), PutEntry(entry)])
        packets = size = rounds = 0
        with traffic(harness):
            end = time.monotonic() + 1.5
            while time.monotonic() < end or rounds < 5:
                last = datapath.change([DeleteEntry(entry.key)])
                changes: list[Change] = [PutEntry(other if rounds % 2 else entry)]
                datapath.change(changes)
                # An entry that gets other actions counts on.
                datapath.change([PutEntry(entry if rounds % 2 else other)])
                packets += last[entry.key].packets
                size += last[entry.key].bytes
                rounds += 1
        left = datapath.entry_statistics()
        packets += sum(each.packets for each in left.values())
        size += sum(each.bytes for each in left.values())
        received = datapath.port_statistics()[1]
        counters = datapath.counters()
    assert rounds >= 5
    assert received.rx_packets > 100
    assert (packets, size) == (received.rx_packets, received.rx_bytes)
    assert (counters.missed, counters.errors) == (0, 0)
