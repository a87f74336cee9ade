"""BPF maps (Documentation/bpf/maps.rst): keys and values are bytes, laid out by the caller."""

from __future__ import annotations

import ctypes
import enum
import errno
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from hotswitch.kernel import syscall
from hotswitch.kernel.error import ENOTSUPP, KernelError
from hotswitch.kernel.syscall import Command, bpf, call


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


_PERCPU = frozenset({MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH})


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


class _CreateAttributes(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("inner_fd", ctypes.c_uint32),
        ("numa_node", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


class _Read(ctypes.Structure):
    """One element; the value (or next key) is written by the kernel."""

    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("key", ctypes.c_char_p),
        ("value", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class _Write(ctypes.Structure):
    """One element; the value is read by the kernel."""

    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("key", ctypes.c_char_p),
        ("value", ctypes.c_char_p),
        ("flags", ctypes.c_uint64),
    )


class _ReadBatch(ctypes.Structure):
    _fields_ = (
        ("in_batch", ctypes.c_uint64),
        ("out_batch", ctypes.c_uint64),
        ("keys", ctypes.c_uint64),
        ("values", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("fd", ctypes.c_uint32),
        ("element_flags", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class _WriteBatch(ctypes.Structure):
    _fields_ = (
        ("in_batch", ctypes.c_uint64),
        ("out_batch", ctypes.c_uint64),
        ("keys", ctypes.c_char_p),
        ("values", ctypes.c_char_p),
        ("count", ctypes.c_uint32),
        ("fd", ctypes.c_uint32),
        ("element_flags", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class _Info(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


_NO_BATCH = frozenset({ENOTSUPP, errno.EOPNOTSUPP, errno.EINVAL})


class Map:
    """An open BPF map. Closing it does not destroy what is pinned or used by a program.

    value_size: bytes of one value, on each CPU if the map is per-CPU.
    stride: bytes of one value as read and written here: for a per-CPU map all CPUs' values, each
        rounded up to 8 bytes.
    """

    def __init__(
        self,
        fd: int,
        type_: int,
        key_size: int,
        value_size: int,
        max_entries: int,
        name: str,
        identity: int = 0,
    ) -> None:
        self.fd = fd
        self.type = type_
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.name = name
        self.id = identity
        self.cpus = syscall.possible_cpus() if type_ in _PERCPU else 1
        self.slot_size = (value_size + 7) & ~7 if type_ in _PERCPU else value_size
        self.stride = self.slot_size * self.cpus

    @classmethod
    def create(
        cls,
        type_: MapType,
        *,
        key_size: int,
        value_size: int,
        max_entries: int,
        name: str = "",
        flags: int = 0,
        inner: Map | None = None,
    ) -> Self:
        """Create a map; `inner` is the pattern for the maps in a map of maps.

        An LPM trie is always created with NO_PREALLOC, which it needs. Raises KernelError.
        """
        if type_ == MapType.LPM_TRIE:
            flags |= MapFlag.NO_PREALLOC
        attributes = _CreateAttributes(
            type_, key_size, value_size, max_entries, flags, inner.fd if inner else 0, 0,
            syscall.object_name(name),
        )  # fmt: skip
        attempt = (
            f"create the map {name or type_.name.lower()} ({type_.name}, {max_entries} entries)"
        )
        return cls.from_fd(bpf(Command.MAP_CREATE, attributes, attempt))

    @classmethod
    def from_fd(cls, fd: int) -> Self:
        """Take over a descriptor. Raises KernelError, and closes it, if it is no map."""
        info = _Info()
        syscall.check_kind(fd, "bpf-map")
        syscall.read_info(fd, info, "read about a map")
        name = info.name.decode(errors="replace")
        return cls(fd, info.type, info.key_size, info.value_size, info.max_entries, name, info.id)

    @classmethod
    def from_id(cls, identity: int) -> Self:
        """Open the map with this id. Raises KernelError."""
        return cls.from_fd(
            syscall.open_id(Command.MAP_FD_BY_ID, identity, f"open the map {identity}")
        )

    @classmethod
    def from_pin(cls, path: Path) -> Self:
        """Open the map pinned at `path`. Raises KernelError."""
        return cls.from_fd(syscall.get(path))

    def __repr__(self) -> str:
        return f"<Map {self.name or self.id} fd={self.fd}>"

    # one element

    def lookup(self, key: bytes, flags: int = 0) -> bytes | None:
        """Return the value (`stride` bytes), or None if there is none. Raises KernelError."""
        return self._read(Command.MAP_LOOKUP, key, flags)

    def lookup_and_delete(self, key: bytes) -> bytes | None:
        """Delete an element and return its last value, or None. Raises KernelError."""
        return self._read(Command.MAP_LOOKUP_AND_DELETE, key, 0)

    def _read(self, command: Command, key: bytes, flags: int) -> bytes | None:
        self._check_key(key)
        value = ctypes.create_string_buffer(self.stride)
        result = call(command, _Read(self.fd, key, ctypes.addressof(value), flags))
        if result == -errno.ENOENT:
            return None
        if result < 0:
            raise self._error("look up in", result)
        return value.raw

    def lookup_percpu(self, key: bytes) -> list[bytes] | None:
        """Return each possible CPU's value (`value_size` bytes), or None. Raises KernelError."""
        value = self.lookup(key)
        return None if value is None else self.split(value)

    def split(self, value: bytes) -> list[bytes]:
        """Cut a value as it was read into the CPUs' values."""
        return [
            value[start : start + self.value_size]
            for start in range(0, self.stride, self.slot_size)
        ]

    def update(self, key: bytes, value: bytes, flags: int = UpdateFlag.ANY) -> None:
        """Add or replace an element; `value` has `stride` bytes. Raises KernelError."""
        self._check_key(key)
        self._check(value, self.stride, "value")
        result = call(Command.MAP_UPDATE, _Write(self.fd, key, value, flags))
        if result < 0:
            raise self._error("update", result)

    def delete(self, key: bytes) -> bool:
        """Delete an element; return whether there was one. Raises KernelError."""
        self._check_key(key)
        result = call(Command.MAP_DELETE, _Write(self.fd, key))
        if result == -errno.ENOENT:
            return False
        if result < 0:
            raise self._error("delete from", result)
        return True

    # iteration

    def keys(self) -> Iterator[bytes]:
        """All keys, with no promise about those that change meanwhile. Raises KernelError."""
        key: bytes | None = None
        following = ctypes.create_string_buffer(self.key_size)
        while True:
            attributes = _Read(self.fd, key, ctypes.addressof(following))
            result = call(Command.MAP_NEXT_KEY, attributes)
            if result == -errno.ENOENT:
                return
            if result < 0:
                raise self._error("list", result)
            key = following.raw
            yield key

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All elements; values have `stride` bytes. Raises KernelError."""
        for keys, values in self.lookup_batch():
            for index in range(len(keys) // self.key_size):
                yield (
                    keys[index * self.key_size : (index + 1) * self.key_size],
                    values[index * self.stride : (index + 1) * self.stride],
                )

    # batches

    def lookup_batch(self, count: int = 4096) -> Iterator[tuple[bytes, bytes]]:
        """All elements, in runs of about `count`: their keys joined, their values joined.

        Falls back to single elements where the kernel has no batches. Raises KernelError.
        """
        # The kernel's cursor is a hash bucket's number (4 bytes) or a key.
        cursor = ctypes.create_string_buffer(max(4, self.key_size))
        count = max(1, min(count, self.max_entries))
        started = False
        while True:
            keys = ctypes.create_string_buffer(count * self.key_size)
            values = ctypes.create_string_buffer(count * self.stride)
            attributes = _ReadBatch(
                ctypes.addressof(cursor) if started else 0,
                ctypes.addressof(cursor),
                ctypes.addressof(keys),
                ctypes.addressof(values),
                count,
                self.fd,
            )
            result = call(Command.MAP_LOOKUP_BATCH, attributes)
            if -result in _NO_BATCH and not started:
                yield from self._lookup_singly()
                return
            if result == -errno.ENOSPC and count < 2 * self.max_entries:
                count *= 2  # one bucket holds more than this
                continue
            if result < 0 and result != -errno.ENOENT:
                raise self._error("list", result)
            found = attributes.count
            if found:
                yield (
                    ctypes.string_at(keys, found * self.key_size),
                    ctypes.string_at(values, found * self.stride),
                )
            if result < 0:
                return
            started = True

    def _lookup_singly(self) -> Iterator[tuple[bytes, bytes]]:
        for key in self.keys():
            value = self.lookup(key)
            if value is not None:
                yield key, value

    def read_all(self) -> bytes:
        """All values of an array (per-CPU or not), joined by index. Raises KernelError."""
        return b"".join(values for _, values in self.lookup_batch(self.max_entries))

    def update_batch(self, keys: bytes, values: bytes, count: int, flags: int = 0) -> None:
        """Add or replace `count` elements, in order.

        Raises KernelError; those before the refused one have then been written.
        """
        self._check(keys, count * self.key_size, "keys")
        self._check(values, count * self.stride, "values")
        if not count:
            return
        attributes = _WriteBatch(0, 0, keys, values, count, self.fd, flags)
        result = call(Command.MAP_UPDATE_BATCH, attributes)
        if -result in _NO_BATCH:
            for index in range(count):
                self.update(
                    keys[index * self.key_size : (index + 1) * self.key_size],
                    values[index * self.stride : (index + 1) * self.stride],
                    flags,
                )
        elif result < 0:
            raise self._error("update", result)

    def delete_batch(self, keys: bytes, count: int) -> int:
        """Delete `count` elements; return how many there were. Raises KernelError."""
        self._check(keys, count * self.key_size, "keys")
        deleted = done = 0
        while done < count:
            rest = keys[done * self.key_size :]
            attributes = _WriteBatch(0, 0, rest, None, count - done, self.fd)
            result = call(Command.MAP_DELETE_BATCH, attributes)
            if -result in _NO_BATCH:
                return deleted + sum(
                    self.delete(keys[index * self.key_size : (index + 1) * self.key_size])
                    for index in range(done, count)
                )
            if result < 0 and result != -errno.ENOENT:
                raise self._error("delete from", result)
            deleted += attributes.count
            done += attributes.count + (result < 0)  # past the one that was not there
        return deleted

    # life

    def mmap(self) -> mmap.mmap:
        """Map an array made with MMAPABLE into memory; values are rounded up to 8 bytes."""
        size = (self.value_size + 7 & ~7) * self.max_entries
        try:
            return mmap.mmap(self.fd, size)
        except OSError as error:
            raise self._error("map into memory", -(error.errno or 0)) from None

    def pin(self, path: Path) -> None:
        """Give it a name in a bpffs. Raises KernelError."""
        syscall.pin(self.fd, path)

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check_key(self, key: bytes) -> None:
        if len(key) != self.key_size:
            self._check(key, self.key_size, "key")

    def _check(self, data: bytes, size: int, what: str) -> None:
        # The kernel reads as much as it expects, whatever is there.
        if len(data) != size:
            raise KernelError(f"{what} of {size} bytes expected for {self!r}, not {len(data)}")

    def _error(self, verb: str, result: int) -> KernelError:
        full = -result in (errno.E2BIG, errno.ENOSPC) and verb == "update"
        remedy = f"the map is full: it holds {self.max_entries} entries" if full else ""
        return KernelError(f"{verb} the map {self.name or self.id}", -result, remedy=remedy)
