"""Ways in which a datagram can be almost a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from tests.netlink.test_junk import REQUESTS

_FIRST = 24
"""Where attributes begin."""
_NESTED = b"\x03\x00"

_Shape = Callable[[bytearray, Random], None]


def _cut_off(data: bytearray, chance: Random) -> None:
    del data[chance.randrange(len(data)) :]


def _says_another_length(data: bytearray, chance: Random) -> None:
    data[:4] = chance.randrange(1 << 32).to_bytes(4, "little")


def _wrong_attribute_length(data: bytearray, chance: Random) -> None:
    at = _FIRST + 4 * chance.randrange(max(1, (len(data) - _FIRST) // 4))
    data[at : at + 2] = chance.randrange(1 << 16).to_bytes(2, "little")


def _unknown(data: bytearray, chance: Random) -> None:
    """A family, command or attribute."""
    data[chance.choice((4, 16, 26)) % len(data)] = chance.randrange(128, 256)


def _another_order(data: bytearray, chance: Random) -> None:
    half = _FIRST + (len(data) - _FIRST) // 8 * 4
    data[_FIRST:] = data[half:] + data[_FIRST:half]


def _nested(data: bytearray, chance: Random) -> None:
    """To the limit and beyond."""
    inner = b""
    for _ in range(chance.randrange(1, 60)):
        inner = (len(inner) + 4).to_bytes(2, "little") + _NESTED + inner
    data += inner
    data[:4] = len(data).to_bytes(4, "little")


def _overlong(data: bytearray, chance: Random) -> None:
    data += bytes(chance.randrange(200))


SHAPES: Mapping[str, _Shape] = {
    "cut off": _cut_off,
    "says another length": _says_another_length,
    "an attribute's length is wrong": _wrong_attribute_length,
    "unknown family, command or attribute": _unknown,
    "attributes in another order": _another_order,
    "nested to the limit and beyond": _nested,
    "longer than it says": _overlong,
}


def shaped(shape: str, chance: Random, requests: list[bytes] = REQUESTS) -> bytes:
    """One of the recorded requests in that shape."""
    data = bytearray(chance.choice(requests))
    SHAPES[shape](data, chance)
    return bytes(data)
