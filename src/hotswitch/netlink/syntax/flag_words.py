"""The form of bits that have names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hotswitch.netlink.syntax.form import Style, c_hex
from hotswitch.netlink.syntax.reader import Reader

_WORD = re.compile(r"[^\s,()/+|-]+")


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
