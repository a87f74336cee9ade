"""Text forms of field values: how a person reads and writes them.

A value stands alone, or as value/mask. The mask is a prefix length ("10.0.0.0/8"), an address
("01:00:00:00:00:00/01:00:00:00:00:00") or a number ("0x10/0xf0").
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hotswitch.base.errors import HotswitchError

if TYPE_CHECKING:
    from hotswitch.headers.registry import FieldInfo

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]+|0[bB][01]+")


class TextError(HotswitchError):
    """A text that is not a value of its field."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a value is written and read.

    show(value) gives the text; read(text) gives the value or raises ValueError. The text
    contains no slash, comma or blank.
    prefix: a mask of leading ones is written as their number.
    mask: another mask is written as a value is; otherwise as a hexadecimal number.
    """

    name: str
    show: Callable[[int], str]
    read: Callable[[str], int]
    prefix: bool = False
    mask: bool = False


def read_number(text: str) -> int:
    """A number, decimal, hexadecimal (0x) or binary (0b). Raises ValueError."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("numbers are written as 10, 0xa or 0b1010")
    return int(text, 10 if text.isdigit() else 0)


def _show_mac(value: int) -> str:
    return ":".join(f"{byte:02x}" for byte in value.to_bytes(6, "big"))


def _read_mac(text: str) -> int:
    if not _MAC.fullmatch(text):
        raise ValueError("an Ethernet address is six hexadecimal bytes, aa:bb:cc:dd:ee:ff")
    return int.from_bytes(bytes(int(part, 16) for part in text.split(":")), "big")


def _read_ipv6(text: str) -> int:
    if "%" in text:
        raise ValueError("an address in a packet has no zone")
    return int(ipaddress.IPv6Address(text))


DECIMAL = TextForm("number", str, read_number)
HEXADECIMAL = TextForm("number", lambda value: f"{value:#x}", read_number)
MAC = TextForm("Ethernet address", _show_mac, _read_mac, mask=True)
IPV4 = TextForm(
    "IPv4 address",
    lambda value: str(ipaddress.IPv4Address(value)),
    lambda text: int(ipaddress.IPv4Address(text)),
    prefix=True,
    mask=True,
)
IPV6 = TextForm(
    "IPv6 address",
    lambda value: str(ipaddress.IPv6Address(value)),
    _read_ipv6,
    prefix=True,
    mask=True,
)


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
    elif info.text.mask and not _NUMBER.fullmatch(mask_text):
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
