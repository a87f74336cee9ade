"""Requests for listings: begun for clients that read part by part, or one part by its cursor."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from hotswitch.base.errors import HotswitchError
from hotswitch.netlink.errors import NetlinkError, declared
from hotswitch.netlink.requests import unsupported
from hotswitch.netlink.server.answers import Answers
from hotswitch.netlink.server.listing import Cursor, Listing
from hotswitch.netlink.server.request import Handlers, Request
from hotswitch.netlink.server.session import Session

_DATAGRAM = 128 << 10
"""Bytes of a datagram, at most: what a Unix socket takes with its usual buffer."""


class Listings:
    """Finds what a request lists, by family."""

    def __init__(self, answers: Answers, handlers: Mapping[str, Handlers]) -> None:
        self._answers = answers
        self._handlers = handlers

    def begin(self, request: Request) -> None:
        """A listing is to go on from now; its first part. Raises NetlinkError."""
        session = request.session
        try:
            session.dump = self._listing(request)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            session.answers.append(self._answers.broken_off(request.message, error))
            return
        self.more(session)

    def more(self, session: Session) -> None:
        """Put the next part of the listing that goes on into `session.answers`."""
        listing = session.dump
        assert listing is not None
        try:
            data, last = listing.part(self._answers.encode)
        except HotswitchError as error:
            data, last = self._answers.broken_off(listing.request, declared(error)), True
        if last:
            session.dump = None
        session.answers.append(data)

    def part(self, request: Request) -> bytes:
        """The part that a cursor asks for. Raises NetlinkError."""
        listing = self._listing(request)
        given = request.attributes["cursor"]
        if given:
            listing.cursor = Cursor.decode(given)
        limit = request.attributes.get("limit", _DATAGRAM)
        return listing.whole_part(self._answers.encode, min(limit, _DATAGRAM))

    def _listing(self, request: Request) -> Listing:
        message = request.message
        family = self._handlers.get(message.family.name)
        lister = family.dumps.get(message.command) if family else None
        if lister is None:
            raise unsupported(message)
        table = lister(request)
        return Listing(request.message, table, Cursor(table.generation, 0))
