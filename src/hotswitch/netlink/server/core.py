"""The server without input or output: datagrams in, datagrams out.

Rules. Requests of one socket are carried out one after another, and answered in that order:
what a request says, by its own family's message if it asks (or wants an echo), and an
acknowledgement if it wants one or was refused. A listing goes on when its last part has been taken
(`more`). A change is in force and kept before it is answered. Only NetlinkError is told to
clients; any other exception is a bug.

The way of a request: `connection` reads datagrams, `serve` has them split and carried out here;
`dispatch` decodes one and gives it to its family (`*_family`, `flow_changes` for what changes
flows), which acts on the datapath; `exactly_once` keeps what is to be known again, answers and
tells the others (`answers`, `events`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.headers.registry import Registry
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError, declared
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.datapath import DATAPATH
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.socket import SOCKET
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.message import split
from hotswitch.netlink.server.answers import Answers
from hotswitch.netlink.server.controller import Controller
from hotswitch.netlink.server.datapath_family import DatapathFamily
from hotswitch.netlink.server.dispatch import Dispatch
from hotswitch.netlink.server.events import Events
from hotswitch.netlink.server.exactly_once import ExactlyOnce
from hotswitch.netlink.server.flow_answers import FlowAnswers
from hotswitch.netlink.server.flow_burst import MOST, FlowBursts
from hotswitch.netlink.server.flow_changes import FlowChanges
from hotswitch.netlink.server.flow_family import FlowFamily
from hotswitch.netlink.server.known_forms import KnownForms
from hotswitch.netlink.server.listings import Listings
from hotswitch.netlink.server.outside import Memory, Outside
from hotswitch.netlink.server.own_datapath import OwnDatapath
from hotswitch.netlink.server.packet_family import PacketFamily
from hotswitch.netlink.server.records import Record
from hotswitch.netlink.server.request import Handlers, Waiting
from hotswitch.netlink.server.restore import Restorer
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.session import Session
from hotswitch.netlink.server.transactions import Transactions
from hotswitch.netlink.server.vport_family import VportFamily

_log = logging.getLogger(__name__)


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
        codec = Codec()
        # After a restart each listing that goes on has seen another generation.
        room = Room(registry, outside, memory, clock.now())
        self._room = room
        self._transactions = Transactions()
        self._answers = Answers(codec)
        self._events = Events(codec)
        self._sockets = self._events.sockets
        once = ExactlyOnce(room, self._answers, self._events, self._transactions)
        flow_answers = FlowAnswers(registry, codec)
        forms = KnownForms()
        self._flows = FlowChanges(room, codec, flow_answers, once, forms)
        self._bursts = FlowBursts(room, self._events, forms)
        self._vports = VportFamily(room, self._events.announce_vport)
        self._packets = PacketFamily(room, codec, clock, self._sockets.by_port)
        handlers: Mapping[str, Handlers] = {
            CONTROLLER.name: Controller(codec, self._events.groups).handlers,
            DATAPATH.name: DatapathFamily(room).handlers,
            VPORT.name: self._vports.handlers,
            FLOW.name: FlowFamily(room, flow_answers).handlers,
            PACKET.name: self._packets.handlers,
            SOCKET.name: self._sockets.handlers,
        }
        self._listings = Listings(self._answers, handlers)
        self._dispatch = Dispatch(codec, handlers, self._listings, self._flows, once)
        for answered in Restorer(room).restore(known):
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
        return self._events.reached()

    # Requests

    def receive(self, session: Session, data: bytes) -> Waiting | None:
        """A request, which is one message.

        Its answers are in `session.answers` then, unless it returns something that has to be
        waited for: then nothing has been done, and the same is to be given again after that.
        """
        try:
            return self._dispatch.receive(session, data)
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
        try:
            carried_out = self._bursts.carry_out(session, requests)
        except HotswitchError as error:
            _log.debug("netlink: not as a burst: %s", error)
        else:
            if carried_out:
                return carried_out, None
        plans = self._flows.plan_some(session, requests[:MOST]) if len(requests) > 1 else []
        if len(plans) > 1:
            try:
                waiting = self._flows.carry_out(plans)
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
        self._listings.more(session)

    def _refuse(self, session: Session, data: bytes, error: NetlinkError) -> None:
        _log.debug("netlink: %d is refused: %s", session.port, error)
        session.answers.append(self._answers.refusal(session, data, error))

    # Events

    def links_changed(self) -> None:
        """Something happened to devices. Raises HotswitchError."""
        self._vports.links_changed()

    def upcalls(self, own: OwnDatapath) -> None:
        """Packets have come to user space from a datapath."""
        self._events.reach(self._packets.hand_on(own))

    @property
    def datapaths(self) -> Mapping[int, OwnDatapath]:
        """All of them by number."""
        return self._room.datapaths

    def records(self) -> Iterator[Record]:
        """All that there is to know after a restart; it may change meanwhile."""
        yield from self._room.records()
        yield from self._transactions
