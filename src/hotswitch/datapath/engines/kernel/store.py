"""The datapath's maps: made when needed, pinned, grown by doubling, found again by a later daemon.

A map's name in programs ("slots") stays; its pin has a generation's number behind it
("slots_3"), for a map that grows is a new map. Which one is in use, the manifest says.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.datapath.engines.kernel import port_records
from hotswitch.kernel import pins
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.map_types import MapFlag, MapType
from hotswitch.kernel.maps import Map


class Spec(NamedTuple):
    """How a map is made; `entries` at first."""

    type: MapType
    key_size: int
    value_size: int
    entries: int
    flags: int = 0


SLOT_SIZE = 128
"""Bytes of a slot at first; more where an entry's operands need it."""

_SPECS = {
    memory.PORTS: Spec(MapType.HASH, 4, 4, 65536, MapFlag.NO_PREALLOC),
    memory.PORT_HINTS: Spec(
        MapType.ARRAY, 4, memory.PORT_HINT.size, memory.PORT_HINTS_LENGTH, MapFlag.MMAPABLE
    ),
    memory.LINKS: Spec(MapType.ARRAY, 4, memory.LINK_ROW_SIZE, 256, MapFlag.MMAPABLE),
    memory.SLOTS: Spec(MapType.ARRAY, 4, SLOT_SIZE, 1024, MapFlag.MMAPABLE),
    memory.COUNTERS: Spec(MapType.PERCPU_ARRAY, 4, memory.COUNTER.size, 1024),
    memory.DEFAULTS: Spec(MapType.ARRAY, 4, 8, 256, MapFlag.MMAPABLE),
    memory.MEMBERS: Spec(MapType.ARRAY, 4, 8, 1024, MapFlag.MMAPABLE),
    memory.CARRIED: Spec(MapType.ARRAY, 4, memory.CARRY.size, 1024, MapFlag.MMAPABLE),
    memory.PORT_CARRIED: Spec(MapType.ARRAY, 4, memory.PORT_COUNTER.size, 256, MapFlag.MMAPABLE),
    memory.PORT_COUNTERS: Spec(MapType.PERCPU_ARRAY, 4, memory.PORT_COUNTER.size, 256),
    memory.TOTALS: Spec(MapType.PERCPU_ARRAY, 4, memory.TOTAL.size, 1),
    memory.METERS: Spec(MapType.HASH, 4, memory.METER.size, 256, MapFlag.NO_PREALLOC),
    memory.SCRATCH: Spec(MapType.PERCPU_ARRAY, 4, memory.SCRATCH_SIZE, 1),
    port_records.NAME: Spec(MapType.HASH, 4, port_records.SIZE, 65536, MapFlag.NO_PREALLOC),
    "manifest": Spec(MapType.ARRAY, 4, 1 << 16, 1),
}
_FEW = 1 << 16
_MATCH_ENTRIES = 1 << 13
ENTRY_LIMIT = 1 << 20
"""Entries of one datapath, and one more."""
COPIES_SIZE = 1 << 20
"""Bytes of the ring buffer."""


def spec_of(name: str, address_limit: int) -> Spec:
    """How the map of this name is made."""
    kind, _, size = name.partition("_")
    if kind == "hash":
        return Spec(MapType.HASH, int(size), 8, _MATCH_ENTRIES, MapFlag.NO_PREALLOC)
    if kind == "trie":
        return Spec(MapType.LPM_TRIE, int(size), 8, _MATCH_ENTRIES, MapFlag.NO_PREALLOC)
    if kind == memory.DIRECT:
        bits = int(size.rpartition("_")[2])
        return Spec(MapType.ARRAY, 4, 8, 1 << bits)
    if kind == memory.PROGRAMS:
        return Spec(MapType.PROG_ARRAY, 4, 4, 1)
    if name == memory.ADDRESSES:
        return Spec(MapType.HASH, 8, memory.ADDRESS.size, address_limit)
    if name == memory.COPIES:
        return Spec(MapType.RINGBUF, 0, 0, COPIES_SIZE)
    return _SPECS[name]


def _larger(size: int, wanted: int) -> int:
    """Four times as many while they are few: each time programs have to be loaded again."""
    while size < wanted:
        size *= 4 if size < _FEW else 2
    return size


