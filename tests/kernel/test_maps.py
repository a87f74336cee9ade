"""Maps of each kind in the kernel: round trips, batches, errors."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotswitch.kernel import map_batches
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.map_types import MapFlag, MapType, UpdateFlag
from hotswitch.kernel.maps import Map
from hotswitch.kernel.programs import Program, ProgramType
from hotswitch.kernel.syscall import Command
from tests.kernel.code_for_bpf import returning

KEYED = [MapType.HASH, MapType.LRU_HASH, MapType.LPM_TRIE, MapType.PERCPU_HASH]


def make(type_: MapType, entries: int = 4096, value_size: int = 8) -> Map:
    return Map.create(
        type_, key_size=8, value_size=value_size, max_entries=entries, name=f"t_{type_.name}"
    )


def key(number: int) -> bytes:
    """A key that is good for a trie too: prefix length 32, then four bytes."""
    return struct.pack("<II", 32, number)


def value(map_: Map, number: int) -> bytes:
    return struct.pack("<Q", number) * map_.cpus


@pytest.fixture(params=KEYED, ids=lambda each: each.name)
def keyed(request: pytest.FixtureRequest) -> Map:
    map_ = make(request.param)
    request.addfinalizer(map_.close)
    return map_


@pytest.fixture(params=[True, False], ids=["batches", "no batches"])
def batches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Also with a kernel that has no batches."""
    if not request.param:
        known = map_batches.call

        def call(command: int, attributes: object) -> int:
            if command in (
                Command.MAP_LOOKUP_BATCH,
                Command.MAP_UPDATE_BATCH,
                Command.MAP_DELETE_BATCH,
            ):
                return -524
            return known(command, attributes)  # type: ignore[arg-type]

        monkeypatch.setattr(map_batches, "call", call)
    return bool(request.param)


def test_one_element(keyed: Map) -> None:
    assert keyed.lookup(key(1)) is None
    keyed.update(key(1), value(keyed, 5))
    assert keyed.lookup(key(1)) == value(keyed, 5)
    assert list(map_batches.items(keyed)) == [(key(1), value(keyed, 5))]
    assert keyed.delete(key(1))
    assert not keyed.delete(key(1))
    assert keyed.lookup(key(1)) is None
    assert list(keyed.keys()) == []


def test_batches(keyed: Map, batches: bool) -> None:
    count = 200
    wanted = {key(number): value(keyed, number + 1) for number in range(count)}
    map_batches.update(keyed, b"".join(wanted), b"".join(wanted.values()), count)
    assert dict(map_batches.items(keyed)) == wanted
    assert set(keyed.keys()) == set(wanted)
    parts = list(map_batches.read(keyed, 16))
    assert sum(len(keys) for keys, _ in parts) == count * 8
    # Every second one, and some that are not there.
    gone = [number for number in range(count + 50) if number % 2]
    assert map_batches.delete(keyed, b"".join(map(key, gone)), len(gone)) == count // 2
    left = {key(n): value(keyed, n + 1) for n in range(0, count, 2)}
    assert dict(map_batches.items(keyed)) == left


def test_lookup_and_delete() -> None:
    with make(MapType.HASH) as map_:
        map_.update(key(1), value(map_, 9))
        assert map_.lookup_and_delete(key(1)) == value(map_, 9)
        assert map_.lookup_and_delete(key(1)) is None


def test_an_empty_batch_does_nothing(keyed: Map) -> None:
    map_batches.update(keyed, b"", b"", 0)
    assert map_batches.delete(keyed, b"", 0) == 0
    assert list(map_batches.read(keyed)) == []


def test_new_and_existing() -> None:
    with make(MapType.HASH) as map_:
        with pytest.raises(KernelError, match="No such file"):
            map_.update(key(1), value(map_, 1), UpdateFlag.EXISTING)
        map_.update(key(1), value(map_, 1), UpdateFlag.NEW)
        with pytest.raises(KernelError, match="exists"):
            map_.update(key(1), value(map_, 2), UpdateFlag.NEW)
        assert map_.lookup(key(1)) == value(map_, 1)


