"""The ring buffer, filled by a program."""

from __future__ import annotations

import asyncio
import select
import struct
import threading
from collections.abc import Iterator

import pytest

from hotswitch.kernel.error import KernelError
from hotswitch.kernel.loader import link, load
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import Program, ProgramType
from hotswitch.kernel.ring_buffer import RingBuffer
from tests.kernel.code_for_bpf import compile_ir
from tests.kernel.conftest import wait_for

SIZE = 4096

# Each run puts the next number (and its double) into the ring, but gives each fourth record up.
# It returns 1 if there was no room.
PRODUCER = link(
    compile_ir("""
@ring = external global i8
@counts = external global i8
define i32 @main(ptr %context) section "tc" {
  %key = alloca i32
  store i32 0, ptr %key
  %value = call ptr inttoptr (i64 1 to ptr)(ptr @counts, ptr %key)
  %missing = icmp eq ptr %value, null
  br i1 %missing, label %out, label %reserve
reserve:
  %record = call ptr inttoptr (i64 131 to ptr)(ptr @ring, i64 20, i64 0)
  %full = icmp eq ptr %record, null
  br i1 %full, label %out, label %fill
fill:
  %number = load i64, ptr %value
  %next = add i64 %number, 1
  store i64 %next, ptr %value
  store i64 %number, ptr %record
  %double = add i64 %number, %number
  %second = getelementptr i8, ptr %record, i64 8
  store i64 %double, ptr %second
  %third = getelementptr i8, ptr %record, i64 16
  store i32 7, ptr %third
  %low = and i64 %number, 3
  %given_up = icmp eq i64 %low, 3
  br i1 %given_up, label %discard, label %submit
discard:
  call void inttoptr (i64 133 to ptr)(ptr %record, i64 0)
  br label %done
submit:
  call void inttoptr (i64 132 to ptr)(ptr %record, i64 0)
  br label %done
done:
  ret i32 0
out:
  ret i32 1
}
""")
)


@pytest.fixture
def ring() -> Iterator[Map]:
    with Map.create(MapType.RINGBUF, key_size=0, value_size=0, max_entries=SIZE) as map_:
        yield map_


@pytest.fixture
def producer(ring: Map) -> Iterator[Program]:
    with (
        Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as counts,
        load(PRODUCER, {"ring": ring, "counts": counts}, ProgramType.SCHED_CLS) as program,
    ):
        yield program


def numbers(records: list[bytes]) -> list[int]:
    found = []
    for record in records:
        number, double, seven = struct.unpack("<QQI", record)
        assert (double, seven) == (2 * number, 7)
        found.append(number)
    return found


def kept(count: int) -> list[int]:
    return [number for number in range(count) if number % 4 != 3]


def test_records_come_in_order_without_those_given_up(ring: Map, producer: Program) -> None:
    with RingBuffer(ring) as reader:
        assert reader.read() == []
        producer.test_run(bytes(64), repeat=10)
        assert numbers(reader.read(3)) == [0, 1, 2]
        assert numbers(reader.read()) == kept(10)[3:]
        assert reader.read() == []


def test_a_full_ring_takes_no_more_until_it_is_read(ring: Map, producer: Program) -> None:
    room = SIZE // 32 - 1
    with RingBuffer(ring) as reader:
        assert producer.test_run(bytes(64), repeat=SIZE).result == 1
        first = numbers(reader.read())
        assert first == kept(len(first) * 4 // 3 + 3)[: len(first)]
        assert len(first) >= room * 3 // 4 - 3
        assert producer.test_run(bytes(64)).result == 0


def test_under_load_nothing_is_torn_or_out_of_order(ring: Map, producer: Program) -> None:
    """The producer goes round the ring many times while it is read."""
    seen: list[int] = []
    wanted = SIZE // 32 * 20
    enough = threading.Event()

    def produce() -> None:
        while not enough.is_set():
            producer.test_run(bytes(64), repeat=100)

    def consume() -> bool:
        seen.extend(numbers(reader.read(64)))
        return len(seen) >= wanted

    thread = threading.Thread(target=produce)
    with RingBuffer(ring) as reader:
        thread.start()
        try:
            wait_for(consume, 10)
        finally:
            enough.set()
            thread.join()
        seen += numbers(reader.read())
    # What found no room was not numbered, so there are no gaps.
    assert seen == kept(seen[-1] + 1)


def test_a_loop_is_woken(ring: Map, producer: Program) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        found: list[int] = []
        complete = asyncio.Event()
        with RingBuffer(ring) as reader:

            def read() -> None:
                found.extend(numbers(reader.read(2)))
                if len(found) == len(kept(20)):
                    complete.set()

            loop.add_reader(reader.fileno(), read)
            for _ in range(20):
                producer.test_run(bytes(64))
                await asyncio.sleep(0)
            await asyncio.wait_for(complete.wait(), 5)
            loop.remove_reader(reader.fileno())
        return found

    assert asyncio.run(main()) == kept(20)


def test_readable_only_while_there_is_something(ring: Map, producer: Program) -> None:
    with RingBuffer(ring) as reader:
        assert select.select([reader], [], [], 0)[0] == []
        producer.test_run(bytes(64))
        assert select.select([reader], [], [], 5)[0] == [reader]
        reader.read()
        assert select.select([reader], [], [], 0)[0] == []


def test_another_kind_of_map_is_refused() -> None:
    with (
        Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as map_,
        pytest.raises(KernelError, match="another type"),
    ):
        RingBuffer(map_)
