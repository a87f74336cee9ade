"""What an attribute's payload can be: numbers, text, flags, bytes, structures, arrays.

Attributes within attributes are in `nested.py`. Numbers are in the machine's byte order, as the
two ends of a Netlink socket are on one machine, except those that are declared big-endian.
The sources are include/uapi/linux/netlink.h and lib/nlattr.c.
"""

from __future__ import annotations

import errno
import struct
import sys
from collections import namedtuple
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from hotswitch.netlink.attribute_type import AttributeType
from hotswitch.netlink.errors import NetlinkError

_NO_NAMES: Mapping[int, str] = MappingProxyType({})


def wrong(kind: AttributeType, message: str, start: int | None = None) -> NetlinkError:
    """An error about the attribute whose payload begins at `start`."""
    offset = None if start is None else start - 4
    return NetlinkError(message, errno=errno.ERANGE, offset=offset, type=kind)


_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, eq=False)
class Number:
    """A whole number of `size` bytes, as an int.

    names: what its values stand for. minimum, maximum: what is allowed, if not all is.
    """

    size: int
    signed: bool = False
    big_endian: bool = False
    names: Mapping[int, str] = field(default_factory=lambda: _NO_NAMES)
    minimum: int | None = None
    maximum: int | None = None

    @property
    def text(self) -> str:
        letter = "be" if self.big_endian else "s" if self.signed else "u"
        return f"{letter}{8 * self.size}"

    @property
    def code(self) -> str:
        """Its letter in a `struct` format."""
        letter = _CODES.get(self.size, f"{self.size}s")
        return letter.lower() if self.signed else letter

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The lowest and highest value allowed."""
        bits = 8 * self.size
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if self.signed else (0, (1 << bits) - 1)
        return (
            low if self.minimum is None else self.minimum,
            high if self.maximum is None else self.maximum,
        )

    @cached_property
    def _order(self) -> Literal["big", "little"]:
        return "big" if self.big_endian else sys.byteorder

    @cached_property
    def _limited(self) -> bool:
        return self.minimum is not None or self.maximum is not None

    def decode(self, data: bytes, start: int, end: int, depth: int) -> int:
        if end - start != self.size:
            raise wrong(self, f"{end - start} bytes where {self.text} has {self.size}", start)
        value = int.from_bytes(data[start:end], self._order, signed=self.signed)
        if self._limited:
            low, high = self.limits
            if not low <= value <= high:
                raise wrong(self, f"{value} is not within {low} and {high}", start)
        return value

    def encode(self, value: Any, depth: int) -> bytes:
        low, high = self.limits
        if not isinstance(value, int) or not low <= value <= high:
            raise wrong(self, f"{value!r} is not a number within {low} and {high}")
        return value.to_bytes(self.size, self._order, signed=self.signed)


@dataclass(frozen=True, eq=False)
class FirstNumber(Number):
    """A number that may be an array's first, as the kernel takes it where its policy is not strict
    (lib/nlattr.c, validate_nla)."""

    def decode(self, data: bytes, start: int, end: int, depth: int) -> int:
        return super().decode(data, start, max(start, min(end, start + self.size)), depth)


@dataclass(frozen=True, eq=False)
class Text:
    """Text with a zero byte behind it, at most `maximum` bytes without that; bytes that are not
    UTF-8 become surrogates, as in file names."""

    maximum: int

    @property
    def text(self) -> str:
        return f"string, at most {self.maximum} bytes"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> str:
        content, zero, rest = data[start:end].partition(b"\0")
        if not zero:
            raise wrong(self, "no zero byte ends the string", start)
        if rest.strip(b"\0"):
            raise wrong(self, "something follows the string's zero byte", start)
        if len(content) > self.maximum:
            raise wrong(self, f"more than {self.maximum} bytes", start)
        return content.decode("utf-8", "surrogateescape")

    def encode(self, value: Any, depth: int) -> bytes:
        if not isinstance(value, str):
            raise wrong(self, f"{value!r} is not text")
        try:
            content = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise wrong(self, f"{value!r} can't be written as UTF-8") from None
        if b"\0" in content or len(content) > self.maximum:
            raise wrong(self, f"{value!r} has a zero byte or more than {self.maximum} bytes")
        return content + b"\0"


@dataclass(frozen=True, eq=False)
class Flag:
    """It is there or not; True, without a payload."""

    text: str = "flag"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> bool:
        if end != start:
            raise wrong(self, "a flag has no payload", start)
        return True

    def encode(self, value: Any, depth: int) -> bytes:
        if value is not True:
            raise wrong(self, f"{value!r}: a flag is True, or left out")
        return b""


@dataclass(frozen=True, eq=False)
class Binary:
    """Bytes as they are: at least `minimum`, at most `maximum`, a multiple of `unit`."""

    minimum: int = 0
    maximum: int = 0xFFFB
    unit: int = 1

    @property
    def text(self) -> str:
        if self.minimum == self.maximum:
            return f"{self.minimum} bytes"
        return f"{self.minimum} to {self.maximum} bytes" if self.maximum < 0xFFFB else "bytes"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> bytes:
        size = end - start
        if not self.minimum <= size <= self.maximum or size % self.unit:
            raise wrong(self, f"{size} bytes where there should be {self.text}", start)
        return data[start:end]

    def encode(self, value: Any, depth: int) -> bytes:
        if not isinstance(value, bytes):
            raise wrong(self, f"{value!r} is not bytes")
        size = len(value)
        if not self.minimum <= size <= self.maximum or size % self.unit:
            raise wrong(self, f"{size} bytes where there should be {self.text}")
        return value


class Structure:
    """A C structure, as a named tuple of numbers.

    Its members are numbers of any size: an address is one number, big-endian. A member named
    `padding` is what the compiler leaves unused; it may be left out.
    """

    def __init__(self, name: str, **members: Number) -> None:
        self.name = name
        self.members: Mapping[str, Number] = MappingProxyType(members)
        defaults = (0,) if "padding" in members else ()
        self.value: Any = namedtuple(name, tuple(members), defaults=defaults)  # type: ignore[misc]
        kinds = members.values()
        # One order for all lets `struct` do everything; else what is left becomes bytes first.
        big = all(kind.big_endian or kind.size == 1 for kind in kinds)
        self._bytes = tuple(
            (position, kind)
            for position, kind in enumerate(kinds)
            if kind.size not in _CODES or (kind.big_endian and not big)
        )
        converted = {position for position, _ in self._bytes}
        codes = (
            f"{kind.size}s" if position in converted else kind.code
            for position, kind in enumerate(kinds)
        )
        self._struct = struct.Struct((">" if big else "=") + "".join(codes))

    @property
    def text(self) -> str:
        return f"struct {self.name}"

    @property
    def size(self) -> int:
        """Bytes."""
        return self._struct.size

    def decode(self, data: bytes, start: int, end: int, depth: int) -> Any:
        if end - start != self._struct.size:
            size = end - start
            raise wrong(self, f"{size} bytes where {self.text} has {self._struct.size}", start)
        values: Any = self._struct.unpack_from(data, start)
        if self._bytes:
            values = list(values)
            for position, _ in self._bytes:
                values[position] = int.from_bytes(values[position], "big")
        return self.value._make(values)

    def encode(self, value: Any, depth: int) -> bytes:
        if not isinstance(value, self.value):
            raise wrong(self, f"{value!r} is not a {self.text}")
        values = list(value)
        try:
            for position, kind in self._bytes:
                values[position] = values[position].to_bytes(kind.size, "big")
            return self._struct.pack(*values)
        except (struct.error, OverflowError, AttributeError, TypeError):
            raise wrong(self, f"{value!r} does not fit into {self.text}") from None


@dataclass(frozen=True, eq=False)
class Array:
    """Elements of one kind and size, one after another, as a tuple."""

    element: Number | Structure
    minimum: int = 0
    maximum: int = 0x3FFF

    @property
    def text(self) -> str:
        return f"array of {self.element.text}"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> tuple[Any, ...]:
        size = self.element.size
        count, rest = divmod(end - start, size)
        if rest or not self.minimum <= count <= self.maximum:
            raise wrong(self, f"{end - start} bytes are not an {self.text}", start)
        return tuple(
            self.element.decode(data, position, position + size, depth)
            for position in range(start, end, size)
        )

    def encode(self, value: Any, depth: int) -> bytes:
        if not isinstance(value, tuple) or not self.minimum <= len(value) <= self.maximum:
            raise wrong(self, f"{value!r} is not an {self.text}")
        return b"".join(self.element.encode(each, depth) for each in value)


class Masked(NamedTuple):
    """A value and the mask of its bits that count; both are of the same type."""

    value: Any
    mask: Any


@dataclass(frozen=True, eq=False)
class WithMask:
    """A payload twice: the value, then its mask."""

    inner: AttributeType

    @property
    def text(self) -> str:
        return f"{self.inner.text}, value and mask"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> Masked:
        middle, odd = divmod(start + end, 2)
        if odd:
            raise wrong(self, f"{end - start} bytes are not a value and a mask", start)
        try:
            value = self.inner.decode(data, start, middle, depth)
            mask = self.inner.decode(data, middle, end, depth)
        except NetlinkError as error:
            raise wrong(self, error.message, start) from None
        return Masked(value, mask)

    def encode(self, value: Any, depth: int) -> bytes:
        if not isinstance(value, Masked):
            raise wrong(self, f"{value!r} is not a value and a mask")
        return self.inner.encode(value.value, depth) + self.inner.encode(value.mask, depth)


U8 = Number(1)
U16 = Number(2)
U32 = Number(4)
U64 = Number(8)
S32 = Number(4, signed=True)
BE16 = Number(2, big_endian=True)
BE32 = Number(4, big_endian=True)
BE64 = Number(8, big_endian=True)
MAC = Number(6, big_endian=True)
IPV6 = Number(16, big_endian=True)
FLAG = Flag()
BYTES = Binary()
