"""The ports as a later daemon must know them: a row each in a map of its own, pinned beside the
others, so that noting one costs the same however many there are.

The kernel replaces a row whole, whatever becomes of the writer.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence

from hotswitch.datapath.limits import STANDARD
from hotswitch.kernel import map_batches
from hotswitch.kernel.maps import Map
from hotswitch.model.port import Hook, LinkLife, Port, Side

NAME = "port_records"
_head = struct.Struct("<16s8s8sIQHH")
"""Name, hook, side, ifindex, incarnation, numbers of standby links and of those that are away."""
_link = struct.Struct("<IQ")
SIZE = _head.size + STANDARD.standby * _link.size
"""Bytes of a row."""


class PortRecords:
    """By port number."""

    def __init__(self, map_: Map) -> None:
        self._map = map_

    def all(self) -> tuple[Port, ...]:
        """The ports that are noted. Raises KernelError."""
        return tuple(
            _decode(int.from_bytes(key, "little"), row)
            for key, row in sorted(map_batches.items(self._map))
        )

    def put(self, ports: Sequence[Port]) -> None:
        """Note ports, in the places of those with their numbers. Raises KernelError."""
        rows = b"".join([_encode(port) for port in ports])
        map_batches.update(self._map, _keys([port.number for port in ports]), rows, len(ports))

    def delete(self, numbers: Collection[int]) -> None:
        """Forget ports, those that are noted. Raises KernelError."""
        map_batches.delete(self._map, _keys(numbers), len(numbers))


def _encode(port: Port) -> bytes:
    """A port's row. There is room for as many links as `Limits` allow."""
    head = _head.pack(
        port.name.encode(), port.hook.encode(), port.side.encode(),
        port.ifindex, port.incarnation, len(port.standby), len(port.away),
    )  # fmt: skip
    links = [_link.pack(each.ifindex, each.incarnation) for each in (*port.standby, *port.away)]
    return (head + b"".join(links)).ljust(SIZE, b"\0")


def _decode(number: int, row: bytes) -> Port:
    name, hook, side, ifindex, incarnation, standby, away = _head.unpack_from(row)
    end = _head.size + (standby + away) * _link.size
    links = tuple(LinkLife(*each) for each in _link.iter_unpack(row[_head.size : end]))
    return Port(
        number, _text(name), ifindex, Hook(_text(hook)), incarnation,
        links[:standby], Side(_text(side)), links[standby:],
    )  # fmt: skip


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


def _keys(numbers: Collection[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)
