"""Types and flags of BPF maps (linux/bpf.h)."""

from __future__ import annotations

import enum


class MapType(enum.IntEnum):
    """`enum bpf_map_type`, those that are used."""

    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    DEVMAP = 14
    XSKMAP = 17
    DEVMAP_HASH = 25
    RINGBUF = 27


PERCPU = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})


class MapFlag(enum.IntFlag):
    """Flags of a map's creation."""

    NONE = 0
    NO_PREALLOC = 1
    MMAPABLE = 1 << 10
    INNER_MAP = 1 << 12


class UpdateFlag(enum.IntEnum):
    """Flags of an update."""

    ANY = 0
    NEW = 1
    EXISTING = 2
