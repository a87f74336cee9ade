"""Forms of numbers, and of words that stand for numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hotswitch.netlink.syntax.form import Style, c_hex
from hotswitch.netlink.syntax.reader import Reader

_NAME = re.compile(r"[^\s,()/]+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


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


DECIMAL_8, DECIMAL_16, DECIMAL_32 = Integer(8), Integer(16), Integer(32)
HEX_8, HEX_16, HEX_32, HEX_64 = (Integer(bits, c_hex) for bits in (8, 16, 32, 64))
