"""A request with a transaction's identity has one answer, which is kept before it is given."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from hotswitch.base.errors import HotswitchError
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.server.answers import Answers
from hotswitch.netlink.server.events import Events
from hotswitch.netlink.server.records import Answered, Record, unconditional
from hotswitch.netlink.server.request import Foreseen, Outcome, Request
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.transactions import Transactions, digest

_PASSING = frozenset({errno.ENOMEM, errno.ENOSPC, errno.EAGAIN, errno.EBUSY, errno.EMFILE})


class ExactlyOnce:
    """Concludes requests: what is to be answered, kept and told."""

    def __init__(
        self, room: Room, answers: Answers, events: Events, transactions: Transactions
    ) -> None:
        self._room = room
        self._answers = answers
        self._events = events
        self._transactions = transactions

    def stored(self, identity: bytes, data: bytes) -> tuple[bytes, ...] | None:
        """What was answered to a request before, or None. Raises NetlinkError."""
        return self._transactions.find(identity, data)

    def finish(self, request: Request, outcome: Outcome, identity: bytes | None) -> None:
        """A request has been carried out. Raises HotswitchError if it can't be kept."""
        answers, records = self.conclude(request, outcome, identity)
        try:
            self._room.keep(*records)
        except HotswitchError:
            if identity is not None:
                self._transactions.forget(identity)
            if outcome.undo is not None:
                outcome.undo()
            raise
        self.tell(request, outcome, answers)

    def conclude(
        self, request: Request, outcome: Outcome, identity: bytes | None
    ) -> tuple[tuple[bytes, ...], tuple[Record, ...]]:
        """The answers, and what is to be kept."""
        answers = self._answers.all(request, outcome)
        if identity is None:
            return answers, outcome.records
        answered = Answered(identity, digest(request.data), answers)
        self._transactions.keep(answered)
        return answers, (*outcome.records, answered)

    def expect(self, request: Request, foreseen: Foreseen, identity: bytes) -> None:
        """Keep an answer that holds once what it is about is gone. Raises HotswitchError."""
        answers = self._answers.all(request, foreseen.outcome)
        about = foreseen.name, foreseen.number
        self._room.keep(
            Answered(identity, digest(request.data), answers, about, True, foreseen.kind)
        )

    def foresee(
        self, request: Request, outcome: Outcome, identity: bytes, flow: tuple[str, int], gone: bool
    ) -> Answered:
        """What is to be kept before the change, so that it holds if the flow is there then (or
        if it is gone)."""
        answers = self._answers.all(request, outcome)
        return Answered(identity, digest(request.data), answers, flow, gone)

    def confirm(self, answered: Answered) -> None:
        """The change that was foreseen has been made."""
        self._transactions.keep(unconditional(answered))

    def tell(self, request: Request, outcome: Outcome, answers: Sequence[bytes]) -> None:
        """Answer, and announce."""
        request.session.answers += answers
        self._events.tell(request, outcome)

    def refuse(self, request: Request, identity: bytes, error: NetlinkError) -> None:
        """A refusal is an answer too; but what could not be done may be possible later."""
        if error.errno in _PASSING:
            return
        answers = (self._answers.refusal(request.session, request.data, error),)
        answered = Answered(identity, digest(request.data), answers)
        self._transactions.keep(answered)
        self._room.keep(answered)
