"""The server without input or output: datagrams in, datagrams out.

Rules. Requests of one socket are carried out one after another, and answered in that order:
what a request says, by its own family's message if it asks (or wants an echo), and an
acknowledgement if it wants one or was refused. A listing goes on when its last part has been taken
(`more`). A change is in force and kept before it is answered. Only NetlinkError is told to
clients; any other exception is a bug.
"""

from __future__ import annotations

import errno
import logging
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import DeleteEntry
from hotswitch.headers.registry import Registry
from hotswitch.netlink.attributes import NONE, Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.extended import accept, refuse
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.family import DUMP, NAMESPACE_ADMINISTRATOR
from hotswitch.netlink.flags import ACK, ECHO, REQUEST
from hotswitch.netlink.locate import with_offset
from hotswitch.netlink.message import HEADER_SIZE, Done, Header, Message, split
from hotswitch.netlink.requests import check_request, is_dump
from hotswitch.netlink.server.controller import NOTIFY, Controller
from hotswitch.netlink.server.datapath_family import DatapathFamily
from hotswitch.netlink.server.flow_family import FlowFamily, Plan
from hotswitch.netlink.server.listing import Cursor, Listing
from hotswitch.netlink.server.outside import Memory, Outside
from hotswitch.netlink.server.packet_family import PacketFamily
from hotswitch.netlink.server.records import Answered, Record, unconditional
from hotswitch.netlink.server.request import Handlers, Outcome, Request, Waiting
from hotswitch.netlink.server.room import OwnDatapath, Room, declared
from hotswitch.netlink.server.session import LOST, Session
from hotswitch.netlink.server.sockets import Sockets
from hotswitch.netlink.server.transactions import Transactions, addressed, digest
from hotswitch.netlink.server.vport_family import VportFamily

_log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """A request about a flow, what it asks of the datapath, and its transaction's identity."""

    request: Request
    plan: Plan
    identity: bytes | None


