"""What is kept of link ids: a text of lines, each one JSON, to which changes are appended.

The first line is the head. A line about an id replaces what earlier ones say of it. A last line
that does not end was being written when the writer died, and counts as not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from hotswitch.base.errors import HotswitchError

_FORMAT = 1
LARGEST = (1 << 31) - 1
"""The largest link id."""


class LinkIdError(HotswitchError):
    """Link ids can't be read or can't be kept."""


class Head(msgspec.Struct, frozen=True, tag="link-ids", tag_field="about"):
    """boot: the machine's boot id; incarnations mean something until the next boot only."""

    format: int
    boot: str


class Record(msgspec.Struct, frozen=True, tag="link", tag_field="about", omit_defaults=True):
    """A link that has an id.

    incarnation: 0 for one of an earlier boot. hardware: what it is known by after a boot.
    elsewhere: it was seen to go to another network namespace.
    """

    id: int
    incarnation: int
    name: str = ""
    hardware: tuple[str, ...] = ()
    elsewhere: bool = False


class Forgotten(msgspec.Struct, frozen=True, tag="forgotten", tag_field="about"):
    """An id whose link is not expected any more."""

    id: int


class Reserved(msgspec.Struct, frozen=True, tag="reserved", tag_field="about"):
    """Ids below this one may have been given, whether or not there are records of them."""

    below: int


Edit = Record | Forgotten | Reserved

_decoder = msgspec.json.Decoder(Head | Record | Forgotten | Reserved)
_encoder = msgspec.json.Encoder()


@dataclass
class Kept:
    """Records by id, and the id below which all may have been given."""

    records: dict[int, Record] = field(default_factory=dict)
    reserved: int = 1


def encode(lines: Iterable[Head | Edit]) -> bytes:
    """The lines as text."""
    return b"".join(_encoder.encode(each) + b"\n" for each in lines)


def head(boot: str) -> Head:
    """The first line."""
    return Head(_FORMAT, boot)


def decode(text: bytes, boot: str) -> Kept:
    """What the text says during this boot. Raises LinkIdError, with the line's number.

    A software link does not survive a boot; hardware does, as another incarnation.
    """
    kept = Kept()
    lines = text.split(b"\n")[:-1]
    if not lines:
        raise LinkIdError("line 1: no head")
    is_of_this_boot = False
    for number, line in enumerate(lines, 1):
        try:
            each = _decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise LinkIdError(f"line {number}: {error}") from None
        if isinstance(each, Head) != (number == 1):
            raise LinkIdError(f"line {number}: a head belongs at the beginning, and only there")
        if isinstance(each, Head):
            if each.format != _FORMAT:
                raise LinkIdError(f"line 1: format {each.format} is not known")
            is_of_this_boot = each.boot == boot
        else:
            _take(kept, each, number)
    if not is_of_this_boot:
        kept.records = {
            each.id: msgspec.structs.replace(each, incarnation=0)
            for each in kept.records.values()
            if each.hardware
        }
    return kept


def _take(kept: Kept, edit: Edit, number: int) -> None:
    value = edit.below if isinstance(edit, Reserved) else edit.id
    if not 0 < value <= LARGEST:
        raise LinkIdError(f"line {number}: {value} can't be a link id")
    match edit:
        case Record():
            kept.records[edit.id] = edit
        case Forgotten():
            kept.records.pop(edit.id, None)
    kept.reserved = max(kept.reserved, value if isinstance(edit, Reserved) else value + 1)


def salvage(text: bytes) -> int:
    """The id below which those lines of a damaged text that can be read say that all are given."""
    kept = Kept()
    for number, line in enumerate(text.split(b"\n"), 1):
        try:
            each = _decoder.decode(line)
            if not isinstance(each, Head):
                _take(kept, each, number)
        except (msgspec.MsgspecError, UnicodeDecodeError, LinkIdError):
            continue
    return kept.reserved
