"""Changes of flows, many at once where they are asked for one behind another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Change, DeleteEntry
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import declared
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.message import Header, Message
from hotswitch.netlink.requests import check_request
from hotswitch.netlink.server.exactly_once import ExactlyOnce
from hotswitch.netlink.server.flow_answers import FlowAnswers
from hotswitch.netlink.server.flow_plans import FlowPlans, Last, Plan
from hotswitch.netlink.server.known_forms import KnownForms
from hotswitch.netlink.server.own_datapath import OwnDatapath
from hotswitch.netlink.server.records import Answered, Record
from hotswitch.netlink.server.request import Request, Waiting
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.session import Session


class Planned(NamedTuple):
    """A request about a flow, what it asks of the datapath, and its transaction's identity."""

    request: Request
    plan: Plan
    identity: bytes | None


class FlowChanges:
    """Plans requests and carries plans out."""

    def __init__(
        self,
        room: Room,
        codec: Codec,
        answers: FlowAnswers,
        once: ExactlyOnce,
        forms: KnownForms,
    ) -> None:
        self._room = room
        self._codec = codec
        self._once = once
        self._forms = forms
        self._plans = FlowPlans(room, answers, forms)
        self._flow_type = codec.ids[FLOW]

    def plan_some(self, session: Session, requests: Sequence[bytes]) -> list[Planned]:
        """Plans for the first of these requests, as many as are about different flows of one
        datapath; none that would be refused, or that has an answer already."""
        found: list[Planned] = []
        taken: set[object] = set()
        for data in requests:
            if found and self._forms.of((data,), 1):
                break  # from here it is a burst's
            try:
                planned = self._plan(session, data)
            except HotswitchError:
                break
            if planned is None or planned.plan.flow is None:
                break
            flow, own = planned.plan.flow, planned.plan.own
            names = {flow.identity, flow.key}
            if (found and own is not found[0].plan.own) or names & taken:
                break
            taken |= names
            found.append(planned)
        return found

    def _plan(self, session: Session, data: bytes) -> Planned | None:
        header = Header.unpack(data)
        if header.type != self._flow_type:
            return None
        message = self._codec.decode(data)
        assert isinstance(message, Message)
        plan = self._plans.by_command.get(message.command)
        if plan is None:
            return None
        request = Request(message.sent_by(session.port), session, data)
        check_request(message)
        identity = request.attributes.get("transaction")
        if identity is not None and self._once.stored(identity, data) is not None:
            return None
        return Planned(request, plan(request), identity)

    def plan(self, request: Request, identity: bytes | None) -> Planned | None:
        """The plan for a request to change flows, None: it is another. Raises HotswitchError."""
        make = self._plans.by_command.get(request.message.command)
        return None if make is None else Planned(request, make(request), identity)

    def carry_out(self, plans: Sequence[Planned]) -> Waiting | None:
        """Carry plans out, all or none, and answer; or say what has to be waited for before.

        Raises HotswitchError.
        """
        own = plans[0].plan.own
        changes = [change for each in plans for change in each.plan.changes]
        if not all(each.plan.familiar for each in plans):
            waiting = _prepare(own, changes)
            if waiting is not None:
                return waiting
        before: list[Record] = []
        foreseen = []
        for each in plans:
            foreseen.append(self._foreseen(each))
            before += each.plan.before
            if (answered := foreseen[-1]) is not None:
                before.append(answered)
        self._room.keep(*before)
        last = _change(own, changes)
        after: list[Record] = []
        told = []
        for each, answered in zip(plans, foreseen, strict=True):
            outcome = each.plan.done(last)
            if answered is None or answered.gone:  # the last statistics are known only now
                answers, records = self._once.conclude(each.request, outcome, each.identity)
                after += records
            else:
                self._once.confirm(answered)
                answers = answered.answers
            told.append((each.request, outcome, answers))
        self._room.keep(*after)
        for each_told in told:
            self._once.tell(*each_told)
        return None

    def _foreseen(self, planned: Planned) -> Answered | None:
        """The answer to a transaction, if it is known before the change."""
        plan, request = planned.plan, planned.request
        if planned.identity is None or plan.foreseen is None or plan.flow is None:
            return None
        flow = plan.own.name, plan.flow.cookie
        gone = isinstance(plan.changes[-1], DeleteEntry)
        return self._once.foresee(request, plan.foreseen, planned.identity, flow, gone)


def _prepare(own: OwnDatapath, changes: Sequence[Change]) -> Waiting | None:
    """What has to be done in the background before, or None. Raises NetlinkError."""
    if not changes:
        return None
    try:
        return own.datapath.prepare(changes)
    except HotswitchError as error:
        raise declared(error) from error


def _change(own: OwnDatapath, changes: Sequence[Change]) -> Last:
    """Change the datapath, all or nothing. Raises NetlinkError."""
    if not changes:
        return {}
    try:
        return own.datapath.change(changes)
    except HotswitchError as error:
        raise declared(error) from error
