"""What a row says of a link: how it is found, and what others keep about it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hotswitch.config.rows import Row, pairs
from hotswitch.config.settings import Remarker, SettingError, boolean, whole_number
from hotswitch.ports.errors import PortTextError
from hotswitch.ports.lifecycle import Lifecycle, read_lifecycle
from hotswitch.ports.members import Member, Metadata
from hotswitch.ports.selector import By, Selector, read_selector

MOST_PREFERENCE = 1_000_000

_Found = TypeVar("_Found")


def read_member(interface: Row, remarks: Remarker) -> Member:
    """The link that a row of Interface asks for."""
    settings = pairs(interface, "other_config")
    preference = whole_number(-MOST_PREFERENCE, MOST_PREFERENCE)
    selector = remarks.setting(settings, "link", _selector, None)
    return Member(
        remarks.name,
        None if selector == Selector(By.NAME, remarks.name) else selector,
        follow_rename=remarks.setting(settings, "follow-rename", boolean, True),
        preference=remarks.setting(settings, "vif-preference", preference, 0),
        metadata=metadata(interface),
    )


def metadata(row: Row) -> Metadata:
    """What others keep about a row's thing."""
    return tuple(sorted(pairs(row, "external_ids").items()))


def _setting(read: Callable[[str], _Found]) -> Callable[[str], _Found]:
    """Reads as `read` does, and raises SettingError."""

    def read_setting(given: str) -> _Found:
        try:
            return read(given)
        except PortTextError as error:
            raise SettingError(str(error)) from error

    return read_setting


lifecycle: Callable[[str], Lifecycle | None] = _setting(read_lifecycle)
"""Reads a lifecycle."""

_selector: Callable[[str], Selector | None] = _setting(read_selector)
