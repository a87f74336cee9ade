"""Build frames from layers and values: selectors, lengths and checksums fill themselves in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hotswitch.headers.checksum import internet_checksum
from hotswitch.headers.declaration import Header
from hotswitch.headers.errors import HeaderError
from hotswitch.headers.parse import write_fields
from hotswitch.headers.registry import Registry

OPTIONS = "options"
"""The key under which the bytes behind a header's fixed part are given."""


@dataclass(slots=True)
class _Part:
    """A header on its way: what was given, what is filled in, what stands behind the fixed part."""

    header: Header
    given: Mapping[str, int]
    values: dict[str, int]
    options: bytes


def build(
    registry: Registry,
    layers: Sequence[tuple[str, Mapping[str, int | bytes]]],
    payload: bytes = b"",
) -> bytes:
    """The bytes of these headers, outermost first, and the payload behind them.

    A layer is a header's name (not "vlan2") and values of its fields. What is not given is
    filled in: selectors (the first key under which the next header is), lengths, checksums; all
    else has its default. What is given stays, so malformed frames can be built too. `options`
    are bytes behind the fixed part, padded with zeros to the header's unit. Checksums cover what
    is there, also in a fragment. Raises HeaderError for what does not exist, does not fit, or
    can't follow.
    """
    parts = [_part(registry, name, given) for name, given in layers]
    for part, inner in pairwise(parts):
        _fill_selector(part, inner.header)
    frame = payload
    for index in reversed(range(len(parts))):
        frame = _finish(parts, index, frame)
    return frame


def _part(registry: Registry, name: str, given: Mapping[str, int | bytes]) -> _Part:
    header = registry.header(name)
    values = {each.name: each.default for each in header.fields}
    numbers: dict[str, int] = {}
    options = b""
    for key, value in given.items():
        if key == OPTIONS and isinstance(value, bytes):
            options = value
        elif key not in values or isinstance(value, bytes):
            registry.field(f"{name}.{key}")  # raises, with the nearest name
            raise HeaderError(f"{name}.{key} is a number, not bytes")
        else:
            numbers[key] = value
    values.update(numbers)
    part = _Part(header, numbers, values, options)
    _fill_length(part)
    return part


def _fill_length(part: _Part) -> None:
    header, rule = part.header, part.header.length
    if rule is None:
        if part.options:
            raise HeaderError(f"{header.name} has no options: its length is fixed")
        return
    least = max(header.size + len(part.options), rule.base)
    units = -(-(least - rule.base) // rule.unit)
    # A header with no options of its own still keeps a default that asks for more.
    if not part.options and rule.field not in part.given:
        units = max(units, header.by_name[rule.field].default)
    whole = rule.base + rule.unit * units
    part.options = part.options.ljust(whole - header.size, b"\0")
    if rule.field not in part.given:
        _fill(part, rule.field, units)


def _fill_selector(part: _Part, inner: Header) -> None:
    select = part.header.select
    keys = [each.key for each in inner.under if select and each.space == select.space]
    if select is None or (not select.by and 0 not in keys):
        raise HeaderError(f"{inner.name} can't follow {part.header.name}")
    if select.by and select.by not in part.given:
        if not keys:
            raise HeaderError(f"{inner.name} can't follow {part.header.name}")
        _fill(part, select.by, keys[0])


def _finish(parts: Sequence[_Part], index: int, rest: bytes) -> bytes:
    part = parts[index]
    header = part.header
    total = header.total_length
    if total and total.field not in part.given:
        own = header.size + len(part.options) if total.includes_header else 0
        _fill(part, total.field, own + len(rest))
    for name, value in part.values.items():
        if not 0 <= value < 1 << header.by_name[name].width:
            raise HeaderError(
                f"{header.name}.{name}: {value} does not fit into {header.by_name[name].width} bits"
            )
    checksum = header.checksum
    if checksum and checksum.field not in part.given:
        part.values[checksum.field] = 0
        covered = write_fields(header, part.values) + part.options
        if checksum.covers_payload:
            covered += rest
        if checksum.pseudo_header:
            # Its length is even, so the words of what follows stay the same words.
            covered = _pseudo_header(parts, index, len(covered)) + covered
        found = internet_checksum(covered)
        part.values[checksum.field] = 0xFFFF if checksum.zero_is_none and not found else found
    return write_fields(header, part.values) + part.options + rest


def _pseudo_header(parts: Sequence[_Part], index: int, length: int) -> bytes:
    """RFC 8200, 8.1; the sum over it is that of RFC 9293's for IPv4 too."""
    outer = next((part for part in reversed(parts[:index]) if part.header.addresses), None)
    if outer is None:
        return b""
    addresses = b"".join(
        outer.values[name].to_bytes(outer.header.by_name[name].width // 8, "big")
        for name in outer.header.addresses
    )
    before = parts[index - 1]
    by = before.header.select.by if before.header.select else ""
    protocol = before.values[by] if by else 0
    return addresses + length.to_bytes(4, "big") + protocol.to_bytes(4, "big")


def _fill(part: _Part, name: str, value: int) -> None:
    if value >= 1 << part.header.by_name[name].width:
        raise HeaderError(f"{part.header.name}.{name}: {value} is more than it can say")
    part.values[name] = value
