"""The address table, meters, and copies to user space, as the kernel's maps."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from hotswitch.compiler.flow import Flow
from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.copies import carried_words
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.headers.meta import META
from hotswitch.kernel import map_batches
from hotswitch.kernel.maps import Map
from hotswitch.kernel.ring_buffer import RingBuffer
from hotswitch.model.port import Address, Meter, Upcall

_MAC_BITS = 48
_WORD = struct.Struct("<Q")


class AddressTable:
    """Rows by VLAN and address."""

    def __init__(self, store: MapStore) -> None:
        self._store = store

    @property
    def _map(self) -> Map:
        return self._store.get(memory.ADDRESSES)

    @property
    def limit(self) -> int:
        """How many rows there is room for."""
        return self._map.max_entries

    def put_all(self, rows: Sequence[Address]) -> None:
        """Add rows that have room. Raises KernelError."""
        keys = b"".join([_key(row) for row in rows])
        map_batches.update(self._map, keys, b"".join([_value(row) for row in rows]), len(rows))

    def rows(self) -> list[Address]:
        """All rows. Raises KernelError."""
        return [_address(key, value) for key, value in map_batches.items(self._map)]

    def find(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there. Raises KernelError."""
        rows = ((key, self._map.lookup(key)) for key in (_place(*each) for each in wanted))
        return [_address(key, value) for key, value in rows if value]

    def put(self, address: Address) -> None:
        """Add or replace a row. Raises KernelError."""
        self._map.update(_key(address), _value(address))

    def delete(self, addresses: Iterable[Address]) -> int:
        """Delete rows that still have this port; how many. Raises KernelError."""
        deleted = 0
        for address in addresses:
            value = self._map.lookup(_key(address))
            if value and memory.ADDRESS.unpack(value)[0] == address.port:
                deleted += self._map.delete(_key(address))
        return deleted


def _key(address: Address) -> bytes:
    return _place(address.vlan, address.mac)


def _place(vlan: int, mac: int) -> bytes:
    return memory.ADDRESS_KEY.pack(vlan << _MAC_BITS | mac)


def _value(address: Address) -> bytes:
    flags = memory.ADDRESS_STATIC if address.static else 0
    return memory.ADDRESS.pack(address.port, flags, address.last_seen)


def _address(key: bytes, value: bytes) -> Address:
    (both,) = memory.ADDRESS_KEY.unpack(key)
    port, flags, seen = memory.ADDRESS.unpack(value)
    static = bool(flags & memory.ADDRESS_STATIC)
    return Address(both >> _MAC_BITS, both & (1 << _MAC_BITS) - 1, port, seen, static)


class Meters:
    """Rate limits by number."""

    def __init__(self, store: MapStore) -> None:
        self._store = store
        self.known: dict[int, Meter] = {}

    def restore(self) -> tuple[Meter, ...]:
        """After a restart: those that there are. Raises KernelError."""
        for key, row in map_batches.items(self._map):
            number, (*_, rate, burst) = int.from_bytes(key, "little"), memory.METER.unpack(row)
            self.known[number] = Meter(number, rate, burst)
        return tuple(self.known.values())

    @property
    def _map(self) -> Map:
        return self._store.get(memory.METERS)

    def put(self, meter: Meter) -> None:
        """Add or change a meter; when its next packet conforms stays. Raises KernelError."""
        key = _meter_key(meter.number)
        before = self._map.lookup(key)
        arrival = memory.METER.unpack(before)[2] if before else 0
        period = 10**9 // meter.rate
        row = memory.METER.pack(period, meter.burst * period, arrival, meter.rate, meter.burst)
        self._map.update(key, row)
        self.known[meter.number] = meter

    def delete(self, number: int) -> None:
        """Delete a meter. Raises KernelError."""
        self._map.delete(_meter_key(number))
        self.known.pop(number, None)


def _meter_key(number: int) -> bytes:
    return number.to_bytes(4, "little")


_KEPT = 1024
"""Values beside packets that are remembered, at most."""


class Copies:
    """Copies of packets, as they come out of the ring buffer."""

    def __init__(self, map_: Map, flow: Flow) -> None:
        self._ring = RingBuffer(map_)
        self._beside = _Beside(flow)

    @property
    def descriptor(self) -> int:
        """Readable when there are copies."""
        return self._ring.fileno()

    def read(self, limit: int = 256) -> list[Upcall]:
        """The copies since the last call, at most `limit`."""
        return [_upcall(record, self._beside) for record in self._ring.read(limit)]

    def close(self) -> None:
        """Let go."""
        self._ring.close()


class _Beside:
    """Reads the fields beside packets. They mostly are the same ones with the same values."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._sizes: dict[int, int] = {}
        self._known: dict[bytes, tuple[tuple[str, int], ...]] = {}

    def read(self, record: bytes, start: int) -> tuple[tuple[tuple[str, int], ...], int]:
        """The fields in a record, and where its frame begins."""
        (which,) = _WORD.unpack_from(record, start)
        size = self._sizes.get(which)
        if size is None:
            words = carried_words(self._flow, self._names(which))
            size = self._sizes[which] = _WORD.size * (1 + len(words))
        data = record[start : start + size]
        found = self._known.get(data)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[data] = self._read(data)
        return found, start + size

    def _names(self, which: int) -> list[str]:
        return [field.name for place, field in enumerate(META) if which >> place & 1]

    def _read(self, data: bytes) -> tuple[tuple[str, int], ...]:
        which, *words = [word for (word,) in _WORD.iter_unpack(data)]
        names = self._names(which)
        values = dict(zip(carried_words(self._flow, names), words, strict=True))
        return tuple(
            (name, sum(piece.take(values[piece.word]) for piece in self._flow.pieces(name)))
            for name in names
        )


def _upcall(record: bytes, beside: _Beside) -> Upcall:
    length, captured, in_port, reason, cookie, table, tci, tagged, tpid, asked = (
        memory.COPY_HEAD.unpack_from(record)
    )
    start = memory.COPY_HEAD.size
    fields: tuple[tuple[str, int], ...] = ()
    if table & memory.COPY_CARRIES:
        table ^= memory.COPY_CARRIES
        fields, start = beside.read(record, start)
    frame = bytes(record[start : start + captured])
    if tagged and captured:
        tag = tpid.to_bytes(2, "big") + tci.to_bytes(2, "big")
        frame = frame[:12] + tag + frame[12:]
    return Upcall(reason, table, in_port, cookie, length, frame[:asked], fields)