@pytest.mark.parametrize("type_", [MapType.HASH, MapType.LPM_TRIE])
def test_a_full_map_says_so(type_: MapType) -> None:
    with make(type_, entries=4) as map_:
        keys = b"".join(map(key, range(5)))
        with pytest.raises(KernelError, match="the map is full: it holds 4 entries"):
            map_batches.update(map_, keys, value(map_, 0) * 5, 5)
        with pytest.raises(KernelError, match="the map is full: it holds 4 entries"):
            map_.update(key(7), value(map_, 0))


def test_the_longest_prefix_wins() -> None:
    with make(MapType.LPM_TRIE) as map_:
        for length, number in ((0, 1), (8, 2), (24, 3)):
            map_.update(struct.pack("<I4B", length, 10, 1, 2, 0), value(map_, number))
        for address, number in (((10, 1, 2, 3), 3), ((10, 9, 9, 9), 2), ((11, 1, 2, 3), 1)):
            assert map_.lookup(struct.pack("<I4B", 32, *address)) == value(map_, number)


def test_a_per_cpu_value_is_one_a_cpu() -> None:
    with Map.create(MapType.PERCPU_ARRAY, key_size=4, value_size=12, max_entries=3) as map_:
        assert map_.slot_size == 16
        assert map_.stride == 16 * map_.cpus
        parts = [bytes([cpu + 1]) * 12 for cpu in range(map_.cpus)]
        map_.update(struct.pack("<I", 1), b"".join(part + bytes(4) for part in parts))
        assert map_.lookup_percpu(struct.pack("<I", 1)) == parts
        assert map_.lookup_percpu(struct.pack("<I", 3)) is None
        everything = map_batches.read_all(map_)
        assert len(everything) == 3 * map_.stride
        assert map_.split(everything[map_.stride : 2 * map_.stride]) == parts


def test_a_large_per_cpu_array_is_read_quickly() -> None:
    slots = 100_000
    with Map.create(MapType.PERCPU_ARRAY, key_size=4, value_size=24, max_entries=slots) as map_:
        map_.update(struct.pack("<I", slots - 1), bytes([7]) * map_.stride)
        start = time.monotonic()
        everything = map_batches.read_all(map_)
        assert time.monotonic() - start < 1
        assert len(everything) == slots * map_.stride
        assert everything[-map_.stride :] == bytes([7]) * map_.stride
        assert not any(everything[: -map_.stride])


def test_reading_an_array_without_batches(batches: bool) -> None:
    with Map.create(MapType.ARRAY, key_size=4, value_size=4, max_entries=5) as map_:
        for index in range(5):
            map_.update(struct.pack("<I", index), struct.pack("<I", index * index))
        assert struct.unpack("<5I", map_batches.read_all(map_)) == (0, 1, 4, 9, 16)


def test_an_array_in_memory() -> None:
    with Map.create(
        MapType.ARRAY, key_size=4, value_size=8, max_entries=512, flags=MapFlag.MMAPABLE
    ) as map_:
        memory = map_.mmap()
        memory[8:16] = struct.pack("<Q", 99)
        assert map_.lookup(struct.pack("<I", 1)) == struct.pack("<Q", 99)
        memory.close()
    with (
        Map.create(MapType.ARRAY, key_size=4, value_size=8, max_entries=1) as plain,
        pytest.raises(KernelError, match="map into memory"),
    ):
        plain.mmap()


def test_a_map_of_maps() -> None:
    def inner(entries: int) -> Map:
        return Map.create(
            MapType.ARRAY,
            key_size=4,
            value_size=8,
            max_entries=entries,
            flags=MapFlag.INNER_MAP,
        )

    with (
        inner(1) as pattern,
        inner(1) as small,
        inner(9) as large,
        Map.create(
            MapType.ARRAY_OF_MAPS, key_size=4, value_size=4, max_entries=2, inner=pattern
        ) as outer,
    ):
        outer.update(struct.pack("<I", 0), struct.pack("<I", small.fd))
        outer.update(struct.pack("<I", 1), struct.pack("<I", large.fd))
        found = [outer.lookup(struct.pack("<I", index)) for index in range(2)]
        assert found == [struct.pack("<I", small.id), struct.pack("<I", large.id)]
        with Map.from_id(large.id) as again:
            assert again.max_entries == 9


