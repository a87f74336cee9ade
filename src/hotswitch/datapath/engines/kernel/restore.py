"""Reading back what an earlier life left in the maps."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hotswitch.compiler.strategies.strategy import priority_of, slot_of
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.template import ListRun, actions_of
from hotswitch.datapath.engines.kernel.homes import Homes
from hotswitch.datapath.engines.kernel.manifest import Manifest, decode
from hotswitch.datapath.engines.kernel.record import Home, Record
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import pins
from hotswitch.kernel.maps import Map
from hotswitch.model.entry import Entry, EntryKey

if TYPE_CHECKING:
    from hotswitch.datapath.engines.kernel.engine import KernelEngine

_log = logging.getLogger(__name__)


def read(directory: Path, store: MapStore, digest: str) -> Manifest | None:
    """Open the maps of an earlier life, or clear away what is of no use.

    Headers that have changed since change every key: then all begins anew. Raises KernelError.
    """
    manifest, generation = _newest(directory)
    if manifest is not None and manifest.registry == digest:
        store.restore({**manifest.maps, "manifest": generation})
        wanted = {f"{name}_{number}" for name, number in store.generations.items()}
        for path in pins.listing(directory):
            if path.name not in wanted and not path.name.startswith("link_"):
                pins.remove(path)
        return manifest
    if manifest is not None:
        _log.warning("the headers have changed since: the datapath begins anew")
    for path in pins.listing(directory):
        pins.remove(path)
    return None


def _newest(directory: Path) -> tuple[Manifest | None, int]:
    numbers = [
        int(path.name.rpartition("_")[2])
        for path in pins.listing(directory)
        if path.name.startswith("manifest_")
    ]
    for generation in sorted(numbers, reverse=True):
        with Map.from_pin(directory / f"manifest_{generation}") as map_:
            manifest = decode(map_.lookup(bytes(4)) or bytes(4))
        if manifest is not None:
            return manifest, generation
    return None, 0


def entries(engine: KernelEngine, manifest: Manifest, homes: list[Homes]) -> list[Record]:
    """The entries in the maps, as records with slot and home. Raises KernelError.

    One that is found twice (its life ended while it moved) is taken where the first shape
    has it; the other place is cleared.
    """
    found: dict[EntryKey, Record] = {}
    runs: list[ListRun] = []
    extra: list[Home] = []
    for name, map_ in engine.store.known().items():
        if not (name.startswith(("hash_", "trie_")) or name == memory.DEFAULTS):
            continue
        for key, raw in map_.items():
            value = int.from_bytes(raw, "little")
            if not value:
                continue
            home = Home(name, key)
            record = _record(engine, manifest, homes, home, value, runs)
            if record is None or record.entry.key in found:
                extra.append(home)
                continue
            record.home = home
            found[record.entry.key] = record
    for home in extra:
        if home.map_name == memory.DEFAULTS:
            engine.store.get(home.map_name).update(home.key, bytes(8))
        else:
            engine.store.get(home.map_name).delete(home.key)
    engine.slots.take_this([record.slot for record in found.values()])
    engine.runs.take_these(runs)
    return list(found.values())


def _record(
    engine: KernelEngine,
    manifest: Manifest,
    homes: list[Homes],
    home: Home,
    value: int,
    runs: list[ListRun],
) -> Record | None:
    whose = next(filter(None, (each.whose(home) for each in homes)), None)
    if whose is None:
        return None
    table, match = whose
    slot = slot_of(value)
    template, cookie, data = engine.slots.read(slot)
    if template not in manifest.templates:
        return None
    own: list[ListRun] = []

    def read_list(run: ListRun) -> tuple[int, ...]:
        own.append(run)
        return engine.runs.get(run)

    actions = actions_of(engine.flow, manifest.templates[template], data, read_list)
    record = engine.shaper.record(Entry(table, priority_of(value), match, actions, cookie))
    record.slot = slot
    record.runs = tuple(own)
    runs += own
    return record
