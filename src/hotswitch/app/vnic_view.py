"""The vNICs that there are, of all types, with their devices as they are now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from hotswitch.app.control.method import RequestError
from hotswitch.app.host_links import HostLinks, read_id
from hotswitch.app.service import Service
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link
from hotswitch.ports.vnics import KIND, Macvlan
from hotswitch.ports.vnics_macvlan import Macvlans, inside, life_of
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.status import PortState, PortStatus

KINDS = {"veth": PortKind.INTERNAL, "tap": PortKind.TAP}
"""Of ports, by the vNIC's type."""

_TYPES = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Vnic:
    """One vNIC.

    name: that it was made with. over: a bridge, or a link. namespace: its device's; empty: the
    daemon's. of: the bridge whose port it is, or the macvlan that it is. link: its device where it
    can be seen, with incarnation and id.
    """

    name: str
    type: str
    over: str
    namespace: str
    of: DesiredBridge | Macvlan
    link: Link | None
    error: str

    @property
    def known_as(self) -> str:
        """The name that it has now."""
        return self.link.name if self.link else self.name


class VnicView:
    """Looks for vNICs. All methods raise HotswitchError."""

    def __init__(self, service: Service, host: HostLinks, macvlans: Macvlans) -> None:
        self._service = service
        self._host = host
        self._macvlans = macvlans

    def all(self) -> list[Vnic]:
        """All of them, those of one bridge or link together."""
        self._macvlans.forget_gone()
        return [*self._of_bridges(), *map(self._of_link, self._macvlans.vnics)]

    def find(self, given: str) -> Vnic:
        """The one that is called so now, or was when it was made, or whose device has this id."""
        link_id = read_id(given)
        vnics = self.all()
        ways: tuple[Callable[[Vnic], bool], ...] = (
            lambda each: each.known_as == given,
            lambda each: each.name == given,
            lambda each: bool(link_id and each.link and each.link.id == link_id),
        )
        for fits in ways:
            found = [each for each in vnics if fits(each)]
            if len(found) > 1:
                raise RequestError(f"several vNICs are called {given}", remedy="give a link's id")
            if found:
                return found[0]
        raise RequestError(f"there is no vNIC {given}", remedy="see `hotswitch vnic list`")

    def _of_bridges(self) -> Iterator[Vnic]:
        statuses = self._service.switch.statuses()
        for bridge in self._service.bridges():
            ports = statuses[bridge.name].ports
            for name in sorted(bridge.ports, key=lambda name: (len(name), name)):
                port = bridge.ports[name]
                if port.kind in _TYPES and name != bridge.name:
                    yield self._of_port(bridge, port, ports.get(name))

    def _of_port(self, bridge: DesiredBridge, port: DesiredPort, status: PortStatus | None) -> Vnic:
        link = status.device if status else None
        if status and port.namespace and link is None:
            inner = self._host.kernel.look().by_index.get(status.ifindex)
            link = self._other_end(inner, port.namespace) if inner else None
        error = status.error if status and status.state is PortState.ERROR else ""
        if link is None and port.namespace:
            error = error or _unseen(port.namespace)
        kind, of = _TYPES[port.kind], bridge
        return Vnic(port.name, kind, bridge.name, port.namespace, of, link, error)

    def _other_end(self, inner: Link, namespace: str) -> Link | None:
        """A pair's end in another namespace, if it still is there.

        If no way leads in any more, the namespace's id does, but its life can't be told.
        """
        try:
            with inside(namespace):
                link = get_link(inner.peer)
                if link and link.kind == "veth" and link.peer == inner.index:
                    return self._host.identified(replace(link, incarnation=life_of(link)))
        except KernelError:
            with suppress(KernelError):
                if inner.peer_namespace >= 0:
                    return get_link(inner.peer, namespace=inner.peer_namespace)
        return None

    def _of_link(self, vnic: Macvlan) -> Vnic:
        found = None
        with suppress(KernelError):
            found = self._macvlans.find(vnic)
        link = self._host.identified(found) if found else None
        base = self._host.kernel.look().by_index.get(link.peer) if link else None
        over = base.name if base else vnic.over
        error = self._macvlans.error_of(vnic)
        if link is None and not error:
            error = _unseen(vnic.namespace) if vnic.namespace else self._lacks(vnic.over)
        return Vnic(vnic.name, KIND, over, vnic.namespace, vnic, link, error)

    def _lacks(self, over: str) -> str:
        return "" if over in self._host.kernel.look().by_name else f"there is no link {over}"


def _unseen(namespace: str) -> str:
    """Why the device in that namespace is not seen: the way there may be closed, though it lives on
    (/proc/PID/ns/net ends with the process), or it has been taken away."""
    try:
        with inside(namespace):
            return "its device is not in that namespace any more"
    except KernelError as error:
        return f"its device can't be seen from here: {error}"
