"""Sets of attributes: the declarations, and attributes within attributes."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from hotswitch.netlink.attribute_type import AttributeType
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.types import WithMask, wrong

DEPTH = 40
"""How deep attributes may be nested. The kernel allows 16 actions within each other
(OVS_COPY_ACTIONS_MAX_DEPTH, flow_netlink.c), each of which can be two attributes deep."""

NESTED = 0x8000
"""NLA_F_NESTED, a bit beside the number."""

_RECURRING = 1024  # payloads, each of at most
_RECURRING_SIZE = 1024  # bytes
_NUMBER = 0x3FFF
_MAXIMUM = 0xFFFF
_header = struct.Struct("=HH")


@dataclass(frozen=True, eq=False)
class Attribute:
    """An attribute of a set.

    number: what it is in the message; kernel: its name in the kernel's headers.
    flagged: written with NLA_F_NESTED. (Read, it may have that bit or not.)
    """

    name: str
    number: int
    kernel: str
    type: AttributeType
    doc: str = ""
    flagged: bool = False

    @cached_property
    def kind(self) -> int:
        """The number as it is written."""
        return self.number | NESTED if self.flagged else self.number


class AttributeSet:
    """The attributes that can stand beside each other.

    ordered: the same one may occur more than once (actions).
    open: others are kept, with their number for a name, instead of refused; and of one that is
        there twice the last counts (nla_parse, lib/nlattr.c).
    refusal: the errno for a payload that is not of its type, 0: as lib/nlattr.c has it (ERANGE).
    """

    def __init__(
        self,
        name: str,
        *attributes: Attribute,
        ordered: bool = False,
        open: bool = False,
        refusal: int = 0,
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.ordered = ordered
        self.open = open
        self.refusal = refusal
        self.by_number = {each.number: each for each in attributes}
        self.by_name: dict[Name, Attribute] = {each.name: each for each in attributes}
        if len(self.by_number) != len(attributes) or len(self.by_name) != len(attributes):
            raise ValueError(f"{name}: two attributes have one number or one name")

    @cached_property
    def with_masks(self) -> AttributeSet:
        """The same attributes, each payload twice: value, then mask."""
        return AttributeSet(
            self.name,
            *(
                Attribute(each.name, each.number, each.kernel, _with_mask(each.type), each.doc)
                for each in self.attributes
            ),
            ordered=self.ordered,
            refusal=self.refusal,
        )

    def decode(self, data: bytes, start: int, end: int, depth: int = DEPTH) -> Attributes:
        """The attributes in data[start:end]. Raises NetlinkError."""
        if not depth:
            raise NetlinkError("nested too deep", offset=start - 4)
        found = frames(data, start, end)
        pairs: list[tuple[Name, Any]] = []
        known = self.by_number
        for number, payload, stop in found:
            attribute = known.get(number)
            if attribute is not None:
                try:
                    value = attribute.type.decode(data, payload, stop, depth - 1)
                except NetlinkError as error:
                    raise error.inside(attribute.name, self.refusal) from None
                pairs.append((attribute.name, value))
            elif self.open:
                pairs.append((number, data[payload:stop]))
            else:
                raise NetlinkError(f"{self.name} has no attribute {number}", offset=payload - 4)
        attributes = Attributes(pairs)
        if not self.ordered and not self.open and attributes.repeats:
            self._check_once(found)
        return attributes

    def encode(self, attributes: Attributes, depth: int = DEPTH) -> bytes:
        """The bytes of attributes, padded. Raises NetlinkError."""
        if not depth:
            raise NetlinkError("nested too deep")
        parts = []
        for name, value in attributes.pairs:
            attribute = self.by_name.get(name)
            if attribute is not None:
                kind = attribute.kind
                try:
                    payload = attribute.type.encode(value, depth - 1)
                except NetlinkError as error:
                    raise error.inside(attribute.name, self.refusal) from None
            elif self.open and _is_number(name) and isinstance(value, bytes):
                kind, payload = int(name), value
            else:
                raise NetlinkError(f"{self.name} has no attribute {name!r}")
            parts.append(_framed(kind, payload, name))
        return b"".join(parts)

    def _check_once(self, found: list[tuple[int, int, int]]) -> None:
        again = _repeated(found)
        if again:
            number, payload, _ = again
            attribute = self.by_number.get(number)
            raise NetlinkError(
                "it is there twice",
                offset=payload - 4,
                path=(attribute.name if attribute else str(number),),
            )


class Encoded(bytes):
    """What `AttributeSet.encode` has given, to be nested as it is: listings need not encode again
    what has not changed."""


@dataclass(frozen=True, eq=False)
class Nested:
    """Attributes of a set, as Attributes. `of` gives the set (it may be the one it is in).

    recurring: the same payload comes again and again (masks of flows), so it is remembered.
    """

    of: Callable[[], AttributeSet]
    recurring: bool = False

    @property
    def text(self) -> str:
        return f"nested {self.of().name}"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> Attributes:
        if self.recurring and end - start <= _RECURRING_SIZE:
            try:
                return self._remembered(data[start:end])
            except NetlinkError:
                pass  # below it is raised again, with its place in all of the data
        return self.of().decode(data, start, end, depth)

    def encode(self, value: Any, depth: int) -> bytes:
        if isinstance(value, Encoded):
            return value
        if not isinstance(value, Attributes):
            raise wrong(self, f"{value!r} is not Attributes")
        return self.of().encode(value, depth)

    @cached_property
    def _remembered(self) -> Callable[[bytes], Attributes]:
        return lru_cache(_RECURRING)(lambda payload: self.of().decode(payload, 0, len(payload)))


@dataclass(frozen=True, eq=False)
class Indexed:
    """Attributes of one type whose numbers count or index, as Attributes with numbers for names.

    repeated: they all may have the same number.
    """

    element: AttributeType
    repeated: bool = False
    flagged: bool = False

    @property
    def text(self) -> str:
        return f"by number: {self.element.text}"

    def decode(self, data: bytes, start: int, end: int, depth: int) -> Attributes:
        if not depth:
            raise NetlinkError("nested too deep", offset=start - 4)
        found = frames(data, start, end)
        again = None if self.repeated else _repeated(found)
        if again:
            raise NetlinkError("it is there twice", offset=again[1] - 4, path=(str(again[0]),))
        pairs: list[tuple[Name, Any]] = []
        for number, payload, stop in found:
            try:
                pairs.append((number, self.element.decode(data, payload, stop, depth - 1)))
            except NetlinkError as error:
                raise error.inside(str(number)) from None
        return Attributes(pairs)

    def encode(self, value: Any, depth: int) -> bytes:
        if not depth:
            raise NetlinkError("nested too deep")
        if not isinstance(value, Attributes):
            raise wrong(self, f"{value!r} is not Attributes")
        parts = []
        for name, each in value.pairs:
            if not _is_number(name):
                raise wrong(self, f"{name!r} is not an attribute's number")
            try:
                payload = self.element.encode(each, depth - 1)
            except NetlinkError as error:
                raise error.inside(str(name)) from None
            kind = int(name) | NESTED if self.flagged else int(name)
            parts.append(_framed(kind, payload, name))
        return b"".join(parts)


def frames(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    """The attributes in data[start:end]: number, start and end of the payload."""
    found = []
    position = start
    unpack = _header.unpack_from
    while end - position >= 4:
        length, kind = unpack(data, position)
        if not 4 <= length <= end - position:
            raise NetlinkError(
                f"an attribute says it has {length} bytes, {end - position} are left",
                offset=position,
            )
        found.append((kind & _NUMBER, position + 4, position + length))
        position += length + 3 & ~3
    # The last one's padding may be missing (OVS_DP_F_UNALIGNED).
    if position < end:
        raise NetlinkError(f"{end - position} bytes are left over", offset=position)
    return found


def _repeated(found: list[tuple[int, int, int]]) -> tuple[int, int, int] | None:
    """The first that has the number of one before it."""
    if len({number for number, _, _ in found}) == len(found):
        return None
    seen: set[int] = set()
    for frame in found:
        if frame[0] in seen:
            return frame
        seen.add(frame[0])
    return None


def _is_number(name: Name) -> bool:
    return isinstance(name, int) and 0 <= name <= _NUMBER


def _framed(kind: int, payload: bytes, name: Name) -> bytes:
    length = 4 + len(payload)
    if length > _MAXIMUM:
        raise NetlinkError(
            f"{len(payload)} bytes do not fit into an attribute",
            errno=errno.EMSGSIZE,
            path=(str(name),),
        )
    return _header.pack(length, kind) + payload + bytes(-length % 4)


def _with_mask(kind: AttributeType) -> AttributeType:
    if isinstance(kind, Nested):
        return Nested(lambda: kind.of().with_masks)
    return WithMask(kind)
