"""A request on its way to its family."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from hotswitch.base.errors import HotswitchError
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError, declared
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.family import DUMP, NAMESPACE_ADMINISTRATOR
from hotswitch.netlink.locate import with_offset
from hotswitch.netlink.message import Message
from hotswitch.netlink.requests import check_request, is_dump, unsupported
from hotswitch.netlink.server.exactly_once import ExactlyOnce
from hotswitch.netlink.server.flow_changes import FlowChanges
from hotswitch.netlink.server.listings import Listings
from hotswitch.netlink.server.request import Handler, Handlers, Outcome, Request, Waiting
from hotswitch.netlink.server.session import Session
from hotswitch.netlink.server.transactions import addressed


class Dispatch:
    """Decodes requests, and has their families carry them out."""

    def __init__(
        self,
        codec: Codec,
        handlers: Mapping[str, Handlers],
        listings: Listings,
        flows: FlowChanges,
        once: ExactlyOnce,
    ) -> None:
        self._codec = codec
        self._handlers = handlers
        self._flows = flows
        self._once = once
        self._listings = listings

    def receive(self, session: Session, data: bytes) -> Waiting | None:
        """A request. Raises HotswitchError if it is refused."""
        message = self._codec.decode(data)
        if not isinstance(message, Message):
            raise NetlinkError("this is not a request", errno=errno.EOPNOTSUPP)
        request = Request(message.sent_by(session.port), session, data)
        try:
            check_request(message)
            return self._answer(request)
        except NetlinkError as error:
            raise with_offset(error, message.family, data) from None
        except HotswitchError as error:
            raise declared(error) from error

    def _answer(self, request: Request) -> Waiting | None:
        message, session = request.message, request.session
        command = message.family.by_name[message.command]
        if is_dump(message) and "cursor" not in request.attributes:
            self._listings.begin(request)
            return None
        if command.flags & DUMP and "cursor" in request.attributes:
            session.answers.append(self._listings.part(request))
            return None
        changes = command.flags & NAMESPACE_ADMINISTRATOR
        identity = request.attributes.get("transaction") if changes else None
        if identity is not None:
            stored = self._once.stored(identity, request.data)
            if stored is not None:
                session.answers += addressed(stored, message.sequence, session.port)
                return None
        return self._carry_out(request, identity)

    def _carry_out(self, request: Request, identity: bytes | None) -> Waiting | None:
        message = request.message
        try:
            planned = self._flows.plan(request, identity) if message.family is FLOW else None
            if planned is not None:
                return self._flows.carry_out((planned,))
            handler = self._handler(message)
            foresee = self._handlers[message.family.name].foreseen.get(message.command)
            if identity is not None and foresee is not None:
                self._once.expect(request, foresee(request), identity)
            outcome = handler(request)
        except HotswitchError as error:
            if identity is not None:
                refused = with_offset(declared(error), message.family, request.data)
                self._once.refuse(request, identity, refused)
            raise
        if not isinstance(outcome, Outcome):
            return outcome
        self._once.finish(request, outcome, identity)
        return None

    def _handler(self, message: Message) -> Handler:
        family = self._handlers.get(message.family.name)
        handler = family.one.get(message.command) if family else None
        if handler is None:
            raise unsupported(message)
        return handler