class Server:
    """All that one daemon serves.

    known: what `Memory` has kept in an earlier life. Raises HotswitchError if what forwards
    can't be taken over.
    """

    def __init__(
        self,
        registry: Registry,
        clock: Clock,
        outside: Outside,
        memory: Memory,
        known: Sequence[Record] = (),
    ) -> None:
        self._codec = Codec()
        self._groups = _numbers_of_groups(self._codec)
        # After a restart each listing that goes on has seen another generation.
        self._room = Room(registry, outside, memory, clock.now())
        self._transactions = Transactions()
        self._sockets = Sockets(self._groups.values())
        self._lost = self._codec.encode(LOST)
        self._flows = FlowFamily(self._room, self._codec)
        self._flow_type = self._codec.ids[FLOW]
        self._vports = VportFamily(self._room, self._announce_vport)
        self._packets = PacketFamily(self._room, self._codec, clock, self._sockets.by_port)
        self._reached: set[Session] = set()
        self._handlers: Mapping[str, Handlers] = {
            CONTROLLER.name: Controller(self._codec, self._groups).handlers,
            DATAPATH.name: DatapathFamily(self._room).handlers,
            VPORT.name: self._vports.handlers,
            FLOW.name: self._flows.handlers,
            PACKET.name: self._packets.handlers,
            SOCKET.name: self._sockets.handlers,
        }
        for answered in self._room.restore(known):
            self._transactions.keep(answered)

    # Sockets

    def connect(self, port: int = 0) -> Session:
        """A client has come; port: the port id that it would have with Linux, if that is known."""
        return self._sockets.open(port)

    def disconnect(self, session: Session) -> None:
        """It has gone."""
        self._sockets.close(session)

    def reached(self) -> set[Session]:
        """The sockets that have got events or packets since the last call."""
        reached, self._reached = self._reached, set()
        return reached

    # Requests

    def receive(self, session: Session, data: bytes) -> Waiting | None:
        """A request, which is one message.

        Its answers are in `session.answers` then, unless it returns something that has to be
        waited for: then nothing has been done, and the same is to be given again after that.
        """
        try:
            return self._receive(session, data)
        except NetlinkError as error:
            self._refuse(session, data, error)
        except HotswitchError as error:
            self._refuse(session, data, declared(error))
        return None

    def receive_some(
        self, session: Session, requests: Sequence[bytes]
    ) -> tuple[int, Waiting | None]:
        """The first of these requests: how many, and what has to be waited for before the next.

        Flows that are asked for one behind another are changed all at once, and answered as if it
        had been one by one. After a request for a listing it ends.
        """
        plans = self._planned(session, requests) if len(requests) > 1 else []
        if len(plans) > 1:
            try:
                waiting = self._change_flows(plans)
                return (0, waiting) if waiting is not None else (len(plans), None)
            except HotswitchError as error:
                _log.debug("netlink: not all at once, then one by one: %s", error)
        waiting = self.receive(session, requests[0])
        return (0, waiting) if waiting is not None else (1, None)

    def split(self, session: Session, datagram: bytes) -> list[bytes]:
        """The messages in a datagram. What is none is refused, with what is behind it."""
        messages: list[bytes] = []
        try:
            return split(datagram)
        except NetlinkError as error:
            self._refuse(session, datagram, error)
        return messages

    def more(self, session: Session) -> None:
        """Put the next part of the listing that goes on into `session.answers`."""
        listing = session.dump
        assert listing is not None
        try:
            data, last = listing.part(self._codec.encode)
        except HotswitchError as error:
            data, last = self._broken_off(listing.request, declared(error)), True
        if last:
            session.dump = None
        session.answers.append(data)

    def _receive(self, session: Session, data: bytes) -> Waiting | None:
        message = self._codec.decode(data)
        if not isinstance(message, Message):
            raise NetlinkError("this is not a request", errno=errno.EOPNOTSUPP)
        request = Request(_from(message, session.port), session, data)
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
            self._list(request)
            return None
        if command.flags & DUMP and "cursor" in request.attributes:
            session.answers.append(self._part(request))
            return None
        changes = command.flags & NAMESPACE_ADMINISTRATOR
        identity = request.attributes.get("transaction") if changes else None
        if identity is not None:
            stored = self._transactions.find(identity, request.data)
            if stored is not None:
                session.answers += addressed(stored, message.sequence, session.port)
                return None
        return self._carry_out(request, identity)

    def _carry_out(self, request: Request, identity: bytes | None) -> Waiting | None:
        message = request.message
        plans = self._flows.plans if message.family is FLOW else {}
        plan = plans.get(message.command)
        try:
            if plan is not None:
                return self._change_flow(request, plan(request), identity)
            handler = self._handlers_of(message).one.get(message.command)
            if handler is None:
                raise _unsupported(message)
            outcome = handler(request)
        except HotswitchError as error:
            if identity is not None:
                refused = with_offset(declared(error), message.family, request.data)
                self._keep_refusal(request, identity, refused)
            raise
        if not isinstance(outcome, Outcome):
            return outcome
        self._finish(request, outcome, identity)
        return None

    def _planned(self, session: Session, requests: Sequence[bytes]) -> list[Planned]:
        """Plans for the first of these requests, as many as are about different flows of one
        datapath; none that would be refused, or that has an answer already."""
        found: list[Planned] = []
        taken: set[object] = set()
        for data in requests:
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
        if data[HEADER_SIZE:_BEHIND_GENERIC] == _NEW_FLOW and not header.flags & ECHO:
            planned = self._plan_known(session, data, header)
            if planned is not None:
                return planned
        message = self._codec.decode(data)
        assert isinstance(message, Message)
        plan = self._flows.plans.get(message.command)
        if plan is None:
            return None
        request = Request(_from(message, session.port), session, data)
        check_request(message)
        identity = request.attributes.get("transaction")
        if identity is not None and self._transactions.find(identity, data) is not None:
            return None
        return Planned(request, plan(request), identity)

    def _plan_known(self, session: Session, data: bytes, header: Header) -> Planned | None:
        """The plan for a flow of a known form, which is as good as the one of a decoded message."""
        (number,) = _datapath_number.unpack_from(data, _BEHIND_GENERIC)
        own = self._room.datapaths.get(number)
        if own is None or not header.flags & REQUEST:
            return None
        plan = self._flows.plan_known(own, data)
        if plan is None:
            return None
        message = Message(FLOW, "new", NONE, number, header.flags, header.sequence, session.port)
        return Planned(Request(message, session, data), plan, None)

    def _change_flow(self, request: Request, plan: Plan, identity: bytes | None) -> Waiting | None:
        return self._change_flows([Planned(request, plan, identity)])

    def _change_flows(self, plans: Sequence[Planned]) -> Waiting | None:
        """Carry plans out, all or none. Raises NetlinkError."""
        own = plans[0].plan.own
        changes = [change for each in plans for change in each.plan.changes]
        if not all(each.plan.familiar for each in plans):
            waiting = self._flows.prepare(own, changes)
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
        last = self._flows.change(own, changes)
        after: list[Record] = []
        told = []
        for each, answered in zip(plans, foreseen, strict=True):
            outcome = each.plan.done(last)
            if answered is None or answered.gone:  # the last statistics are known only now
                answers, records = self._conclude(each.request, outcome, each.identity)
                after += records
            else:
                self._transactions.keep(unconditional(answered))
                answers = answered.answers
            told.append((each.request, outcome, answers))
        self._room.keep(*after)
        for each_told in told:
            self._tell(*each_told)
        return None

    def _foreseen(self, planned: Planned) -> Answered | None:
        """The answer to a transaction, if it is known before the change."""
        plan, request = planned.plan, planned.request
        if planned.identity is None or plan.foreseen is None or plan.flow is None:
            return None
        answers = tuple(self._answers(request, plan.foreseen))
        flow = plan.own.name, plan.flow.cookie
        gone = isinstance(plan.changes[-1], DeleteEntry)
        return Answered(planned.identity, digest(request.data), answers, flow, gone)

    def _finish(self, request: Request, outcome: Outcome, identity: bytes | None) -> None:
        answers, records = self._conclude(request, outcome, identity)
        self._room.keep(*records)
        self._tell(request, outcome, answers)

    def _conclude(
        self, request: Request, outcome: Outcome, identity: bytes | None
    ) -> tuple[tuple[bytes, ...], tuple[Record, ...]]:
        """The answers, and what is to be kept."""
        answers = tuple(self._answers(request, outcome))
        if identity is None:
            return answers, outcome.records
        answered = Answered(identity, digest(request.data), answers)
        self._transactions.keep(answered)
        return answers, (*outcome.records, answered)

    def _tell(self, request: Request, outcome: Outcome, answers: Sequence[bytes]) -> None:
        request.session.answers += answers
        self._reached.update(outcome.reached)
        if outcome.event and outcome.attributes is not None:
            echoed = request.message.flags & ECHO
            self._announce(request, outcome, request.session if echoed else None)

    def _answers(self, request: Request, outcome: Outcome) -> Iterator[bytes]:
        flags = request.message.flags
        if outcome.attributes is not None and (not outcome.event or flags & ECHO):
            yield self._codec.encode(_answer(request, outcome))
        if flags & ACK:
            yield self._codec.encode(accept(request.data, port=request.session.port))

    def _handlers_of(self, message: Message) -> Handlers:
        handlers = self._handlers.get(message.family.name)
        if handlers is None:
            raise _unsupported(message)
        return handlers

    def _refuse(self, session: Session, data: bytes, error: NetlinkError) -> None:
        _log.debug("netlink: %d is refused: %s", session.port, error)
        session.answers.append(self._refusal(session, data, error))

    def _refusal(self, session: Session, data: bytes, error: NetlinkError) -> bytes:
        return self._codec.encode(
            refuse(data, error, port=session.port, extended=session.extended, capped=session.capped)
        )

    def _keep_refusal(self, request: Request, identity: bytes, error: NetlinkError) -> None:
        """A refusal is an answer too; but what could not be done may be possible later."""
        if error.errno in _PASSING:
            return
        answers = (self._refusal(request.session, request.data, error),)
        answered = Answered(identity, digest(request.data), answers)
        self._transactions.keep(answered)
        self._room.keep(answered)

    # Listings

    def _list(self, request: Request) -> None:
        session = request.session
        try:
            session.dump = self._listing(request)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            session.answers.append(self._broken_off(request.message, error))
            return
        self.more(session)

    def _part(self, request: Request) -> bytes:
        listing = self._listing(request)
        given = request.attributes["cursor"]
        if given:
            listing.cursor = Cursor.decode(given)
        limit = request.attributes.get("limit", _DATAGRAM)
        return listing.whole_part(self._codec.encode, min(limit, _DATAGRAM))

    def _listing(self, request: Request) -> Listing:
        lister = self._handlers_of(request.message).dumps.get(request.message.command)
        if lister is None:
            raise _unsupported(request.message)
        table = lister(request)
        return Listing(request.message, table, Cursor(table.generation, 0))

    def _broken_off(self, request: Message, error: NetlinkError) -> bytes:
        done = Done(error.errno, flags=_MULTI, sequence=request.sequence, port=request.port)
        return self._codec.encode(done)

    # Events

    def links_changed(self) -> None:
        """Something happened to devices. Raises HotswitchError."""
        self._vports.links_changed()

    def upcalls(self, own: OwnDatapath) -> None:
        """Packets have come to user space from a datapath."""
        self._reached |= self._packets.hand_on(own)

    @property
    def datapaths(self) -> Mapping[int, OwnDatapath]:
        """All of them by number."""
        return self._room.datapaths

    def records(self) -> Iterator[Record]:
        """All that there is to know after a restart."""
        yield from self._room.records()
        yield from self._transactions

    def _announce_vport(self, command: str, attributes: Attributes, datapath: int) -> None:
        message = Message(VPORT, command, attributes, datapath)
        self._multicast(message, None)

    def _announce(self, request: Request, outcome: Outcome, but: Session | None) -> None:
        group = self._groups[request.message.family.groups[0]]
        if any(group in each.groups for each in self._sockets.by_port.values() if each is not but):
            self._multicast(_answer(request, outcome), but)

    def _multicast(self, message: Message, but: Session | None) -> None:
        group = self._groups[message.family.groups[0]]
        data = self._codec.encode(message)
        for session in self._sockets.by_port.values():
            if group in session.groups and session is not but:
                session.announce(data, self._lost)
                self._reached.add(session)


