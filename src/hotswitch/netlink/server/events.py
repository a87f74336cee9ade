"""Multicast groups: who is told what without having asked."""

from __future__ import annotations

from collections.abc import Iterable

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.families.controller import CONTROLLER
from hotswitch.netlink.families.vport import VPORT
from hotswitch.netlink.family import Family
from hotswitch.netlink.flags import ECHO
from hotswitch.netlink.message import Message
from hotswitch.netlink.server.answers import answer
from hotswitch.netlink.server.controller import NOTIFY
from hotswitch.netlink.server.request import Outcome, Request
from hotswitch.netlink.server.session import Session
from hotswitch.netlink.server.sockets import Sockets


class Events:
    """Tells sockets. groups: their numbers by name."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.groups = _numbers_of_groups(codec)
        self.sockets = Sockets(self.groups.values())
        self._reached: set[Session] = set()

    def reached(self) -> set[Session]:
        """The sockets that have got events or packets since the last call."""
        reached, self._reached = self._reached, set()
        return reached

    def reach(self, sessions: Iterable[Session]) -> None:
        """These have got something too."""
        self._reached.update(sessions)

    def are_heard(self, family: Family) -> bool:
        """Whether anybody hears what happens to a family."""
        group = self.groups[family.groups[0]]
        return any(group in each.groups for each in self._sessions)

    def tell(self, request: Request, outcome: Outcome) -> None:
        """Tell the others of what was carried out, and who has asked unless it has an echo."""
        self._reached.update(outcome.reached)
        if not outcome.event or outcome.attributes is None:
            return
        but = request.session if request.message.flags & ECHO else None
        group = self.groups[request.message.family.groups[0]]
        if any(group in each.groups for each in self._sessions if each is not but):
            self._multicast(answer(request, outcome), but)

    def announce_vport(self, command: str, attributes: Attributes, datapath: int) -> None:
        """Tell all of what nobody has asked for."""
        self._multicast(Message(VPORT, command, attributes, datapath), None)

    def _multicast(self, message: Message, but: Session | None) -> None:
        group = self.groups[message.family.groups[0]]
        data = self._codec.encode(message)
        for session in self._sessions:
            if group in session.groups and session is not but:
                session.announce(data)
                self._reached.add(session)

    @property
    def _sessions(self) -> Iterable[Session]:
        return self.sockets.by_port.values()


def _numbers_of_groups(codec: Codec) -> dict[str, int]:
    names = [
        name
        for family in codec.families.values()
        if family is not CONTROLLER
        for name in family.groups
    ]
    numbers = {name: NOTIFY + 1 + place for place, name in enumerate(names)}
    return {CONTROLLER.groups[0]: NOTIFY, **numbers}
