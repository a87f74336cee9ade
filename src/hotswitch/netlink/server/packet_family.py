"""`ovs_packet`: packets to user space, and from there to be carried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hotswitch.base.clock import Clock
from hotswitch.headers.parse import MINIMUM_FRAME
from hotswitch.model.port import Upcall
from hotswitch.netlink import ports, tunnel_keys
from hotswitch.netlink.actions import actions_of
from hotswitch.netlink.asides import ByDaemon
from hotswitch.netlink.attributes import Attributes, Name
from hotswitch.netlink.checksums import completed_anyhow
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import PER_CPU, UNALIGNED
from hotswitch.netlink.families.packet import PACKET
from hotswitch.netlink.families.vport import LOCAL
from hotswitch.netlink.flows import beside_of
from hotswitch.netlink.known import known_in_frame, known_in_match
from hotswitch.netlink.known_frames import FrameKeys
from hotswitch.netlink.message import Message
from hotswitch.netlink.nested import Encoded
from hotswitch.netlink.server.carrying import Carrying
from hotswitch.netlink.server.describe import said
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.misses import Misses
from hotswitch.netlink.server.own_datapath import OwnDatapath, check_tunnel_ports
from hotswitch.netlink.server.request import Handlers, Outcome, Request
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.session import Session

_LONGEST = 0xFFFF - 4
"""Bytes of a frame that fit into an attribute; of longer ones (GSO) that many are told."""

MOST_CARRIED_OUT = 64
"""Copies that user space carries actions out with at once; more are lost. That many take some
milliseconds, in which no client is served."""


class PacketFamily:
    """Carries packets out, and hands those on that came to user space."""

    def __init__(
        self, room: Room, codec: Codec, clock: Clock, sessions: Mapping[int, Session]
    ) -> None:
        self._room = room
        self._codec = codec
        self._carrying = Carrying(room, clock)
        self._sessions = sessions
        self._frames = FrameKeys(room.registry)
        self._misses = Misses(codec)
        self.handlers = Handlers({"execute": self._execute}, {})

    def hand_on(self, own: OwnDatapath) -> set[Session]:
        """Give packets that came to user space to who asked for them; who has got any."""
        reached: set[Session] = set()
        left = MOST_CARRIED_OUT
        for upcall in own.datapath.upcalls():
            asked = self._asked_by(own, upcall)
            if not isinstance(asked, ByDaemon):
                self._hand_on(own, upcall, asked, reached)
            elif left and upcall.length <= len(upcall.frame):
                left -= 1
                whole = replace(upcall, frame=completed_anyhow(self._room.registry, upcall.frame))
                self._told(own, self._carrying.go_on(own, whole, asked), reached)
            else:
                own.lost += 1
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

    def _told(
        self,
        own: OwnDatapath,
        copies: Iterable[tuple[Upcall, Attributes | None]],
        reached: set[Session],
        pid: int = 0,
    ) -> None:
        """Hand copies on that carrying actions out has made.

        Each with what asked for it, of the actions that were carried out; None: an entry did.
        pid: who gets them all, 0: who is named.
        """
        for copy, asked in copies:
            by = asked if asked is not None else self._asked_by(own, copy)
            if isinstance(by, ByDaemon):
                own.lost += 1
            else:
                self._hand_on(own, copy, by, reached, pid)

    def _asked_by(self, own: OwnDatapath, upcall: Upcall) -> Attributes | ByDaemon | None:
        """The userspace action, or what is done here; nothing for a miss."""
        if not upcall.cookie:
            return None
        flow = own.flows.by_cookie(upcall.cookie)
        if flow is None:
            return Attributes(pid=0)  # it has gone meanwhile
        upcalls = self._upcalls(flow)
        place = upcall.reason - 1
        return upcalls[place] if place < len(upcalls) else Attributes(pid=0)

    def _upcalls(self, flow: Flow) -> tuple[Attributes | ByDaemon, ...]:
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
        pid: int = 0,
    ) -> None:
        if len(upcall.frame) > _LONGEST:
            upcall = replace(upcall, frame=upcall.frame[:_LONGEST])
        key, number, frame = self._frames.of(upcall)
        session = self._sessions.get(pid or self._pid(own, upcall, action, number))
        if session is None:
            own.lost += 1
            return
        own.readers.add(session.port)
        if action is None and upcall.length <= len(upcall.frame):
            data = self._misses.encode(own.number, key, number, frame, own.features)
        else:
            whole = replace(upcall, frame=frame)
            data = self._encode(own, whole, key, number, action)
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
    ) -> bytes:
        pairs: list[tuple[Name, Any]] = [("key", key)]
        if action is not None and "userdata" in action:
            pairs.append(("userdata", action["userdata"]))
        if (outer := _egress_key(own, upcall, action)) is not None:
            pairs.append(("egress_tunnel_key", outer))
        if action is not None and "actions" in action:
            pairs.append(("actions", action["actions"]))
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
        copies = self._carrying.carry_out(own, in_port, frame, translated, beside)
        reached: set[Session] = set()
        self._told(own, copies, reached, given.get("upcall_pid", 0))
        return Outcome(reached=tuple(reached))


def _egress_key(own: OwnDatapath, upcall: Upcall, action: Attributes | None) -> Attributes | None:
    """With what outer headers the packet would leave by the port that the action names."""
    vport = None if action is None else own.vports.get(action.get("egress_port"))
    if vport is None or not vport.tunnel_port:
        return None
    return tunnel_keys.set_key_of(dict(upcall.fields))
