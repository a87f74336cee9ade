"""Text forms of field values: how a person reads and writes them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from hotswitch.base.errors import HotswitchError


class TextError(HotswitchError):
    """A text that is not a value of its field."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a value is written and read.

    show(value) gives the text; read(text) gives the value or raises ValueError.
    """

    name: str
    show: Callable[[int], str]
    read: Callable[[str], int]


def _read_number(text: str) -> int:
    return int(text, 0)


def _show_mac(value: int) -> str:
    return ":".join(f"{byte:02x}" for byte in value.to_bytes(6, "big"))


def _read_mac(text: str) -> int:
    parts = text.split(":")
    if len(parts) != 6 or any(len(part) not in (1, 2) for part in parts):
        raise ValueError("an Ethernet address is six hexadecimal bytes, aa:bb:cc:dd:ee:ff")
    return int.from_bytes(bytes(int(part, 16) for part in parts), "big")


DECIMAL = TextForm("decimal", str, _read_number)
HEXADECIMAL = TextForm("hexadecimal", lambda value: f"{value:#x}", _read_number)
MAC = TextForm("Ethernet address", _show_mac, _read_mac)
IPV4 = TextForm(
    "IPv4 address",
    lambda value: str(ipaddress.IPv4Address(value)),
    lambda text: int(ipaddress.IPv4Address(text)),
)
IPV6 = TextForm(
    "IPv6 address",
    lambda value: str(ipaddress.IPv6Address(value)),
    lambda text: int(ipaddress.IPv6Address(text)),
)