_NEW_FLOW = bytes((FLOW.by_name["new"].number, FLOW.version, 0, 0))
_BEHIND_GENERIC = HEADER_SIZE + 4
_datapath_number = struct.Struct("=i")
_MULTI = 2
_DATAGRAM = 128 << 10
"""Bytes of a datagram, at most: what a Unix socket takes with its usual buffer."""
_PASSING = frozenset({errno.ENOMEM, errno.ENOSPC, errno.EAGAIN, errno.EBUSY, errno.EMFILE})


def _numbers_of_groups(codec: Codec) -> dict[str, int]:
    names = [
        name
        for family in codec.families.values()
        if family is not CONTROLLER
        for name in family.groups
    ]
    numbers = {name: NOTIFY + 1 + place for place, name in enumerate(names)}
    return {CONTROLLER.groups[0]: NOTIFY, **numbers}


def _from(message: Message, port: int) -> Message:
    """The message as if its sender had written its port id correctly."""
    return Message(
        message.family,
        message.command,
        message.attributes,
        message.datapath,
        message.flags,
        message.sequence,
        port,
    )


def _answer(request: Request, outcome: Outcome) -> Message:
    message = request.message
    attributes = outcome.attributes
    assert attributes is not None
    return Message(
        message.family,
        outcome.command or message.command,
        attributes() if callable(attributes) else attributes,
        outcome.datapath,
        0,
        message.sequence,
        message.port,
    )


def _unsupported(message: Message) -> NetlinkError:
    return NetlinkError(
        f"{message.family.name}: {message.command} is not supported", errno=errno.EOPNOTSUPP
    )
