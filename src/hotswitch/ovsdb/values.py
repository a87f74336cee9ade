"""What a database holds: atoms, and data made of them.

A datum is an immutable sorted tuple, so that equal data are equal tuples and order is
theirs. A scalar is a tuple of one atom, an optional one a tuple of none or one, a set a
tuple of distinct atoms, a map a tuple of (key, value) pairs with distinct keys.
A row is a tuple of data, one for each column of its table, in the order of the schema.
"""

from __future__ import annotations

import os
import re
from typing import Any, NewType, TypeAlias

#: What a JSON decoder returns: None, bool, int, float, str, list, dict.
Json: TypeAlias = Any

#: A UUID in its canonical text form: lower case, with dashes. Its order is that of the bytes.
Uuid = NewType("Uuid", str)

#: int, float, bool, str or Uuid; which of them, says the column's type.
Atom: TypeAlias = Any

Datum: TypeAlias = tuple[Any, ...]
Row: TypeAlias = tuple[Datum, ...]

ZERO_UUID = Uuid("00000000-0000-0000-0000-000000000000")

#: The positions of the two columns that every table has.
UUID_INDEX = 0
VERSION_INDEX = 1

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))

#: How many random UUIDs are made at once: a transaction takes several, each was a system call.
_STOCK = 256
_unused: list[Uuid] = []
os.register_at_fork(after_in_child=_unused.clear)


def new_uuid() -> Uuid:
    """Return a random UUID (RFC 9562 version 4)."""
    try:
        return _unused.pop()
    except IndexError:
        digits = os.urandom(16 * _STOCK).hex()
        _unused.extend(_uuid(digits[at : at + 32]) for at in range(0, len(digits), 32))
        return _unused.pop()


def _uuid(digits: str) -> Uuid:
    return Uuid(
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"
    )


def parse_uuid(text: str) -> Uuid | None:
    """Return the canonical form of a UUID, or None if `text` isn't one."""
    if _UUID(text):
        return Uuid(text)
    lowered = text.lower()
    return Uuid(lowered) if text.isascii() and _UUID(lowered) else None


def is_identifier(text: str) -> bool:
    """Whether `text` is an `<id>` of RFC 7047 section 3.1."""
    return text.isascii() and text.isidentifier()


def as_integer(json: Json) -> int | None:
    """Return a JSON number as a 64-bit integer, or None if it isn't one.

    1.0 and 1e3 are integers here, as they are for Open vSwitch.
    """
    if type(json) is float and json.is_integer():
        json = int(json)
    if type(json) is int and INTEGER_MIN <= json <= INTEGER_MAX:
        return json
    return None


class Symbols:
    """The named UUIDs of one transaction.

    A name may be used before the row that it names is inserted.
    """

    def __init__(self) -> None:
        self._uuids: dict[str, Uuid] = {}
        self._defined: set[str] = set()

    def refer(self, name: str) -> Uuid:
        """Return the UUID that stands for `name`."""
        uuid = self._uuids.get(name)
        if uuid is None:
            uuid = self._uuids[name] = new_uuid()
        return uuid

    def define(self, name: str, uuid: Uuid | None) -> Uuid | None:
        """Name a new row; return its UUID, or None if another row has the name already.

        `uuid` is the one that the client chose, if it did.
        """
        if name in self._defined:
            return None
        self._defined.add(name)
        if uuid is None:
            return self.refer(name)
        self._uuids[name] = uuid
        return uuid
