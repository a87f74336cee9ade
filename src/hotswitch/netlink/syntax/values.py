"""Forms of single values: numbers, addresses, flags, words, bytes."""

from __future__ import annotations

import builtins
import re
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hotswitch.headers.text import IPV4 as IPV4_TEXT
from hotswitch.headers.text import MAC as MAC_TEXT
from hotswitch.netlink.syntax.form import Style, c_hex
from hotswitch.netlink.syntax.reader import Reader

_WORD = re.compile(r"[^\s,()/+|-]+")
_NAME = re.compile(r"[^\s,()/]+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_BYTES = re.compile(r"[0-9a-fA-F]{2}(?: ?[0-9a-fA-F]{2})*|")
_MAC = re.compile(r"[0-9a-fA-F:]+")
_IPV4 = re.compile(r"[0-9.]+")
_IPV6 = re.compile(r"[0-9a-fA-F:.]+")
_PREFIX = re.compile(r"[0-9]{1,3}(?![0-9.:a-fA-F])")


@dataclass(frozen=True)
class Integer:
    """A number of so many bits.

    value, mask: how the two are written; partial: how the value is beside a mask, if differently.
    """

    bits: int
    value: Callable[[int], str] = str
    mask: Callable[[int], str] = c_hex
    partial: Callable[[int], str] | None = None
    full: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "full", (1 << self.bits) - 1)

    @property
    def usage(self) -> str:
        return "0xN" if self.value(1)[:2] == "0x" else "N"

    def show(self, value: int, mask: int | None, style: Style) -> str:
        if mask is None or self.exact(mask):
            return self.value(value)
        return f"{(self.partial or self.value)(value)}/{self.mask(mask)}"

    def read(self, reader: Reader) -> tuple[int, int]:
        value = reader.number(self.full)
        return value, reader.number(self.full) if reader.mask_follows() else self.full

    def exact(self, mask: int) -> bool:
        return mask & self.full == self.full


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


@dataclass(frozen=True)
class Flags:
    """Bits with names: `a|b` are set and the others not; `+a-b`: only these are looked at.

    significant: the bits that count, if not all. numeric: a number in verbose style.
    """

    bits: int
    names: Mapping[int, str]
    significant: int = 0
    numeric: bool = False

    @property
    def usage(self) -> str:
        return "+" + "-".join(tuple(self.names.values())[:2])

    @property
    def full(self) -> int:
        """The mask of all bits."""
        return (1 << self.bits) - 1

    def show(self, value: int, mask: int | None, style: Style) -> str:
        exact = mask is None or self.exact(mask)
        if self.numeric and style.verbose:
            return c_hex(value) if exact else f"{c_hex(value)}/{c_hex(mask or 0)}"
        if exact:
            return self._set(value)
        looked_at = (mask or 0) & self._significant
        if not looked_at or looked_at & ~sum(self.names):
            return f"{c_hex(value & looked_at)}/{c_hex(looked_at)}"
        return "".join(
            f"{'+' if value & bit else '-'}{name}"
            for bit, name in sorted(self.names.items())
            if looked_at & bit
        )

    def read(self, reader: Reader) -> tuple[int, int]:
        if reader.masks and (reader.sees("+") or reader.sees("-")):
            return self._read_signed(reader)
        value = 0
        while not reader.sees(")"):
            if reader.text[reader.position : reader.position + 1].isdecimal():
                value |= reader.number(self.full)
                if reader.mask_follows():
                    return value, reader.number(self.full)
            else:
                value |= self._bit(reader)
            if not reader.take("|"):
                break
        return value, self.full

    def exact(self, mask: int) -> bool:
        return mask & self._significant == self._significant

    @property
    def _significant(self) -> int:
        return self.significant or self.full

    def _set(self, value: int) -> str:
        named = [name for bit, name in sorted(self.names.items()) if value & bit]
        rest = value & ~sum(self.names)
        return "|".join(named + [hex(rest)] * bool(rest)) or "0"

    def _read_signed(self, reader: Reader) -> tuple[int, int]:
        value = mask = 0
        while (wanted := reader.take("+")) or reader.take("-"):
            start = reader.position
            bit = self._bit(reader)
            if mask & bit:
                reader.fail("each flag only once", start)
            mask |= bit
            value |= bit * wanted
        return value, mask

    def _bit(self, reader: Reader) -> int:
        start = reader.position
        expected = f"one of {', '.join(self.names.values())}"
        bits = {name: bit for bit, name in self.names.items()}
        word = reader.match(_WORD, expected)
        if word not in bits:
            reader.fail(expected, start)
        return bits[word]


