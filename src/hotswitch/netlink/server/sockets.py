"""`hs_socket`: port ids, memberships, options."""

from __future__ import annotations

import errno
from collections.abc import Collection

from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.flags import ECHO
from hotswitch.netlink.server.request import Handlers, Outcome, Request
from hotswitch.netlink.server.session import Session

_HIGHEST = (1 << 32) - 4096
"""Port ids that are nobody's process id count down from here, as in the kernel (af_netlink.c)."""


class Sockets:
    """The sessions by port id."""

    def __init__(self, groups: Collection[int]) -> None:
        self.by_port: dict[int, Session] = {}
        self._groups = groups
        self._next = _HIGHEST
        self.handlers = Handlers(
            {
                "bind": self._bind,
                "join": self._join,
                "leave": self._leave,
                "option": self._option,
                "signal": self._signal,
            },
            {},
        )

    def open(self, wanted: int = 0) -> Session:
        """A new session; its port id is the wanted one, if that is free."""
        session = Session(wanted if wanted and wanted not in self.by_port else self._free())
        self.by_port[session.port] = session
        return session

    def close(self, session: Session) -> None:
        """Forget it."""
        if self.by_port.get(session.port) is session:
            del self.by_port[session.port]

    def _free(self) -> int:
        while self._next in self.by_port:
            self._next = self._next - 1 if self._next > 1 << 31 else _HIGHEST
        return self._next

    def _bind(self, request: Request) -> Outcome:
        session, port = request.session, request.attributes.get("port", 0)
        if port and port != session.port:
            if port in self.by_port:
                raise NetlinkError(
                    "another socket has this port id", errno=errno.EADDRINUSE, path=("port",)
                )
            self.close(session)
            session.port = port
            self.by_port[port] = session
        return _said(session)

    def _join(self, request: Request) -> Outcome:
        request.session.groups.add(self._group(request))
        return _echoed(request)

    def _leave(self, request: Request) -> Outcome:
        request.session.groups.discard(self._group(request))
        return _echoed(request)

    def _option(self, request: Request) -> Outcome:
        request.session.extended = "extended" in request.attributes
        request.session.capped = "capped" in request.attributes
        request.session.together = "together" in request.attributes
        return _echoed(request)

    def _signal(self, request: Request) -> Outcome:
        """The descriptor has come beside the bytes; there is nothing more to do."""
        if not request.session.signalled:
            raise NetlinkError("no pipe's end came with it (SCM_RIGHTS)")
        return _said(request.session)

    def _group(self, request: Request) -> int:
        group: int = request.attributes["group"]
        if group not in self._groups:
            raise NetlinkError("there is no such group", errno=errno.ENOENT, path=("group",))
        return group


def _said(session: Session) -> Outcome:
    return Outcome(Attributes(port=session.port))


def _echoed(request: Request) -> Outcome:
    return _said(request.session) if request.message.flags & ECHO else Outcome()
