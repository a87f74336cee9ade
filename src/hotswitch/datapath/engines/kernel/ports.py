"""Ports: which links have which number, what they can do, and which hooks they are attached to."""

from __future__ import annotations

import mmap
from collections.abc import Collection, Set
from dataclasses import replace

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.hook import SKB, XDP
from hotswitch.datapath.engines.kernel.attachments import Attachments, Place, Spot
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import map_batches
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.kernel.maps import Map
from hotswitch.kernel.xdp_features import XdpFeature, all_xdp_features, xdp_features
from hotswitch.model.port import Hook, Port, Side

_FEW = 64
"""So many links are asked for one by one; more, all at once."""


class Ports:
    """The ports of one datapath, in the maps and at the hooks."""

    def __init__(self, store: MapStore, attachments: Attachments) -> None:
        self._store = store
        self._attachments = attachments
        self._links: mmap.mmap = store.get(memory.LINKS).mmap()
        self._hints: mmap.mmap = store.get(memory.PORT_HINTS).mmap()
        self.known: dict[int, Port] = {}
        self.hooks: set[str] = {SKB.name}
        """The hooks that some port has."""

    def restore(self, ports: tuple[Port, ...]) -> tuple[Port, ...]:
        """Take over the ports of an earlier life, with those of their links that live on."""
        attachments = self._attachments
        attachments.restore((port.number, spot) for port in ports for spot in _spots(port))
        for port in ports:
            spots = attachments.at(port.number)
            now = _with_links(port, {each.ifindex for each in spots if each.place is not Place.XDP})
            self.known[port.number] = now
            if self.wants_xdp(now):
                self.hooks.add(XDP.name)
            for spot in spots - _spots(now):
                attachments.detach(port.number, spot)
        self._clear_others()
        return tuple(self.known.values())

    def _clear_others(self) -> None:
        """No link and no index but those of known ports: the earlier life may have ended while it
        changed them."""
        for number in range(len(self._links) // memory.LINK.size):
            if number not in self.known:
                self._write(number, 0, 0)
        owners = {link.ifindex: port.number for port in self.known.values() for link in port.links}
        map_ = self._store.get(memory.PORTS)
        for key, value in list(map_batches.items(map_)):
            ifindex = int.from_bytes(key, "little")
            if owners.get(ifindex) != int.from_bytes(value, "little"):
                self._attachments.sweep(ifindex)
                map_.delete(key)
        for ifindex, number in owners.items():
            self._tie(number, ifindex)
        for port in self.known.values():
            self._aim(port)

    @staticmethod
    def wants_xdp(port: Port) -> bool:
        """Whether the port's frames are to be taken by XDP."""
        return any(spot.place is Place.XDP for spot in _spots(port))

    def put(self, port: Port) -> None:
        """Add a port, or change its links or hook. Raises KernelError.

        Links that stay stay attached, and new ones are attached before frames leave by them, so
        that another one takes over from one frame to the next. What the port has no more is still
        attached, until `tidy`.
        """
        number = port.number
        self._let_go_of_ended(port)
        wanted = _spots(port)
        added = wanted - self._attachments.at(number)
        try:
            for spot in sorted(added):
                self._tie(number, spot.ifindex)
                self._attachments.attach(number, spot)
        except KernelError:
            for spot in added:
                self._leave(number, spot)
            raise
        self._aim(port)
        self.known[number] = port

    def tidy(self, number: int) -> None:
        """Detach a port from links and hooks that it has no more. Raises KernelError.

        Only once the port is noted: a successor takes over what is noted and still attached.
        """
        for spot in self._attachments.at(number) - _spots(self.known[number]):
            self._leave(number, spot)

    def _let_go_of_ended(self, port: Port) -> None:
        """Forget a port's links whose index is another link's now, or that change sides."""
        before = self.known.get(port.number)
        if before is None:
            return
        indexes = {link.ifindex: link.incarnation for link in port.links}
        ended = set()
        for link in before.links:
            ifindex, incarnation = link.ifindex, link.incarnation
            now = indexes.get(ifindex)
            if now is None:
                continue
            is_another = (
                incarnation != now if incarnation and now else not self._holds(before, ifindex)
            )
            if is_another or before.side is not port.side:
                ended.add(ifindex)
                for spot in self._attachments.at(port.number):
                    if spot.ifindex == ifindex:
                        self._leave(port.number, spot, ended=is_another)
        if ended:
            left = {link.ifindex for link in before.links} - ended
            self.known[port.number] = _with_links(before, left)
            self._aim(self.known[port.number])

    def _holds(self, port: Port, ifindex: int) -> bool:
        """Whether all that was attached to a link still is."""
        spots = [spot for spot in self._attachments.at(port.number) if spot.ifindex == ifindex]
        return all(self._attachments.holds(port.number, spot) for spot in spots)

    def delete(self, number: int) -> None:
        """Detach a port and forget it. Raises KernelError."""
        del self.known[number]
        for spot in self._attachments.at(number):
            self._leave(number, spot)
        self._write(number, 0, 0)

    def close(self) -> None:
        """Let go; all stays attached."""
        self._attachments.close()

    def use_links(self, old: Map, new: Map) -> None:
        """Go on in a larger map."""
        size = min(old.max_entries, new.max_entries) * memory.LINK.size
        before, self._links = self._links, new.mmap()
        self._links[:size] = before[:size]

    def refresh(self, which: Collection[int] | None = None) -> None:
        """Look again at what the links, or those of these indexes, can do."""
        if which is not None and len(which) <= _FEW:
            for index in which:
                if (port := self._port_behind(index)) and (link := get_link(index)):
                    self._refresh(port, link, xdp_features(index))
            return
        features = all_xdp_features()
        for link in list_links():
            if (which is None or link.index in which) and (port := self._port_behind(link.index)):
                self._refresh(port, link, features.get(link.index))

    def _port_behind(self, ifindex: int) -> Port | None:
        """The port whose frames leave by this link."""
        value = self._store.get(memory.PORTS).lookup(ifindex.to_bytes(4, "little"))
        port = self.known.get(int.from_bytes(value, "little")) if value else None
        return port if port and port.ifindex == ifindex else None

    def _refresh(self, port: Port, link: Link, features: XdpFeature | None) -> None:
        self._write(port.number, port.ifindex, _abilities(port, link, features))

    def _aim(self, port: Port) -> None:
        """Let the port's frames leave by its link."""
        link = get_link(port.ifindex) if port.ifindex else None
        flags = _abilities(port, link, xdp_features(port.ifindex)) if link else 0
        self._write(port.number, port.ifindex, flags)

    def _tie(self, number: int, ifindex: int) -> None:
        """Let what comes in there come in at the port."""
        key, value = ifindex.to_bytes(4, "little"), number.to_bytes(4, "little")
        self._store.get(memory.PORTS).update(key, value)
        self._hints[_hint_at(ifindex)] = memory.PORT_HINT.pack(ifindex, number)

    def _leave(self, number: int, spot: Spot, *, ended: bool = False) -> None:
        """Detach from a link, if attached, and untie it once nothing is attached there."""
        if spot in self._attachments.at(number):
            self._attachments.detach(number, spot, ended=ended)
        ifindex = spot.ifindex
        if any(each.ifindex == ifindex for each in self._attachments.at(number)):
            return
        ports = self._store.get(memory.PORTS)
        key = ifindex.to_bytes(4, "little")
        # The kernel may have given the index to another port's link since.
        if ports.lookup(key) == number.to_bytes(4, "little"):
            ports.delete(key)
        at = _hint_at(ifindex)
        if self._hints[at] == memory.PORT_HINT.pack(ifindex, number):
            self._hints[at] = bytes(memory.PORT_HINT.size)

    def _write(self, number: int, ifindex: int, flags: int) -> None:
        """Both at once: programs read them as one word."""
        at = number * memory.LINK.size
        self._links[at : at + memory.LINK.size] = memory.LINK.pack(ifindex, flags)


def _spots(port: Port) -> Set[Spot]:
    """Where a port is to be attached."""
    places = [Place.EGRESS] if port.side is Side.HOST else [Place.INGRESS]
    if port.hook is Hook.XDP:
        places.append(Place.XDP)
    return {Spot(place, link.ifindex) for link in port.links for place in places}


def _with_links(port: Port, there: Set[int]) -> Port:
    """The port with those of its links that are there."""
    standby = tuple(link for link in port.standby if link.ifindex in there)
    if port.ifindex in there:
        return replace(port, standby=standby)
    return replace(port, ifindex=0, incarnation=0, standby=standby)


def _hint_at(ifindex: int) -> slice:
    """Where the link's hint is, or that of another link."""
    at = ifindex % memory.PORT_HINTS_LENGTH * memory.PORT_HINT.size
    return slice(at, at + memory.PORT_HINT.size)


def _abilities(port: Port, link: Link, features: XdpFeature | None) -> int:
    """What a port's link takes."""
    if port.side is Side.HOST:
        return memory.LINK_HOST
    flags = 0
    # Another namespace: the kernel hands packets straight over only there.
    if port.hook is Hook.AUTO and link.kind == "veth" and link.peer_namespace >= 0:
        flags |= memory.LINK_PEER
    if features is not None and features & XdpFeature.TRANSMIT_REDIRECTED:
        flags |= memory.LINK_XDP
    return flags