@dataclass(frozen=True)
class Choice:
    """One of a few words, for a number of 8 bits; others are written as numbers."""

    words: Mapping[int, str]
    full: int = 0xFF

    @property
    def usage(self) -> str:
        return "|".join(self.words.values())

    def show(self, value: int, mask: int | None, style: Style) -> str:
        if (mask is None or self.exact(mask)) and value in self.words:
            return self.words[value]
        return str(value) if mask is None else f"{value}/{c_hex(mask)}"

    def read(self, reader: Reader) -> tuple[int, int]:
        for value, word in self.words.items():
            if reader.take(word):
                return value, self.full
        if not reader.text[reader.position : reader.position + 1].isdecimal():
            reader.fail(f"one of {', '.join(self.words.values())}")
        value = reader.number(self.full)
        return value, reader.number(self.full) if reader.mask_follows() else self.full

    def exact(self, mask: int) -> bool:
        return mask == self.full


class Port:
    """A port, by number or name."""

    usage = "PORT"
    full = 0xFFFFFFFF

    def show(self, value: int, mask: int | None, style: Style) -> str:
        if mask is None or self.exact(mask):
            return style.port(value)
        return f"{value}/{c_hex(mask)}"

    def read(self, reader: Reader) -> tuple[int, int]:
        start = reader.position
        word = reader.match(_NAME, "a port's number or name")
        if not _NUMBER.fullmatch(word):
            if word not in reader.ports:
                reader.fail("the number or the name of a port of this datapath", start)
            return reader.ports[word], self.full
        reader.position = start
        value = reader.number(self.full)
        return value, reader.number(self.full) if reader.mask_follows() else self.full

    def exact(self, mask: int) -> bool:
        return mask == self.full


@dataclass(frozen=True)
class Bytes:
    """Bytes in hexadecimal digits: with a blank between two (`blank`), without, or with a leading
    0x (`prefix`).

    size: how many there are; None: any number.
    """

    blank: str = ""
    prefix: str = ""
    size: int | None = None

    @property
    def usage(self) -> str:
        return f"{self.prefix}HEX"

    def show(self, value: bytes, mask: bytes | None, style: Style) -> str:
        text = self._text(value)
        return text if mask is None or self.exact(mask) else f"{text}/{self._text(mask)}"

    def read(self, reader: Reader) -> tuple[bytes, bytes]:
        value = self._one(reader, self.size)
        if reader.mask_follows():
            return value, self._one(reader, len(value))
        return value, b"\xff" * len(value)

    def exact(self, mask: bytes) -> bool:
        return mask == b"\xff" * len(mask)

    def _text(self, value: bytes) -> str:
        return self.prefix + (value.hex(self.blank) if self.blank else value.hex())

    def _one(self, reader: Reader, size: int | None) -> bytes:
        start = reader.position
        expected = f"{'' if size is None else f'{size} '}bytes in hexadecimal"
        if not reader.take(self.prefix):
            reader.fail(f"{expected} behind {self.prefix}")
        value = bytes.fromhex(reader.match(_BYTES, expected))
        if size is not None and len(value) != size:
            reader.fail(expected, start)
        return value


@dataclass(frozen=True)
class NativeBytes:
    """Bytes as one number of the machine's byte order, in hexadecimal."""

    size: int

    @property
    def usage(self) -> str:
        return "0xN"

    def show(self, value: bytes, mask: bytes | None, style: Style) -> str:
        text = self._text(value)
        return text if mask is None or self.exact(mask) else f"{text}/{self._text(mask)}"

    def read(self, reader: Reader) -> tuple[bytes, bytes]:
        value = self._one(reader)
        return value, self._one(reader) if reader.mask_follows() else b"\xff" * self.size

    def exact(self, mask: bytes) -> bool:
        return mask == b"\xff" * self.size

    def _text(self, value: bytes) -> str:
        return c_hex(int.from_bytes(value, sys.byteorder))

    def _one(self, reader: Reader) -> bytes:
        return reader.number((1 << 8 * self.size) - 1).to_bytes(self.size, sys.byteorder)


@dataclass(frozen=True)
class NativeNumber:
    """A number of the machine's byte order as the bytes that it is in memory."""

    size: int
    bytes: Bytes

    @property
    def usage(self) -> str:
        return self.bytes.usage

    def show(self, value: int, mask: int | None, style: Style) -> str:
        return self.bytes.show(self._to(value), None if mask is None else self._to(mask), style)

    def read(self, reader: Reader) -> tuple[int, int]:
        value, mask = self.bytes.read(reader)
        return int.from_bytes(value, sys.byteorder), int.from_bytes(mask, sys.byteorder)

    def exact(self, mask: int) -> bool:
        return self.bytes.exact(self._to(mask))

    def _to(self, value: int) -> builtins.bytes:
        return value.to_bytes(self.size, sys.byteorder)


def _ipv6(text: str) -> int:
    return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), "big")


DECIMAL_8, DECIMAL_16, DECIMAL_32 = Integer(8), Integer(16), Integer(32)
HEX_8, HEX_16, HEX_32, HEX_64 = (Integer(bits, c_hex) for bits in (8, 16, 32, 64))

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
