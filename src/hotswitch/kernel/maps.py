"""BPF maps (Documentation/bpf/maps.rst): keys and values are bytes, laid out by the caller.

Many elements at once: `map_batches`.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from hotswitch.kernel import syscall
from hotswitch.kernel.bpf_object import BpfObject
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.map_attributes import CreateAttributes, Info, Read, Write
from hotswitch.kernel.map_types import PERCPU, MapFlag, MapType, UpdateFlag
from hotswitch.kernel.syscall import Command, bpf, call


class Map(BpfObject):
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
        super().__init__(fd)
        self.type = type_
        self.key_size = key_size
        self.value_size = value_size
        self.max_entries = max_entries
        self.name = name
        self.id = identity
        self.cpus = syscall.possible_cpus() if type_ in PERCPU else 1
        self.slot_size = (value_size + 7) & ~7 if type_ in PERCPU else value_size
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
        attributes = CreateAttributes(
            type_, key_size, value_size, max_entries, flags, inner.fd if inner else 0, 0,
            syscall.object_name(name),
        )  # fmt: skip
        attempt = (
            f"create the map {name or type_.name.lower()} ({type_.name}, {max_entries} entries)"
        )
        return cls._of(bpf(Command.MAP_CREATE, attributes, attempt))

    @classmethod
    def _of(cls, fd: int) -> Self:
        """Take over a map's descriptor. Raises KernelError."""
        info = Info()
        syscall.read_info(fd, info, "read about a map")
        name = info.name.decode(errors="replace")
        return cls(fd, info.type, info.key_size, info.value_size, info.max_entries, name, info.id)

    @classmethod
    def from_id(cls, identity: int) -> Self:
        """Open the map with this id. Raises KernelError."""
        return cls._of(syscall.open_id(Command.MAP_FD_BY_ID, identity, f"open the map {identity}"))

    @classmethod
    def from_pin(cls, path: Path) -> Self:
        """Open the map pinned at `path`. Raises KernelError."""
        return cls._of(syscall.open_pin(path, "bpf-map"))

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
        result = call(command, Read(self.fd, key, ctypes.addressof(value), flags))
        if result == -errno.ENOENT:
            return None
        if result < 0:
            raise self.error("look up in", result)
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
        self.check(value, self.stride, "value")
        result = call(Command.MAP_UPDATE, Write(self.fd, key, value, flags))
        if result < 0:
            raise self.error("update", result)

    def delete(self, key: bytes) -> bool:
        """Delete an element; return whether there was one. Raises KernelError."""
        self._check_key(key)
        result = call(Command.MAP_DELETE, Write(self.fd, key))
        if result == -errno.ENOENT:
            return False
        if result < 0:
            raise self.error("delete from", result)
        return True

    # iteration

    def keys(self) -> Iterator[bytes]:
        """All keys, with no promise about those that change meanwhile. Raises KernelError."""
        key: bytes | None = None
        following = ctypes.create_string_buffer(self.key_size)
        while True:
            attributes = Read(self.fd, key, ctypes.addressof(following))
            result = call(Command.MAP_NEXT_KEY, attributes)
            if result == -errno.ENOENT:
                return
            if result < 0:
                raise self.error("list", result)
            key = following.raw
            yield key

    def mmap(self) -> mmap.mmap:
        """Map an array made with MMAPABLE into memory; values are rounded up to 8 bytes."""
        size = (self.value_size + 7 & ~7) * self.max_entries
        try:
            return mmap.mmap(self.fd, size)
        except OSError as error:
            raise self.error("map into memory", -(error.errno or 0)) from None

    def _check_key(self, key: bytes) -> None:
        if len(key) != self.key_size:
            self.check(key, self.key_size, "key")

    def check(self, data: bytes, size: int, what: str) -> None:
        """Refuse bytes that have not this size. Raises KernelError."""
        # The kernel reads as much as it expects, whatever is there.
        if len(data) != size:
            raise KernelError(f"{what} of {size} bytes expected for {self!r}, not {len(data)}")

    def error(self, verb: str, result: int) -> KernelError:
        """What went wrong, for people; result: of bpf(2)."""
        full = -result in (errno.E2BIG, errno.ENOSPC) and verb == "update"
        remedy = f"the map is full: it holds {self.max_entries} entries" if full else ""
        return KernelError(f"{verb} the map {self.name or self.id}", -result, remedy=remedy)
