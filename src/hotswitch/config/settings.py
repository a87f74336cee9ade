"""Settings that are text in a map, and what to say of those that are not acted on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from hotswitch.base.decimal import read_decimal
from hotswitch.base.errors import HotswitchError
from hotswitch.config import columns
from hotswitch.config.notes import Note
from hotswitch.config.rows import Row, Uuid, pairs
from hotswitch.headers.text import MAC

_Found = TypeVar("_Found")
_GROUP = 1 << 40
"""The bit of an Ethernet address that makes it a group's (IEEE 802, 8.2)."""


class SettingError(HotswitchError):
    """A text that does not say what its key needs."""


@dataclass(slots=True)
class Remarker:
    """Collects notes about one row."""

    table: str
    row: Uuid
    name: str
    notes: list[Note] = field(default_factory=list)

    def refuse(self, text: str) -> None:
        """The row as a whole is not in force."""
        self.notes.append(Note(self.table, self.row, self.name, text, refused=True))

    def ignore(self, text: str) -> None:
        """This of the row is not acted on."""
        self.notes.append(Note(self.table, self.row, self.name, text))

    def look_through(self, row: Row) -> None:
        """Note all columns and keys that are set but not acted on."""
        for text in _not_acted_on(self.table, row):
            self.ignore(text)

    def ignore_keys(self, row: Row, column: str, keys: Iterable[str], why: str) -> None:
        """Note those of these keys that are set, unless something else of them is noted."""
        for key in keys:
            is_noted = any(each.text.startswith(f"{column}:{key} (") for each in self.notes)
            if key in pairs(row, column) and not is_noted:
                self.ignore(f"{column}:{key} ({why})")

    def setting(
        self,
        settings: Mapping[str, str],
        key: str,
        read: Callable[[str], _Found],
        default: _Found,
        column: str = "other_config:",
    ) -> _Found:
        """The value of a key; the default if it is not given or not understood, which is noted."""
        given = settings.get(key)
        if given is None:
            return default
        try:
            return read(given)
        except SettingError as error:
            self.ignore(f"{column}{key} ({error})")
            return default


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Reads a decimal number from `low` to `high`."""

    def read(given: str) -> int:
        try:
            value = read_decimal(given)
        except ValueError:
            raise SettingError(f"{given[:40]!r} is not a whole number") from None
        if not low <= value <= high:
            raise SettingError(f"{value} is not in the range {low} to {high}")
        return value

    return read


def boolean(given: str) -> bool:
    """Reads true or false, in any case, as Open vSwitch does (lib/smap.c, smap_get_bool)."""
    match given.lower():
        case "true":
            return True
        case "false":
            return False
    raise SettingError(f"{given[:40]!r} is neither true nor false")


def station_address(given: str) -> int:
    """Reads the Ethernet address of one station, 48 bits."""
    try:
        address = MAC.read(given.strip())
    except ValueError:
        raise SettingError(f"{given[:40]!r} is not an Ethernet address") from None
    if address & _GROUP or not address:
        raise SettingError(f"{given[:40]!r} is not the address of one station")
    return address


def datapath_id(given: str) -> str:
    """Reads 16 hexadecimal digits, or up to 16 after 0x, not all zero."""
    digits = given.lower()
    if digits.startswith("0x") and 2 < len(digits) <= 18:
        digits = digits[2:].rjust(16, "0")
    right = len(digits) == 16 and all(each in "0123456789abcdef" for each in digits)
    if not right or not digits.strip("0"):
        raise SettingError(f"{given[:40]!r} is not 16 hexadecimal digits")
    return digits


def _not_acted_on(table: str, row: Row) -> Iterator[str]:
    for column, nothing in columns.NOT_ACTED_ON.get(table, {}).items():
        value = row.get(column, nothing)
        if value != nothing and value not in columns.ALREADY_SO.get(column, ()):
            yield column
    known = columns.OTHER_CONFIG.get(table, {})
    kept = columns.KEPT_KEYS.get(table, ())
    for key in pairs(row, "other_config"):
        if key not in known and key not in kept:
            yield f"other_config:{key}"