@pytest.mark.parametrize(
    ("type_", "key_size", "value_size"),
    [
        (MapType.PROG_ARRAY, 4, 4),
        (MapType.DEVMAP, 4, 8),
        (MapType.DEVMAP_HASH, 4, 8),
        (MapType.XSKMAP, 4, 4),
        (MapType.RINGBUF, 0, 0),
        (MapType.LRU_PERCPU_HASH, 4, 8),
    ],
)
def test_the_other_kinds_exist(type_: MapType, key_size: int, value_size: int) -> None:
    with Map.create(type_, key_size=key_size, value_size=value_size, max_entries=4096) as map_:
        assert (map_.type, map_.key_size, map_.value_size) == (type_, key_size, value_size)


def test_a_program_array() -> None:
    with (
        Map.create(MapType.PROG_ARRAY, key_size=4, value_size=4, max_entries=1) as map_,
        Program.load(ProgramType.SCHED_CLS, returning(0)) as program,
    ):
        map_.update(bytes(4), struct.pack("<I", program.fd))
        assert map_.lookup(bytes(4)) == struct.pack("<I", program.info().id)
        assert map_.delete(bytes(4))


def test_pin_and_open_again(pin_directory: Path, unique: Callable[[str], str]) -> None:
    path = pin_directory / "map"
    name = unique("m")
    with Map.create(MapType.HASH, key_size=8, value_size=8, max_entries=7, name=name) as map_:
        map_.update(key(3), value(map_, 4))
        map_.pin(path)
        with pytest.raises(KernelError, match="exists"):
            map_.pin(path)
    with Map.from_pin(path) as again:
        assert (again.name, again.max_entries) == (name, 7)
        assert again.lookup(key(3)) == value(again, 4)
    with pytest.raises(KernelError, match="bpf-prog expected, found bpf-map"):
        Program.from_pin(path)
    with pytest.raises(KernelError, match="No such file"):
        Map.from_pin(pin_directory / "other")


@pytest.mark.parametrize("size", [0, 7, 9])
def test_wrong_sizes_never_reach_the_kernel(keyed: Map, size: int) -> None:
    wrong = bytes(size)
    for attempt in (
        lambda: keyed.lookup(wrong),
        lambda: keyed.update(wrong, value(keyed, 1)),
        lambda: keyed.update(key(1), wrong),
        lambda: keyed.delete(wrong),
        lambda: map_batches.update(keyed, key(1), wrong, 1),
        lambda: map_batches.delete(keyed, wrong, 1),
    ):
        with pytest.raises(KernelError, match="expected for"):
            attempt()


def test_what_can_not_be_created_is_named() -> None:
    with pytest.raises(KernelError, match=r"create the map bad \(ARRAY, 0 entries\): Invalid"):
        Map.create(MapType.ARRAY, key_size=4, value_size=4, max_entries=0, name="bad")


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "delete"]), st.sets(st.integers(0, 40), max_size=20))
    )
)
def test_batches_do_what_a_dictionary_does(steps: list[tuple[str, set[int]]]) -> None:
    model: dict[bytes, bytes] = {}
    with make(MapType.HASH) as map_:
        for turn, (verb, numbers) in enumerate(steps):
            keys = [key(number) for number in sorted(numbers)]
            if verb == "put":
                map_batches.update(map_, b"".join(keys), value(map_, turn) * len(keys), len(keys))
                model.update(dict.fromkeys(keys, value(map_, turn)))
            else:
                there = sum(model.pop(each, None) is not None for each in keys)
                assert map_batches.delete(map_, b"".join(keys), len(keys)) == there
        assert dict(map_batches.items(map_)) == model


@pytest.mark.parametrize("type_", [MapType.ARRAY, MapType.PERCPU_ARRAY])
def test_a_part_of_an_array(type_: MapType, batches: bool) -> None:
    with Map.create(type_, key_size=4, value_size=8, max_entries=300) as array:
        for index in range(300):
            array.update(index.to_bytes(4, "little"), value(array, index))
        for first, count in ((0, 1), (0, 300), (1, 5), (257, 43), (299, 1)):
            expected = b"".join([value(array, index) for index in range(first, first + count)])
            assert map_batches.read_array(array, first, count) == expected
