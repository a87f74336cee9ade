"""The host's links as commands see them: found by name or by id, and renamed."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from hotswitch.app.control.method import RequestError
from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link
from hotswitch.ports.link_id_file import KeptLinkIds
from hotswitch.ports.link_id_records import LARGEST
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import is_another_s

_SOME = 64
"""Links to look at in one go."""
_LIVE_RENAME = "before Linux 6.3 the kernel renames no link that is up: set it down first"


class HostLinks:
    """The links of the daemon's network namespace, with their ids.

    owner: what tells links that this daemon has made from others. has_other_port: whether the link
    of this index is a port of another daemon's.
    """

    def __init__(
        self,
        links: KernelLinks,
        ids: KeptLinkIds,
        owner: str,
        has_other_port: Callable[[int], bool],
    ) -> None:
        self._has_other_port = has_other_port
        self.owner = owner
        self.ids = ids
        self.kernel = links
        self._quiet: list[int] = []

    def table(self) -> LinkTable:
        """All links as they are now, those that are not up too. Raises KernelError."""
        quiet = [index for index, link in self.kernel.look().by_index.items() if not link.up]
        self.kernel.doubt(quiet)
        return self.kernel.look()

    def look_at_some(self) -> None:
        """Look at the next few of those that are not up: nobody tells that they get names.

        Raises KernelError.
        """
        if not self._quiet:
            links = self.kernel.look().by_index
            self._quiet = [index for index, link in links.items() if not link.up]
        some, self._quiet = self._quiet[-_SOME:], self._quiet[:-_SOME]
        if some:
            self.kernel.doubt(some)
            self.kernel.look()

    def find(self, given: str, what: str = "link") -> Link:
        """The link of that name, alternative name or id. Raises RequestError.

        what: there is none of, then.
        """
        named = self.table().by_name.get(given)
        if named:
            return named
        link_id = read_id(given)
        if link_id is None:
            raise RequestError(f"there is no {what} {given}", remedy="see `hotswitch link list`")
        return self.by_id(link_id, what)

    def by_id(self, link_id: int, what: str = "link") -> Link:
        """The link with this id. Raises RequestError, which says how an absent one was called."""
        table = self.table()
        known = self.ids.link_of(link_id)
        link = table.by_index.get(known.index) if known else None
        if link:
            return link
        record = self.ids.record_of(link_id)
        if record is None:
            raise RequestError(f"there is no {what} {link_id}", remedy="see `hotswitch link list`")
        raise RequestError(f"link {link_id}, which was called {record.name}, is not there now")

    def refuse_another_s(self, link: Link, remedy: str) -> None:
        """Raise RequestError for a link that another hotswitch has as a port, or has made.

        remedy: what can be done about it. Raises KernelError if that can't be told.
        """
        if any(is_another_s(self.owner, end) for end in self.kernel.look().ends(link)):
            raise RequestError(f"{link.name} was made by another hotswitch", remedy=remedy)
        if self._has_other_port(link.index):
            raise RequestError(f"{link.name} is a port of another hotswitch", remedy=remedy)

    def rename(self, link: Link, name: str) -> Callable[[], None]:
        """As `give_name` does, here."""
        return give_name(self.kernel, link, name)

    def identified(self, link: Link) -> Link:
        """A link of any namespace, whose incarnation is known, with its id."""
        return replace(link, id=self.ids.id_of(link) or 0)


class Names(Protocol):
    """Gives and takes names."""

    def rename(self, index: int, name: str) -> None:
        """Rename a link."""

    def add_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Give a link more names."""

    def delete_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Take alternative names from a link."""


def give_name(names: Names, link: Link, name: str) -> Callable[[], None]:
    """Rename a link, and keep the old name as an alternative one where it is free.

    Returns what undoes it. Raises HotswitchError, with nothing changed.
    """
    had_it = name in link.alternative_names
    if had_it:  # the kernel lets no link have a name twice
        names.delete_alternative_names(link.index, (name,))
    try:
        names.rename(link.index, name)
    except KernelError as error:
        if had_it:
            names.add_alternative_names(link.index, (name,))
        if error.errno == errno.EBUSY and link.up:
            raise RequestError(f"{link.name} can't be renamed", remedy=_LIVE_RENAME) from None
        if error.errno == errno.EEXIST:
            raise RequestError(f"{name} is taken: another link has it") from None
        raise
    with suppress(KernelError):  # somebody has taken it in this moment
        names.add_alternative_names(link.index, (link.name,))

    def undo() -> None:
        with suppress(HotswitchError):
            names.delete_alternative_names(link.index, (link.name,))
            names.rename(link.index, link.name)
            if had_it:
                names.add_alternative_names(link.index, (name,))

    return undo


def read_id(text: str) -> int | None:
    """The link id that a text stands for, or None."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= LARGEST:
        return int(text)
    return None
