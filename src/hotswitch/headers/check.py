"""What must hold for one declaration by itself. The registry checks what holds between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hotswitch.headers.declaration import Header
from hotswitch.headers.errors import HeaderError

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def check_header(header: Header) -> None:
    """Raise HeaderError, naming the header, for the first thing that is wrong with it."""
    for fault in _faults(header):
        raise HeaderError(f"header {header.name!r}: {fault}", header=header)


def _faults(header: Header) -> Iterator[str]:
    if not _NAME.fullmatch(header.name):
        yield "a name consists of small letters, digits and underscores, and begins with a letter"
    yield from _field_faults(header)
    yield from _reference_faults(header)
    yield from _rule_faults(header)


def _field_faults(header: Header) -> Iterator[str]:
    if not header.fields:
        yield "it has no fields"
    seen: set[str] = set()
    for each in header.fields:
        if not _NAME.fullmatch(each.name):
            yield f"{each.name!r} is not a field's name"
        if each.name in seen:
            yield f"two fields are named {each.name!r}"
        seen.add(each.name)
        if each.width < 1:
            yield f"field {each.name!r} is {each.width} bits wide"
        if not 0 <= each.default < 1 << each.width:
            yield f"the default of field {each.name!r} does not fit into {each.width} bits"
    if header.width % 8:
        yield f"the fields are {header.width} bits together, which is not whole bytes"


def _reference_faults(header: Header) -> Iterator[str]:
    used: list[tuple[str, str]] = [("requires", name) for name in header.requires]
    used += [("addresses", name) for name in header.addresses]
    if header.select:
        used += [("select", name) for name in header.select.unless]
        if header.select.by:
            used.append(("select", header.select.by))
        elif header.select.shown_as:
            yield f"select shows {header.select.shown_as!r} but has no field to show"
    if header.length:
        used.append(("length", header.length.field))
    if header.total_length:
        used.append(("total_length", header.total_length.field))
    if header.checksum:
        used.append(("checksum", header.checksum.field))
    for rule, name in used:
        if name not in header.by_name:
            yield f"{rule} names the field {name!r}, which it does not have"
        elif rule in ("requires", "length") and header.by_name[name].settable:
            yield f"field {name!r} decides how the frame is parsed, so it must be settable=False"


def _rule_faults(header: Header) -> Iterator[str]:
    for name, value in header.requires.items():
        if not 0 <= value < 1 << header.by_name[name].width:
            yield f"field {name!r} can never be {value}, which requires demands"
    if header.length and (header.length.unit < 1 or header.length.base < 0):
        yield "a length's unit is at least 1 and its base at least 0"
    if header.checksum:
        name = header.checksum.field
        if header.by_name[name].width != 16 or header.offsets[name] % 16:
            yield f"the checksum {name!r} is not 16 bits at an even byte"
    for name in header.addresses:
        if header.by_name[name].width % 16:
            yield f"the address {name!r} is not a multiple of 16 bits"
    if header.repeat < 1 or header.chain < 1:
        yield "repeat and chain are at least 1"
    if header.repeat > header.chain:
        yield f"it repeats {header.repeat} times in a chain of at most {header.chain}"
