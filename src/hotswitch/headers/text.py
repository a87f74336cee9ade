"""Text forms of field values: how a person reads and writes them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")
NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]+|0[bB][01]+")
"""How numbers are written that `read_number` reads."""


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
    if not NUMBER.fullmatch(text):
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
