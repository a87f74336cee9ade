"""The ports as a later daemon must know them: a row each in a map of its own, pinned beside the
others, so that noting one costs the same however many there are.

The kernel replaces a row whole, whatever becomes of the writer.
"""

from __future__ import annotations

import struct

from hotswitch.datapath.limits import STANDARD
from hotswitch.kernel import map_batches
from hotswitch.kernel.maps import Map
from hotswitch.model.port import Hook, LinkLife, Port, Side

NAME = "port_records"
_head = struct.Struct("<16s8s8sIQI")
"""Name, hook, side, ifindex, incarnation, number of standby links."""
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

    def put(self, port: Port) -> None:
        """Note a port, in the place of the one with its number. Raises KernelError."""
        self._map.update(_key(port.number), _encode(port))

    def delete(self, number: int) -> None:
        """Forget a port, if it is noted. Raises KernelError."""
        self._map.delete(_key(number))


def _encode(port: Port) -> bytes:
    """A port's row. There is room for as many standby links as `Limits` allow."""
    head = _head.pack(
        port.name.encode(), port.hook.encode(), port.side.encode(),
        port.ifindex, port.incarnation, len(port.standby),
    )  # fmt: skip
    links = [_link.pack(each.ifindex, each.incarnation) for each in port.standby]
    return (head + b"".join(links)).ljust(SIZE, b"\0")


def _decode(number: int, row: bytes) -> Port:
    name, hook, side, ifindex, incarnation, count = _head.unpack_from(row)
    end = _head.size + count * _link.size
    standby = tuple(LinkLife(*each) for each in _link.iter_unpack(row[_head.size : end]))
    return Port(
        number, _text(name), ifindex, Hook(_text(hook)), incarnation, standby, Side(_text(side))
    )


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()


def _key(number: int) -> bytes:
    return number.to_bytes(4, "little")