class MapStore:
    """The maps of one datapath, in one directory of a bpffs."""

    def __init__(self, directory: Path, address_limit: int) -> None:
        self.directory = directory
        self._address_limit = address_limit
        self._maps: dict[str, Map] = {}
        self._generation: dict[str, int] = {}
        self._foreseen: dict[str, tuple[Spec, Future[Map]]] = {}

    def restore(self, generations: dict[str, int]) -> None:
        """Open the maps of these generations. Raises KernelError if one is missing."""
        for name, generation in generations.items():
            self._maps[name] = Map.from_pin(self._path(name, generation))
            self._generation[name] = generation

    @property
    def generations(self) -> dict[str, int]:
        """The generation in use of each map."""
        return dict(self._generation)

    def get(self, name: str, entries: int = 0) -> Map:
        """The map of this name; made, for so many entries, if there is none. Raises KernelError."""
        known = self._maps.get(name)
        if known is not None:
            return known
        spec = spec_of(name, self._address_limit)
        return self._make(name, spec._replace(entries=_larger(spec.entries, entries)))

    def known(self) -> dict[str, Map]:
        """All maps that exist."""
        return dict(self._maps)

    def grow(self, name: str, entries: int, value_size: int = 0) -> tuple[Map, Map]:
        """A new, larger map in the place of one; returns the old and the new one.

        The old one stays pinned until it is dropped. Raises KernelError.
        """
        old = self.get(name)
        spec = self._larger_spec(name, entries, value_size)
        return old, self._make(name, spec)

    def foresee(self, name: str, entries: int) -> None:
        """Begin to make a larger map in the background, so that `grow` finds it ready."""
        if name in self._foreseen:
            return
        spec = self._larger_spec(name, entries, 0)
        worker = ThreadPoolExecutor(1, "hotswitch-maps")
        self._foreseen[name] = spec, worker.submit(_create, name, spec)
        worker.shutdown(wait=False)

    def _larger_spec(self, name: str, entries: int, value_size: int) -> Spec:
        old = self.get(name)
        # The keys of one that is looked up have to be copied, a thousand a millisecond, but room
        # for all that there can be is only its buckets, 16 bytes each. So it grows once.
        once = name.startswith(("hash_", "trie_"))
        return spec_of(name, self._address_limit)._replace(
            entries=max(entries, ENTRY_LIMIT) if once else _larger(old.max_entries, entries),
            value_size=max(old.value_size, value_size),
        )

    def resize(self, name: str, entries: int) -> tuple[Map, Map]:
        """A new map of exactly this size in the place of one; the old and the new one.

        The old one stays pinned until it is dropped. Raises KernelError.
        """
        old = self.get(name)
        spec = spec_of(name, self._address_limit)._replace(entries=entries)
        return old, self._make(name, spec)

    def put_back(self, old: Map, name: str) -> None:
        """Undo `grow`: the old map is in use again. Raises KernelError."""
        self._maps[name].close()
        pins.remove(self._path(name, self._generation[name]))
        self._maps[name] = old
        self._generation[name] -= 1

    def open(self, name: str, generation: int) -> Map:
        """A map that has been replaced, while its pin is there. Raises KernelError."""
        return Map.from_pin(self._path(name, generation))

    def drop(self, old: Map, name: str) -> None:
        """Close and unpin a map that has been replaced."""
        current = self._path(name, self._generation[name])
        for path in pins.listing(self.directory):
            if path.name.rpartition("_")[0] == name and path != current:
                pins.remove(path)
        old.close()

    def give_up(self, name: str) -> Callable[[], None]:
        """Know a map no more; calling the result removes it. Nothing may be in it any more."""
        map_, path = self._maps.pop(name), self._path(name, self._generation.pop(name))

        def remove() -> None:
            pins.remove(path)
            map_.close()

        return remove

    def close(self) -> None:
        """Let go of all maps."""
        for each in self._maps.values():
            each.close()
        self._maps.clear()
        for _, future in self._foreseen.values():
            future.add_done_callback(_close)
        self._foreseen.clear()

    def _make(self, name: str, spec: Spec) -> Map:
        foreseen = self._take_foreseen(name, spec)
        made = _create(name, spec) if foreseen is None else foreseen
        generation = self._generation.get(name, 0) + 1
        path = self._path(name, generation)
        pins.remove(path)  # one that an earlier daemon had no time to use
        made.pin(path)
        self._maps[name] = made
        self._generation[name] = generation
        return made

    def _take_foreseen(self, name: str, spec: Spec) -> Map | None:
        foreseen, future = self._foreseen.pop(name, (None, None))
        if future is None:
            return None
        if foreseen == spec:
            with suppress(KernelError):  # then it is tried again
                return future.result()
        future.add_done_callback(_close)
        return None

    def _path(self, name: str, generation: int) -> Path:
        return self.directory / f"{name}_{generation}"


def _create(name: str, spec: Spec) -> Map:
    return Map.create(
        spec.type,
        key_size=spec.key_size,
        value_size=spec.value_size,
        max_entries=spec.entries,
        name=name,
        flags=spec.flags,
    )


def _close(future: Future[Map]) -> None:
    """Let go of a map that is not needed after all."""
    if future.exception() is None:
        future.result().close()
