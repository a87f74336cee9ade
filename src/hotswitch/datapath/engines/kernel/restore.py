"""Reading back what an earlier life left in the maps, wherever it ended."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hotswitch.compiler.strategies.strategy import slot_of
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.template import ListRun, Template, actions_of
from hotswitch.datapath.engines.kernel.abandonment import abandon
from hotswitch.datapath.engines.kernel.book import Book
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.journal import MANIFEST
from hotswitch.datapath.engines.kernel.manifest import Manifest, decode
from hotswitch.datapath.engines.kernel.qdiscs import MARK
from hotswitch.datapath.engines.kernel.record import Home, Record
from hotswitch.datapath.engines.kernel.spots import LINK_PINS
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import map_batches, pins
from hotswitch.kernel.maps import Map
from hotswitch.kernel.quiescence import wait_for_programs
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import Match

_log = logging.getLogger(__name__)


def read(directory: Path, store: MapStore, digest: str) -> Manifest | None:
    """Open the maps of an earlier life, or clear away what is of no use.

    Headers that have changed since change every key: then all begins anew. Raises KernelError.
    """
    manifest, generation = _newest(directory)
    if manifest is not None and manifest.registry == digest:
        store.restore({**manifest.maps, MANIFEST: generation})
        wanted = {
            f"{name}_{number}"
            for generations in (store.generations, manifest.retiring)
            for name, number in generations.items()
        }
        for path in pins.listing(directory):
            if path.name not in wanted and not path.name.startswith((*LINK_PINS, MARK)):
                pins.remove(path)
        return manifest
    if manifest is not None:
        _log.warning("the headers or the program have changed: the datapath begins anew")
    abandon(directory)
    return None


def disown(directory: Path) -> None:
    """Let a later life find nothing to take over there. Raises KernelError."""
    for path in _manifests(directory):
        pins.remove(path)


def _manifests(directory: Path) -> list[Path]:
    return [path for path in pins.listing(directory) if path.name.startswith(f"{MANIFEST}_")]


def _newest(directory: Path) -> tuple[Manifest | None, int]:
    numbers = [int(path.name.rpartition("_")[2]) for path in _manifests(directory)]
    for generation in sorted(numbers, reverse=True):
        with Map.from_pin(directory / f"{MANIFEST}_{generation}") as map_:
            manifest = decode(map_.lookup(bytes(4)) or bytes(4))
        if manifest is not None:
            return manifest, generation
    return None, 0


def entries(
    book: Book, store: MapStore, templates: Mapping[int, Template], homes: Sequence[Homes]
) -> list[Home]:
    """Enter what is in the maps into the book.

    homes: of the program that runs, then of those that may have been about to. Returns the
    places of what is in the maps but not in the book: what a successor had taken the place of.
    Raises KernelError.
    """
    reader = _Reader(book, templates)
    found: dict[EntryKey, Record] = {}
    extra: list[Home] = []
    chains: dict[Home, list[Record]] = {}
    for home, slot, (table, match) in _values(store, homes):
        chains[home] = list(reader.chain(home, slot, table, match))
        for record in chains[home]:
            other = found.get(record.entry.key)
            # Of two, the one whose counts include the other's is newer.
            if other is None or book.counters.predecessor(record.slot) == other.slot:
                found[record.entry.key] = record
    for home, chain in chains.items():
        if not any(found[record.entry.key] is record for record in chain):
            extra.append(home)
    for key, record in found.items():
        assert record.home
        book.records[key] = record
        book.residents.add(record.home, record)
        book.shaper.add(record)
    _take(book, found.values())
    return extra


def _take(book: Book, records: Iterable[Record]) -> None:
    """Let the slots and runs of these be in use, and no others."""
    kept = list(records)
    slots = [record.slot for record in kept]
    wait_for_programs()
    book.counters.settle(slots)
    book.slots.take_these(slots)
    book.runs.take_these(run for record in kept for run in record.runs)


def clear(book: Book, store: MapStore, places: Iterable[Home]) -> None:
    """Empty places that nobody lives at. Raises KernelError."""
    for home in places:
        if book.residents.at(home):
            continue
        if memory.is_array(home.map_name):
            store.get(home.map_name).update(home.key, bytes(8))
        else:
            store.get(home.map_name).delete(home.key)


def _values(
    store: MapStore, homes: Sequence[Homes]
) -> Iterator[tuple[Home, int, tuple[int, Match]]]:
    """The values in the match maps: where, which slot, for which table and match.

    Those that the first of the homes knows come first; what none knows is left out.
    """
    rows = []
    for name, map_ in store.known().items():
        if name.startswith(("hash_", "trie_")) or memory.is_array(name):
            for key, raw in map_batches.items(map_):
                if any(raw):
                    rows.append((Home(name, key), slot_of(int.from_bytes(raw, "little"))))
    later = []
    for home, slot in rows:
        whose = homes[0].whose(home)
        if whose is not None:
            yield home, slot, whose
        else:
            later.append((home, slot))
    for home, slot in later:
        whose = next(filter(None, (each.whose(home) for each in homes[1:])), None)
        if whose is not None:
            yield home, slot, whose


class _Reader:
    def __init__(self, book: Book, templates: Mapping[int, Template]) -> None:
        self._book = book
        self._templates = templates

    def chain(self, home: Home, slot: int, table: int, match: Match) -> Iterator[Record]:
        """The record in a slot, and those below it."""
        seen: set[int] = set()
        while slot and slot not in seen:
            seen.add(slot)
            read = self._book.slots.read(slot)
            template = self._templates.get(read.template)
            if template is None:
                return
            runs: list[ListRun] = []

            def read_list(run: ListRun, runs: list[ListRun] = runs) -> tuple[int, ...]:
                runs.append(run)
                return self._book.runs.get(run)

            actions = actions_of(self._book.shaper.flow, template, read.operands, read_list)
            entry = Entry(table, read.priority, match, actions, read.cookie)
            record = self._book.shaper.record(entry)
            record.slot, record.runs, record.home = slot, tuple(runs), home
            yield record
            slot = read.next
