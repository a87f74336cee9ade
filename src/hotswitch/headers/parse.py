"""Parse a frame by the declarations, as docs/pipeline.md, section 2, defines it.

This is the meaning that compiled programs must have; it is written to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hotswitch.headers.declaration import Header
from hotswitch.headers.registry import Registry

PARSE_LIMIT = 256
"""Bytes from the frame's start within which a header's fixed part must lie."""

MINIMUM_FRAME = 14
"""A frame with fewer bytes is malformed and nothing of it is parsed."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A header found in a frame.

    offset, length: bytes; the length is the whole header's. values: the fixed part's fields.
    """

    offset: int
    length: int
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a frame consists of.

    layers: by layer name, in the order in which they were met.
    keys: by `shown_as` name, the last key selected, 0 if none was.
    malformed: parsing stopped at a header that should have been there.
    end: the offset of the payload.
    """

    layers: Mapping[str, Placed]
    keys: Mapping[str, int]
    malformed: bool
    end: int


def parse(registry: Registry, frame: bytes) -> Parsed:
    """Find the headers of a frame (from the destination address on, without FCS)."""
    layers: dict[str, Placed] = {}
    keys = {
        header.select.shown_as: 0
        for header in registry.headers.values()
        if header.select and header.select.shown_as
    }
    if len(frame) < MINIMUM_FRAME:
        return Parsed(layers, keys, malformed=True, end=0)
    recorded: dict[str, int] = {}
    walked: dict[frozenset[str], int] = {}
    header: Header | None = registry.start
    offset = 0
    while header is not None:
        cycle = registry.cycles.get(header.name, frozenset())
        if cycle and walked.get(cycle, 0) == header.chain:
            break
        placed = _recognise(header, frame, offset)
        if placed is None:
            return Parsed(layers, keys, malformed=not header.optional, end=offset)
        walked[cycle] = walked.get(cycle, 0) + 1
        count = recorded.get(header.name, 0)
        if count < header.repeat:
            recorded[header.name] = count + 1
            layers[header.name if count == 0 else f"{header.name}{count + 1}"] = placed
        offset += placed.length
        header = _next(registry, header, placed.values, keys)
    return Parsed(layers, keys, malformed=False, end=offset)


def read_fields(header: Header, fixed: bytes) -> dict[str, int]:
    """The fields' values in a header's fixed part (exactly `header.size` bytes)."""
    number = int.from_bytes(fixed, "big")
    left = header.width
    values = {}
    for each in header.fields:
        left -= each.width
        values[each.name] = number >> left & (1 << each.width) - 1
    return values


def write_fields(header: Header, values: Mapping[str, int]) -> bytes:
    """A header's fixed part with these values, which fit; all fields are given."""
    number = 0
    for each in header.fields:
        number = number << each.width | values[each.name]
    return number.to_bytes(header.size, "big")


def _recognise(header: Header, frame: bytes, offset: int) -> Placed | None:
    end = offset + header.size
    if end > min(len(frame), PARSE_LIMIT):
        return None
    values = read_fields(header, frame[offset:end])
    if any(values[name] != needed for name, needed in header.requires.items()):
        return None
    length = header.size
    if header.length:
        length = header.length.base + header.length.unit * values[header.length.field]
    if length < header.size or offset + length > len(frame):
        return None
    return Placed(offset, length, values)


def _next(
    registry: Registry, header: Header, values: Mapping[str, int], keys: dict[str, int]
) -> Header | None:
    select = header.select
    if select is None:
        return None
    key = values[select.by] if select.by else 0
    if select.shown_as:
        keys[select.shown_as] = key
    if any(values[name] for name in select.unless):
        return None
    return registry.next(select.space, key)
