"""Many elements of a BPF map at once; one by one where the kernel has no batches."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator

from hotswitch.kernel.error import ENOTSUPP
from hotswitch.kernel.map_attributes import ReadBatch, WriteBatch
from hotswitch.kernel.maps import Map
from hotswitch.kernel.syscall import Command, call

_NO_BATCH = frozenset({ENOTSUPP, errno.EOPNOTSUPP, errno.EINVAL})


def items(map_: Map) -> Iterator[tuple[bytes, bytes]]:
    """All elements; values have `stride` bytes. Raises KernelError."""
    for keys, values in read(map_):
        for index in range(len(keys) // map_.key_size):
            yield (
                keys[index * map_.key_size : (index + 1) * map_.key_size],
                values[index * map_.stride : (index + 1) * map_.stride],
            )


def read(map_: Map, count: int = 4096) -> Iterator[tuple[bytes, bytes]]:
    """All elements, in runs of about `count`: their keys joined, their values joined.

    Falls back to single elements where the kernel has no batches. Raises KernelError.
    """
    # The kernel's cursor is a hash bucket's number (4 bytes) or a key.
    cursor = ctypes.create_string_buffer(max(4, map_.key_size))
    count = max(1, min(count, map_.max_entries))
    started = False
    while True:
        result, keys, values = _look_up(map_, cursor, count, started)
        if -result in _NO_BATCH and not started:
            yield from _singly(map_)
            return
        if result == -errno.ENOSPC and count < 2 * map_.max_entries:
            count *= 2  # one bucket holds more than this
            continue
        if result < 0 and result != -errno.ENOENT:
            raise map_.error("list", result)
        if keys:
            yield keys, values
        if result < 0:
            return
        started = True


def _singly(map_: Map) -> Iterator[tuple[bytes, bytes]]:
    everything = map_.keys()
    for key in everything:
        value = map_.lookup(key)
        if value is not None:
            yield key, value


def read_all(map_: Map) -> bytes:
    """All values of an array (per-CPU or not), joined by index. Raises KernelError."""
    return b"".join(values for _, values in read(map_, map_.max_entries))


def read_array(map_: Map, first: int, count: int) -> bytes:
    """`count` values of an array (per-CPU or not) from an index on, joined. Raises KernelError."""
    cursor = ctypes.create_string_buffer((first - 1).to_bytes(4, "little", signed=True), 4)
    result, _, values = _look_up(map_, cursor, count, first > 0)
    if -result in _NO_BATCH:
        indexes = range(first, first + count)
        return b"".join([map_.lookup(each.to_bytes(4, "little")) or b"" for each in indexes])
    if result < 0 and result != -errno.ENOENT:
        raise map_.error("list", result)
    return values


def _look_up(
    map_: Map, cursor: ctypes.Array[ctypes.c_char], count: int, started: bool
) -> tuple[int, bytes, bytes]:
    """What bpf(2) returns, and up to `count` keys and values behind the cursor, which moves on."""
    keys = ctypes.create_string_buffer(count * map_.key_size)
    values = ctypes.create_string_buffer(count * map_.stride)
    attributes = ReadBatch(
        ctypes.addressof(cursor) if started else 0,
        ctypes.addressof(cursor),
        ctypes.addressof(keys),
        ctypes.addressof(values),
        count,
        map_.fd,
    )
    result = call(Command.MAP_LOOKUP_BATCH, attributes)
    # After an error it is what was asked for.
    found = attributes.count if result in (0, -errno.ENOENT) else 0
    return (
        result,
        ctypes.string_at(keys, found * map_.key_size),
        ctypes.string_at(values, found * map_.stride),
    )


def update(map_: Map, keys: bytes, values: bytes, count: int, flags: int = 0) -> None:
    """Add or replace `count` elements, in order.

    Raises KernelError; those before the refused one have then been written.
    """
    map_.check(keys, count * map_.key_size, "keys")
    map_.check(values, count * map_.stride, "values")
    if not count:
        return
    attributes = WriteBatch(0, 0, keys, values, count, map_.fd, flags)
    result = call(Command.MAP_UPDATE_BATCH, attributes)
    if -result in _NO_BATCH:
        for index in range(count):
            map_.update(
                keys[index * map_.key_size : (index + 1) * map_.key_size],
                values[index * map_.stride : (index + 1) * map_.stride],
                flags,
            )
    elif result < 0:
        raise map_.error("update", result)


def delete(map_: Map, keys: bytes, count: int) -> int:
    """Delete `count` elements; return how many there were. Raises KernelError."""
    map_.check(keys, count * map_.key_size, "keys")
    deleted = done = 0
    while done < count:
        rest = keys[done * map_.key_size :]
        attributes = WriteBatch(0, 0, rest, None, count - done, map_.fd)
        result = call(Command.MAP_DELETE_BATCH, attributes)
        if -result in _NO_BATCH:
            return deleted + sum(
                map_.delete(keys[index * map_.key_size : (index + 1) * map_.key_size])
                for index in range(done, count)
            )
        if result < 0 and result != -errno.ENOENT:
            raise map_.error("delete from", result)
        deleted += attributes.count
        done += attributes.count + (result < 0)  # past the one that was not there
    return deleted
