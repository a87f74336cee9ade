"""Where in a message an attribute is, given its path: for errors that are found after decoding."""

from __future__ import annotations

import re

from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.family import Family
from hotswitch.netlink.message import HEADER_SIZE
from hotswitch.netlink.nested import AttributeSet, Nested, frames

_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")
_GENERIC_SIZE = 4


def with_offset(error: NetlinkError, family: Family, data: bytes) -> NetlinkError:
    """The same error, with the offset of the attribute that its path names.

    data: the whole message, which has been decoded. What the path names beyond what the message
    has is left out of account: then the offset is that of the last attribute found.
    """
    if error.offset is None:
        start = HEADER_SIZE + _GENERIC_SIZE + family.header
        error.offset = _locate(family.attributes, data, start, len(data), error.path)
    return error


def _locate(
    attributes: AttributeSet, data: bytes, start: int, end: int, path: tuple[str, ...]
) -> int | None:
    if not path:
        return None
    step = _STEP.fullmatch(path[0])
    if step is None:
        return None
    name, place = step.groups()
    attribute = attributes.by_name.get(name)
    if attribute is None:
        return None
    for number, (kind, payload, stop) in enumerate(frames(data, start, end)):
        if kind == attribute.number and (place is None or int(place) == number):
            inner = None
            if isinstance(attribute.type, Nested):
                inner = _locate(attribute.type.of(), data, payload, stop, path[1:])
            return payload - 4 if inner is None else inner
    return None
