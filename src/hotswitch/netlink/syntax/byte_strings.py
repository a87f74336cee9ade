"""Forms of bytes, and of numbers that are written as the bytes they are."""

from __future__ import annotations

import builtins
import re
import sys
from dataclasses import dataclass

from hotswitch.netlink.syntax.form import Style, c_hex
from hotswitch.netlink.syntax.reader import Reader

_BYTES = re.compile(r"[0-9a-fA-F]{2}(?: ?[0-9a-fA-F]{2})*|")


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
