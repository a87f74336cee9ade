"""Maps that are too small grow while packets go on: nothing is missed, nothing counted is lost."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.datapath.contract import DeleteEntry, PutEntry
from hotswitch.datapath.engines.kernel import KernelEngine
from hotswitch.datapath.engines.kernel.journal import MANIFEST
from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry
from hotswitch.headers.standard import standard_registry
from hotswitch.model.action import Limit, Output, OutputList
from hotswitch.model.entry import Entry
from hotswitch.model.match import Match
from hotswitch.model.port import Address, Meter
from tests.engines.fixture import read_entry
from tests.engines.frames import MAC_A, MAC_B, tcp4
from tests.engines.harness import Setup, install
from tests.engines.kernel_harness import KernelHarness, kernel_engine, kernel_harness

REGISTRY = standard_registry()
FRAME = tcp4()


@pytest.fixture(scope="module")
def made() -> Iterator[KernelHarness]:
    with kernel_harness(REGISTRY) as harness:
        yield harness


@pytest.fixture
def harness(made: KernelHarness) -> KernelHarness:
    install(made.datapath, Setup())
    made.drain()  # a test may have sent more than it looked at
    return made


def _entry(number: int, field: str = "ethernet.src", mask: int = -1) -> Entry:
    return Entry(0, 5, Match.of({field: (number, mask)}), (Output(3),), number)


def _size(harness: KernelHarness, name: str) -> int:
    found: int = harness.datapath._engine.store.get(name).max_entries  # type: ignore[attr-defined]
    return found


def _hits(harness: KernelHarness, entry: Entry) -> int:
    return harness.datapath.entry_statistics()[entry.key].packets


def test_slots_and_counters(harness: KernelHarness) -> None:
    seen = read_entry(REGISTRY, "0 9 in_port=1 output:2")
    harness.datapath.change([PutEntry(seen)])
    harness.send([(1, FRAME)] * 3)
    before = _size(harness, memory.SLOTS)
    harness.datapath.change([PutEntry(_entry(number)) for number in range(1, before + 1)])
    assert _size(harness, memory.SLOTS) == _size(harness, memory.COUNTERS) == 4 * before
    assert harness.send([(1, FRAME)] * 2)[2] == [FRAME] * 2
    assert _hits(harness, seen) == 5
    (last,) = harness.datapath.change([DeleteEntry(seen.key)]).values()
    assert (last.packets, last.bytes) == (5, 5 * len(FRAME))


def test_what_is_counted_in_a_map_that_was_made_ahead() -> None:
    """Before there is no room left it is made in the background; growing takes it."""

    def beside(name: str, registry: Registry, folder: str, limit: int) -> Engine:
        return kernel_engine(name, registry, f"{folder}_ahead", limit)

    with kernel_harness(REGISTRY, beside) as harness:
        seen = read_entry(REGISTRY, "0 9 in_port=1 output:2")
        before = _size(harness, memory.SLOTS)
        almost = [PutEntry(_entry(number)) for number in range(1, before * 7 // 8)]
        harness.datapath.change([PutEntry(seen), *almost])
        harness.send([(1, FRAME)] * 3)
        store = harness.datapath._engine.store  # type: ignore[attr-defined]
        _, ahead = store._foreseen[memory.COUNTERS]
        harness.datapath.change([PutEntry(_entry(before + number)) for number in range(before)])
        assert store.get(memory.COUNTERS) is ahead.result()
        harness.send([(1, FRAME)] * 2)
        assert _hits(harness, seen) == 5


def test_a_slot_for_many_operands(harness: KernelHarness) -> None:
    seen = read_entry(REGISTRY, "0 9 in_port=1 output:2")
    harness.datapath.change([PutEntry(seen)])
    many = ",".join(f"set:reg{number}={number}" for number in range(16))
    long = read_entry(REGISTRY, f"0 8 in_port=3 {many},output:1,output:2")
    harness.datapath.change([PutEntry(long)])
    out = harness.send([(1, FRAME), (3, FRAME)])
    assert (out[1], out[2]) == ([FRAME], [FRAME] * 2)


def test_port_lists(harness: KernelHarness) -> None:
    seen = read_entry(REGISTRY, "0 9 in_port=1 outputs:2+3")
    harness.datapath.change([PutEntry(seen)])
    room = _size(harness, memory.MEMBERS)
    lists = [
        Entry(0, 5, Match.of({"reg0": number + 1}), (OutputList((1, *range(100 + number, 200))),))
        for number in range(room // 50)
    ]
    harness.datapath.change([PutEntry(each) for each in lists])
    assert _size(harness, memory.MEMBERS) > room
    out = harness.send([(1, FRAME)])
    assert (out[2], out[3]) == ([FRAME], [FRAME])


def test_equal_port_lists_are_stored_once(harness: KernelHarness) -> None:
    room = _size(harness, memory.MEMBERS)
    ports = (1, 2, 3, *range(1000, 2000))
    entries = [Entry(0, 5, Match.of({"in_port": n}), (OutputList(ports),)) for n in range(1, 60)]
    harness.datapath.change([PutEntry(each) for each in entries])
    assert _size(harness, memory.MEMBERS) <= max(room, 2048)
    harness.datapath.change([DeleteEntry(each.key) for each in entries[1:]])
    assert harness.send([(1, FRAME)])[3] == [FRAME]


def test_meters_keep_what_they_have_let_through(harness: KernelHarness) -> None:
    harness.datapath.put_meter(Meter(1, 1, 2))
    limited = Entry(0, 5, Match.of({"in_port": 1}), (Limit(1), Output(2)))
    harness.datapath.change([PutEntry(limited)])
    assert harness.send([(1, FRAME)] * 5)[2] == [FRAME] * 3
    for number in (4_000_000_000, *range(2, 300)):
        harness.datapath.put_meter(Meter(number, 1, 1))
    harness.datapath.put_meter(Meter(1, 1, 2))
    assert len(harness.send([(1, FRAME)] * 5)[2]) <= 2


def test_a_meter_more_costs_the_same_however_many_there_are(harness: KernelHarness) -> None:
    for number in list(harness.datapath.meters()):
        harness.datapath.delete_meter(number)
    harness.datapath.put_meter(Meter(1, 1, 2))
    engine = harness.datapath._engine
    assert isinstance(engine, KernelEngine)
    journal = engine.store.get(MANIFEST)
    before = journal.lookup(bytes(4))
    harness.datapath.put_meter(Meter(2, 300_000, 3))
    harness.datapath.delete_meter(1)
    assert journal.lookup(bytes(4)) == before
    assert engine.meters.restore() == (Meter(2, 300_000, 3),)


def test_ports(harness: KernelHarness) -> None:
    seen = read_entry(REGISTRY, "0 9 in_port=1 output:2")
    harness.datapath.change([PutEntry(seen)])
    harness.send([(1, FRAME)])
    before = harness.datapath.port_statistics()
    harness.datapath.add_port("faraway", number=_size(harness, memory.LINKS))
    assert dict(harness.datapath.port_statistics()).items() >= dict(before).items()
    assert harness.send([(1, FRAME)])[2] == [FRAME]
    after = harness.datapath.port_statistics()
    assert after[1].rx_packets == before[1].rx_packets + 1
    assert after[2].tx_packets == before[2].tx_packets + 1


@pytest.mark.parametrize(
    ("field", "mask", "total"),
    [("ethernet.src", -1, 100_000), ("ipv4.dst", 0xFFFFFF00, 20_000)],
    ids=["hash", "trie"],
)
def test_many_entries_in_one_table(
    harness: KernelHarness, field: str, mask: int, total: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """And none is missed by packets while they come, in batches."""
    wanted = read_entry(REGISTRY, "0 5 ethernet.src=02:00:00:00:00:0a output:2")
    if field == "ipv4.dst":
        wanted = read_entry(REGISTRY, "0 7 ipv4.dst=10.0.0.0/24 output:2")
        # Three prefix lengths by falling priority make a trie.
        for text in ("0 6 ipv4.dst=10.0.0.0/16 drop", "0 4 ipv4.dst=10.0.0.0/8 drop"):
            harness.datapath.change([PutEntry(read_entry(REGISTRY, text))])
    harness.datapath.change([PutEntry(wanted)])
    before = harness.datapath.counters()
    sent, stop = 0, threading.Event()

    def send() -> None:
        nonlocal sent
        while not stop.wait(0.0005):
            harness._wires[1].far.send(FRAME)
            sent += 1

    sender = threading.Thread(target=send)
    sender.start()
    started = time.monotonic()
    try:
        step = total // 5
        for start in range(0, total, step):
            numbers = range(1 << 28 | start, 1 << 28 | start + step)
            entries = [
                Entry(
                    0,
                    wanted.priority,
                    Match.of({field: (number << 8 * (mask != -1) & 0xFFFFFFFF, mask)}),
                    (Output(3),),
                )
                for number in numbers
            ]
            harness.datapath.change([PutEntry(each) for each in entries])
        taken = time.monotonic() - started
    finally:
        stop.set()
        sender.join()
    deadline = time.monotonic() + 5
    while _hits(harness, wanted) < sent and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _hits(harness, wanted) == sent > 10
    assert harness.datapath.counters() == before
    assert len(harness.datapath.entries()) >= total
    with capsys.disabled():
        print(f"\n{total} entries under {field}: {taken:.1f} s, {sent} frames meanwhile")


def test_an_address_table_of_another_size(harness: KernelHarness) -> None:
    datapath = harness.datapath
    datapath.change([PutEntry(read_entry(REGISTRY, "0 1 any learn,lookup,goto:1"))])
    datapath.change([PutEntry(read_entry(REGISTRY, "1 1 reg1=3 output:3"))])
    before = datapath.address_limit
    now = time.monotonic_ns()
    for number in range(1, 9):
        datapath.put_address(Address(0, number, 2, now - number, static=number == 8))
    datapath.put_address(Address(0, MAC_B, 3, now))
    datapath.set_address_limit(4)
    assert {row.mac for row in datapath.addresses()} == {MAC_B, 8, 1, 2}
    assert harness.send([(1, FRAME)])[3] == [FRAME]
    assert datapath.counters().not_learned > 0
    datapath.set_address_limit(before)
    assert datapath.address_limit == before
    harness.send([(1, FRAME)])
    assert {row.mac for row in datapath.addresses()} == {MAC_A, MAC_B, 8, 1, 2}
    datapath.delete_addresses(datapath.addresses())


def test_reading_statistics_leaves_nothing_to_the_collector(harness: KernelHarness) -> None:
    """A listing of many entries would stop all else for milliseconds to collect what it left."""
    entries = [_entry(number) for number in range(64)]
    harness.datapath.change([PutEntry(each) for each in entries])
    keys = list(harness.datapath.entries())
    assert len(keys) >= len(entries)
    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            harness.datapath.entry_statistics(keys)
        assert gc.collect() < 100
    finally:
        gc.enable()
