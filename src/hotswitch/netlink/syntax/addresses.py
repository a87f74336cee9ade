"""Forms of addresses."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from hotswitch.headers.text import IPV4 as IPV4_TEXT
from hotswitch.headers.text import MAC as MAC_TEXT
from hotswitch.netlink.syntax.form import Style
from hotswitch.netlink.syntax.reader import Reader

_MAC = re.compile(r"[0-9a-fA-F:]+")
_IPV4 = re.compile(r"[0-9.]+")
_IPV6 = re.compile(r"[0-9a-fA-F:.]+")
_PREFIX = re.compile(r"[0-9]{1,3}(?![0-9.:a-fA-F])")


@dataclass(frozen=True)
class Address:
    """An address, as one number; its mask is one too, or a number of leading ones."""

    usage: str
    bits: int
    pattern: re.Pattern[str]
    show_one: Callable[[int], str]
    read_one: Callable[[str], int]
    prefix: bool = True

    @property
    def full(self) -> int:
        """The mask of all bits."""
        return (1 << self.bits) - 1

    def show(self, value: int, mask: int | None, style: Style) -> str:
        text = self.show_one(value)
        return text if mask is None or self.exact(mask) else f"{text}/{self.show_one(mask)}"

    def read(self, reader: Reader) -> tuple[int, int]:
        value = self.one(reader)
        if not reader.mask_follows():
            return value, self.full
        start = reader.position
        if self.prefix and _PREFIX.match(reader.text, start):
            ones = reader.number(self.bits)
            return value, self.full >> self.bits - ones << self.bits - ones
        return value, self.one(reader)

    def one(self, reader: Reader) -> int:
        """Read an address without a mask."""
        start = reader.position
        text = reader.match(self.pattern, self._expected)
        try:
            return self.read_one(text)
        except (OSError, ValueError):
            reader.fail(self._expected, start)

    def exact(self, mask: int) -> bool:
        return mask == self.full

    @property
    def _expected(self) -> str:
        return f"an address like {self.usage}"


def _ipv6(text: str) -> int:
    return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")


MAC = Address("00:00:00:00:00:01", 48, _MAC, MAC_TEXT.show, MAC_TEXT.read, prefix=False)
IPV4 = Address("10.0.0.1", 32, _IPV4, IPV4_TEXT.show, IPV4_TEXT.read)
IPV6 = Address(
    "fd00::1",
    128,
    _IPV6,
    # Not IPv6Address: it never writes an IPv4 address within, as the C library does.
    lambda value: socket.inet_ntop(socket.AF_INET6, value.to_bytes(16, "big")),
    _ipv6,
)
