"""`ovs_packet`: packets to user space, and from there to be carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import PutEntry
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.engines.reference import Outcome as Done
from hotswitch.datapath.engines.reference import ReferenceEngine
from hotswitch.headers.parse import MINIMUM_FRAME
from hotswitch.model.action import Actions, Recirculate, SetField, walk
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.model.match import Match
from hotswitch.model.port import Upcall
from hotswitch.netlink import ports, tunnel_keys
from hotswitch.netlink.actions import actions_of
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError, declared
from hotswitch.netlink.families.datapath import PER_CPU, UNALIGNED
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import LOCAL
from hotswitch.netlink.flows import beside_of
from hotswitch.netlink.known import known_in_frame, known_in_match
from hotswitch.netlink.known_frames import FrameKeys
from hotswitch.netlink.message import Message
from hotswitch.netlink.nested import Encoded
from hotswitch.netlink.server.describe import said
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.misses import Misses
from hotswitch.netlink.server.own_datapath import OwnDatapath, check_tunnel_ports
from hotswitch.netlink.server.request import Handlers, Outcome, Request
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.session import Session

_LONGEST = 0xFFFF - 4
"""Bytes of a frame that fit into an attribute; of longer ones (GSO) that many are told."""

_FIRST = 0xFFFF
_EXECUTED = (1 << 64) - 1
"""The priority and the cookie of an entry with actions to execute; no flow has them."""
_MARK = "reg15"
_MARKED = Match.of({_MARK: 1})
_UNMARK = SetField(_MARK, 0)
"""It is only for a packet that comes in, not for one that is looked up again."""


class PacketFamily:
    """Carries packets out, and hands those on that came to user space."""

    def __init__(
        self, room: Room, codec: Codec, clock: Clock, sessions: Mapping[int, Session]
    ) -> None:
        self._room = room
        self._codec = codec
        self._clock = clock
        self._sessions = sessions
        self._frames = FrameKeys(room.registry)
        self._misses = Misses(codec)
        self.handlers = Handlers({"execute": self._execute}, {})

    def hand_on(self, own: OwnDatapath) -> set[Session]:
        """Give packets that came to user space to who asked for them; who has got any."""
        reached: set[Session] = set()
        for upcall in own.datapath.upcalls():
            self._hand_on(own, upcall, self._asked_by(own, upcall), reached)
        return reached | self._tell_overrun(own)

    def _tell_overrun(self, own: OwnDatapath) -> set[Session]:
        """Tell of packets that had no room on their way here: whose they were is not known, so
        all are told to whom they may have been going."""
        lost = own.datapath.counters().lost
        if lost == own.lost_below:
            return set()
        own.lost_below = lost
        own.readers &= self._sessions.keys()
        told = {self._sessions[pid] for pid in own.readers | own.named() & self._sessions.keys()}
        for session in told:
            session.overrun()
        return told

    def _asked_by(self, own: OwnDatapath, upcall: Upcall) -> Attributes | None:
        """The userspace action; nothing for a miss."""
        if not upcall.cookie:
            return None
        flow = own.flows.by_cookie(upcall.cookie)
        if flow is None:
            return Attributes(pid=0)  # it has gone meanwhile
        upcalls = self._upcalls(flow)
        place = upcall.reason - 1
        return upcalls[place] if place < len(upcalls) else Attributes(pid=0)

    def _upcalls(self, flow: Flow) -> tuple[Attributes, ...]:
        if flow.upcalls is None:
            registry = self._room.registry
            _, actions = said(self._codec, flow)
            known = known_in_match(registry, flow.key.match)
            flow.upcalls = actions_of(registry, actions, known).upcalls
        return flow.upcalls

    def _hand_on(
        self,
        own: OwnDatapath,
        upcall: Upcall,
        action: Attributes | None,
        reached: set[Session],
        actions: Attributes | None = None,
    ) -> None:
        if len(upcall.frame) > _LONGEST:
            upcall = replace(upcall, frame=upcall.frame[:_LONGEST])
        key, number = self._frames.of(upcall)
        session = self._sessions.get(self._pid(own, upcall, action, number))
        if session is None:
            own.lost += 1
            return
        own.readers.add(session.port)
        if action is None and upcall.length <= len(upcall.frame):
            data = self._misses.encode(own.number, key, number, upcall.frame, own.features)
        else:
            data = self._encode(own, upcall, key, number, action, actions)
        if session.deliver(data):
            reached.add(session)
        else:
            own.lost += 1

    def _encode(
        self,
        own: OwnDatapath,
        upcall: Upcall,
        key: Encoded,
        number: int,
        action: Attributes | None,
        actions: Attributes | None,
    ) -> bytes:
        pairs: list[tuple[Name, Any]] = [("key", key)]
        if action is not None and "userdata" in action:
            pairs.append(("userdata", action["userdata"]))
        if (outer := _egress_key(own, upcall, action)) is not None:
            pairs.append(("egress_tunnel_key", outer))
        if action is not None and "actions" in action and actions is not None:
            pairs.append(("actions", actions))
        if upcall.length > len(upcall.frame):
            pairs.append(("length", upcall.length))
        pairs += [("hash", number), ("packet", upcall.frame)]
        message = Message(
            PACKET,
            "miss" if action is None else "action",
            Attributes(pairs),
            own.number,
            padded=not own.features & UNALIGNED,
        )
        return self._codec.encode(message)

    def _pid(self, own: OwnDatapath, upcall: Upcall, action: Attributes | None, number: int) -> int:
        if own.features & PER_CPU:
            pids = own.pids
        elif action is not None:
            return int(action["pid"])
        else:
            vport = own.vports.get(ports.from_model(upcall.in_port))
            pids = vport.pids if vport else ()
        return pids[(number & 0xFFFFFFFF) % len(pids)] if pids else 0

    # Execute

    def _execute(self, request: Request) -> Outcome:
        """Carry out actions in user space, as the reference engine does."""
        own, given = self._room.find(request.message.datapath), request.attributes
        frame = given["packet"]
        if len(frame) < MINIMUM_FRAME:
            raise NetlinkError(f"{len(frame)} bytes are no frame", path=("packet",))
        beside = beside_of(self._room.registry, given["key"])
        in_port = beside.pop("in_port")
        if in_port not in own.datapath.ports():
            in_port = ports.to_model(LOCAL)
        known = known_in_frame(self._room.registry, frame, in_port)
        known["tunnel"] = beside.get("tunnel", 0)
        translated = actions_of(self._room.registry, given["actions"], known)
        check_tunnel_ports(own, given["actions"])
        done = self._run(own, in_port, frame, translated.actions, beside)
        for (number, out), fields in zip(done.outputs, done.beside, strict=True):
            self._send(own, number, out, fields)
        reached: set[Session] = set()
        for copy in done.copies:
            if copy.cookie == _EXECUTED:
                action = translated.upcalls[copy.reason - 1]
                self._hand_on(own, copy, action, reached, given["actions"])
            else:
                self._hand_on(own, copy, self._asked_by(own, copy), reached)
        return Outcome(reached=tuple(reached))

    def _send(self, own: OwnDatapath, number: int, frame: bytes, beside: Mapping[str, int]) -> None:
        """beside: the fields beside the packet that are not 0."""
        port = own.datapath.ports().get(number)
        vport = own.vports.get(ports.from_model(number))
        if port is None or vport is None or not port.ifindex:
            return
        outside = self._room.outside
        key = tunnel_keys.outer_headers(beside) if vport.tunnel_port else None
        if key is None:
            priority, mark = beside.get("priority", 0), beside.get("skb_mark", 0)
            outside.send(port.ifindex, frame, priority, mark)
        else:
            outside.send_in_tunnel(port.ifindex, frame, key)

    def _run(
        self,
        own: OwnDatapath,
        in_port: int,
        frame: bytes,
        actions: Actions,
        beside: Mapping[str, int],
    ) -> Done:
        engine = ReferenceEngine(self._room.registry, self._clock)
        scratch = EntryDatapath(own.name, self._room.registry, engine)
        engine.put_ports(list(own.datapath.ports().values()))
        entries = [Entry(0, _FIRST, _MARKED, (_UNMARK, *actions), _EXECUTED)]
        entries += looked_up_again(own, actions)
        try:
            scratch.change([PutEntry(entry) for entry in entries])
        except HotswitchError as error:
            raise declared(error) from error
        return engine.process(in_port, frame, beside={**beside, _MARK: 1})


def looked_up_again(own: OwnDatapath, actions: Actions) -> list[Entry]:
    """The entries that packets may come to that these actions have looked up again."""
    wanted, left = set[int](), _ids(actions)
    found: dict[EntryKey, Entry] = {}
    while left - wanted:
        wanted |= left
        for entry in own.datapath.entries().values():
            terms = [term for term in entry.key.match if term.field == "recirc_id"]
            if all(any(number & each.mask == each.value for number in wanted) for each in terms):
                found[entry.key] = entry
                left |= _ids(entry.actions)
    return list(found.values())


def _ids(actions: Actions) -> set[int]:
    return {each.id for each in walk(actions) if isinstance(each, Recirculate)}


def _egress_key(own: OwnDatapath, upcall: Upcall, action: Attributes | None) -> Attributes | None:
    """With what outer headers the packet would leave by the port that the action names."""
    vport = None if action is None else own.vports.get(action.get("egress_port"))
    if vport is None or not vport.tunnel_port:
        return None
    return tunnel_keys.set_key_of(dict(upcall.fields))
