"""A field's value and mask as text.

A value stands alone, or as value/mask. The mask is a prefix length ("10.0.0.0/8"), an address
("01:00:00:00:00:00/01:00:00:00:00:00") or a number ("0x10/0xf0").
"""

from __future__ import annotations

from collections.abc import Callable

from hotswitch.base.errors import HotswitchError
from hotswitch.headers.registry import FieldInfo
from hotswitch.headers.text import DECIMAL, HEXADECIMAL, NUMBER, read_number


class TextError(HotswitchError):
    """A text that is not a value of its field."""


def show_value(info: FieldInfo, value: int, mask: int = -1) -> str:
    """The text of a value under a mask; a mask of all the field's bits is not shown."""
    form = info.text
    mask &= info.mask
    if mask == info.mask:
        return form.show(value)
    if form is DECIMAL:
        form = HEXADECIMAL  # beside a mask, bits are what counts
    ones = mask.bit_count()
    if form.prefix and mask == info.mask >> info.width - ones << info.width - ones:
        return f"{form.show(value)}/{ones}"
    return f"{form.show(value)}/{form.show(mask) if form.mask else hex(mask)}"


def read_value(info: FieldInfo, text: str) -> tuple[int, int]:
    """The value and mask that a text stands for; bits outside the mask are zero.

    Raises TextError, with the field's name, for what is not one or does not fit.
    """
    value_text, slash, mask_text = text.partition("/")
    value = _read(info, value_text, info.text.read)
    if not slash:
        return value, info.mask
    if info.text.prefix and mask_text.isdecimal():
        ones = _read(info, mask_text, read_number)
        if ones > info.width:
            raise TextError(f"{info.name}: a prefix has at most {info.width} bits, not {ones}")
        mask = (1 << ones) - 1 << info.width - ones
    elif info.text.mask and not NUMBER.fullmatch(mask_text):
        mask = _read(info, mask_text, info.text.read)
    else:
        mask = _read(info, mask_text, read_number)
    return value & mask, mask


def _read(info: FieldInfo, text: str, read: Callable[[str], int]) -> int:
    try:
        value = read(text)
    except ValueError:
        article = "an" if info.text.name[0] in "AEIO" else "a"
        raise TextError(f"{info.name}: {text[:60]!r} is not {article} {info.text.name}") from None
    if not 0 <= value <= info.mask:
        raise TextError(f"{info.name}: {text[:60]!r} does not fit into {info.width} bits")
    return value
