"""The host's links as commands see them: found by name or by id, and renamed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress

from hotswitch.app.control.method import RequestError
from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link
from hotswitch.ports.link_id_file import KeptLinkIds
from hotswitch.ports.link_id_records import LARGEST
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.link_table import LinkTable

_LIVE_RENAME = "before Linux 6.3 the kernel renames no link that is up: set it down first"


class HostLinks:
    """The links of the daemon's network namespace, with their ids.

    owner: what tells links that this daemon has made from others.
    """

    def __init__(self, links: KernelLinks, ids: KeptLinkIds, owner: str) -> None:
        self.owner = owner
        self.ids = ids
        self.kernel = links

    def table(self) -> LinkTable:
        """All links as they are now, those that are not up too. Raises KernelError."""
        quiet = [index for index, link in self.kernel.look().by_index.items() if not link.up]
        self.kernel.doubt(quiet)
        return self.kernel.look()

    def find(self, given: str) -> Link:
        """The link of that name, alternative name or id. Raises RequestError."""
        named = self.table().by_name.get(given)
        if named:
            return named
        link_id = read_id(given)
        if link_id is None:
            raise RequestError(f"there is no link {given}", remedy="see `hotswitch link list`")
        return self.by_id(link_id)

    def by_id(self, link_id: int) -> Link:
        """The link with this id. Raises RequestError, which says how an absent one was called."""
        table = self.table()
        known = self.ids.link_of(link_id)
        link = table.by_index.get(known.index) if known else None
        if link:
            return link
        record = self.ids.record_of(link_id)
        if record is None:
            raise RequestError(f"there is no link {link_id}", remedy="see `hotswitch link list`")
        raise RequestError(f"link {link_id}, which was called {record.name}, is not there now")

    def rename(self, link: Link, name: str) -> Callable[[], None]:
        """Give a link another name, and keep the old one as an alternative name where it is free.

        Returns what undoes it. Raises HotswitchError, with nothing changed.
        """
        had_it = name in link.alternative_names
        if had_it:  # the kernel lets no link have a name twice
            self.kernel.delete_alternative_names(link.index, (name,))
        try:
            self.kernel.rename(link.index, name)
        except KernelError as error:
            if had_it:
                self.kernel.add_alternative_names(link.index, (name,))
            if error.errno == errno.EBUSY and link.up:
                raise RequestError(f"{link.name} can't be renamed", remedy=_LIVE_RENAME) from None
            raise
        with suppress(KernelError):  # somebody has taken it in this moment
            self.kernel.add_alternative_names(link.index, (link.name,))

        def undo() -> None:
            with suppress(HotswitchError):
                self.kernel.delete_alternative_names(link.index, (link.name,))
                self.kernel.rename(link.index, link.name)
                if had_it:
                    self.kernel.add_alternative_names(link.index, (name,))

        return undo


def read_id(text: str) -> int | None:
    """The link id that a text stands for, or None."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) <= LARGEST:
        return int(text)
    return None
