"""How a port that has lost its device finds one. Pure.

name=tap0                              by name, or else by alternative name
alternative-name=net-vm1               by alternative name only
permanent-address=52:54:00:12:34:56    by the address that the hardware came with
bus=pci/0000:00:03.0                   by where it is plugged in
driver=virtio_net                      by its driver
id=7                                   by link id (`link_ids`), which lasts
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from hotswitch.headers.text import MAC
from hotswitch.kernel.links import Link
from hotswitch.ports.errors import PortTextError
from hotswitch.ports.link_id_records import LARGEST

_LONGEST = 127
"""Bytes of an alternative name (ALTIFNAMSIZ, include/uapi/linux/if.h), and enough for the rest."""


class By(enum.StrEnum):
    """What a device is known by."""

    NAME = "name"
    ALTERNATIVE_NAME = "alternative-name"
    PERMANENT_ADDRESS = "permanent-address"
    BUS = "bus"
    DRIVER = "driver"
    ID = "id"


@dataclass(frozen=True, slots=True)
class Selector:
    """value: in the form that `values` gives."""

    by: By
    value: str

    def __str__(self) -> str:
        return f"{self.by}={self.value}"

    def fits(self, link: Link) -> bool:
        """Whether the link is such a one."""
        return self.value in values(self.by, link)


def read_selector(text: str) -> Selector:
    """Read `WHAT=VALUE`. Raises PortTextError."""
    what, _, value = text.strip().partition("=")
    value = value.strip()
    try:
        by = By(what.strip())
    except ValueError:
        raise PortTextError(
            f"{text[:40]!r} selects no device",
            remedy="write WHAT=VALUE, where WHAT is one of " + ", ".join(By),
        ) from None
    if not 0 < len(value.encode(errors="replace")) <= _LONGEST or not value.isprintable():
        raise PortTextError(f"{by}={value[:40]!r} selects no device", remedy="give a value")
    try:
        if by is By.PERMANENT_ADDRESS:
            value = MAC.show(MAC.read(value))
        elif by is By.ID:
            value = str(int(value)) if value.isascii() and value.isdigit() else "0"
    except ValueError:
        raise PortTextError(f"{value[:40]!r} is no Ethernet address") from None
    if by is By.ID and not 0 < int(value) <= LARGEST:
        raise PortTextError(
            f"{text[:40]!r} is no link id", remedy=f"they are whole numbers, 1 to {LARGEST}"
        )
    return Selector(by, value)


def show_incarnation(incarnation: int) -> str:
    """An incarnation as people see it: 16 hexadecimal digits."""
    return f"{incarnation:016x}"


def read_incarnation(text: str) -> int:
    """The incarnation, 64 bits, not 0. Raises ValueError."""
    digits = text.strip().lower().removeprefix("0x")
    value = int(digits, 16) if digits and set(digits) <= set("0123456789abcdef") else 0
    if not 0 < value < 1 << 64:
        raise ValueError("16 hexadecimal digits are expected, not all of them 0")
    return value


def values(by: By, link: Link) -> tuple[str, ...]:
    """What a link can be found by."""
    match by:
        case By.NAME:
            return (link.name, *link.alternative_names)
        case By.ALTERNATIVE_NAME:
            return link.alternative_names
        case By.PERMANENT_ADDRESS:
            return (MAC.show(link.permanent_address),) if link.permanent_address else ()
        case By.BUS:
            return (link.bus,) if link.bus else ()
        case By.DRIVER:
            return (link.driver,) if link.driver else ()
        case By.ID:
            return (str(link.id),) if link.id else ()


@dataclass(slots=True)
class Finder:
    """Finds links by selectors, among those of one moment."""

    links: Iterable[Link]
    _found: dict[By, Mapping[str, list[Link]]] = field(default_factory=dict)

    def find(self, selector: Selector) -> list[Link]:
        """All links that fit; of several by name, the one whose first name it is."""
        if selector.by not in self._found:
            self._found[selector.by] = self._by_value(selector.by)
        found = self._found[selector.by].get(selector.value, [])
        first = [link for link in found if link.name == selector.value]
        return first if selector.by is By.NAME and first else found

    def _by_value(self, by: By) -> dict[str, list[Link]]:
        sorted_out: dict[str, list[Link]] = {}
        for value, link in self._values(by):
            sorted_out.setdefault(value, []).append(link)
        return sorted_out

    def _values(self, by: By) -> Iterator[tuple[str, Link]]:
        return ((value, link) for link in self.links for value in values(by, link))
