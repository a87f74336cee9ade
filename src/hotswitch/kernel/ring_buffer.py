"""The reading end of a BPF ring buffer (Documentation/bpf/ringbuf.rst).

The kernel maps the data twice in a row, so a record is always in one piece. A record starts with
its length, whose two highest bits say that it is still being written, or that it was given up.
"""

from __future__ import annotations

import mmap
from typing import Literal

from hotswitch.base.closing import Closing
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.map_types import MapType
from hotswitch.kernel.maps import Map

_BUSY = 1 << 31
_DISCARD = 1 << 30
_HEADER = 8


class RingBuffer(Closing):
    """Reads a map of type RINGBUF. There may be only one reader."""

    def __init__(self, map_: Map) -> None:
        """Map it into memory; the map stays its owner's to close. Raises KernelError."""
        if map_.type != MapType.RINGBUF:
            raise KernelError(f"read {map_!r} as a ring buffer: it is of another type")
        page = mmap.PAGESIZE
        self._fd = map_.fd
        self._size = map_.max_entries
        try:
            self._consumer = mmap.mmap(map_.fd, page)
            self._producer = mmap.mmap(
                map_.fd, page + 2 * self._size, prot=mmap.PROT_READ, offset=page
            )
        except OSError as error:
            raise KernelError("map a ring buffer into memory", error.errno or 0) from None
        self._views = [memoryview(self._consumer), memoryview(self._producer)]
        # Items of these views are read and written in one access each, as the kernel needs.
        self._consumed = self._view(0, slice(0, 8), "Q")
        self._produced = self._view(1, slice(0, 8), "Q")
        self._lengths = self._view(1, slice(page, None), "I")
        self._data = self._view(1, slice(page, None), "B")

    def _view(self, which: int, part: slice, unit: Literal["B", "I", "Q"]) -> memoryview:
        part_view = self._views[which][part]
        view = part_view.cast(unit)
        self._views += [part_view, view]
        return view

    def fileno(self) -> int:
        """The descriptor, readable while there are records."""
        return self._fd

    def read(self, limit: int = 1024) -> list[bytes]:
        """Return at most `limit` records that are there, in order; never waits."""
        # The producer writes a record's length last, and its own position before: so position
        # first, then length, then data. The interpreter does not reorder them, x86 neither.
        records: list[bytes] = []
        position = self._consumed[0]
        produced = self._produced[0]
        while position < produced and len(records) < limit:
            start = position % self._size
            length = self._lengths[start // 4]
            if length & _BUSY:
                break
            size = length & ~_DISCARD
            if not length & _DISCARD:
                records.append(bytes(self._data[start + _HEADER : start + _HEADER + size]))
            position += _HEADER + (size + 7 & ~7)
            # Written for each record, so that the kernel has the room back, and wakes us up for
            # the next one only once we have caught up.
            self._consumed[0] = position
            if position == produced:
                produced = self._produced[0]
        return records

    def close(self) -> None:
        """Unmap it; the map stays open."""
        while self._views:
            self._views.pop().release()
        self._consumer.close()
        self._producer.close()
