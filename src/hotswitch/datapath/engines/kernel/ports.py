"""Ports: which links have which number, what they can do, and which hooks they are attached to."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from types import MappingProxyType

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.hook import SKB, XDP
from hotswitch.datapath.engines.kernel.attachments import Attachments
from hotswitch.datapath.engines.kernel.link_rows import Fallback, LinkRows
from hotswitch.datapath.engines.kernel.spots import Place, PortSpot, Spot
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import map_batches
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_state import LinkState, link_states
from hotswitch.kernel.links import Link, get_links
from hotswitch.kernel.maps import Map
from hotswitch.kernel.xdp_features import XdpFeature, xdp_features
from hotswitch.model.port import Hook, Port, Side

_log = logging.getLogger(__name__)
_NONE: Mapping[int, Link] = MappingProxyType({})


class Ports:
    """The ports of one datapath, in the maps and at the hooks."""

    def __init__(self, store: MapStore, attachments: Attachments) -> None:
        self._store = store
        self._attachments = attachments
        self._rows = LinkRows(store.get(memory.LINKS))
        self._hints: mmap.mmap = store.get(memory.PORT_HINTS).mmap()
        self.known: dict[int, Port] = {}
        self.hooks: set[str] = {SKB.name}
        """The hooks that some port has."""

    def restore(self, ports: tuple[Port, ...]) -> tuple[Port, ...]:
        """Take over the ports of an earlier life, with those of their links that live on."""
        attachments = self._attachments
        attachments.restore(PortSpot(port.number, spot) for port in ports for spot in _spots(port))
        for port in ports:
            spots = attachments.at(port.number)
            now = _with_links(port, {each.ifindex for each in spots if each.place is not Place.XDP})
            self.known[port.number] = now
            if self.wants_xdp(now):
                self.hooks.add(XDP.name)
            attachments.detach([PortSpot(port.number, spot) for spot in spots - _spots(now)])
        self._clear_others()
        return tuple(self.known.values())

    def _clear_others(self) -> None:
        """No link and no index but those of known ports: the earlier life may have ended while it
        changed them."""
        for number in range(len(self._rows)):
            if number not in self.known:
                self._rows.write(number, 0, 0)
        owners = {link.ifindex: port.number for port in self.known.values() for link in port.links}
        map_ = self._store.get(memory.PORTS)
        for key, value in list(map_batches.items(map_)):
            ifindex, number = int.from_bytes(key, "little"), int.from_bytes(value, "little")
            if owners.get(ifindex) != number:
                self._attachments.sweep(ifindex)
                self._untie(number, ifindex)
        self._tie(owners)
        self._aim(self.known.values())

    @staticmethod
    def wants_xdp(port: Port) -> bool:
        """Whether the port's frames are to be taken by XDP."""
        return any(spot.place is Place.XDP for spot in _spots(port))

    def put(self, ports: Sequence[Port]) -> Mapping[int, KernelError]:
        """Add ports, or change their links or hooks; those that could not be, and why.

        Links that stay stay attached, and new ones are attached before frames leave by them, so
        that another one takes over from one frame to the next. What a port has no more is still
        attached, until `tidy`. Raises KernelError, with nothing attached, if the kernel can't be
        asked at all.
        """
        for port in ports:
            self._let_go_of_ended(port)
        added = self._missing(ports)
        try:
            self._tie({each.spot.ifindex: each.number for each in added})
            failed = {each.number: error for each, error in self._attachments.attach(added).items()}
        except KernelError:
            self._leave(added)
            raise
        if failed:
            self._leave([each for each in added if each.number in failed])
        done = [port for port in ports if port.number not in failed]
        self._aim(done)
        self.known.update((port.number, port) for port in done)
        return failed

    def tidy(self, numbers: Iterable[int]) -> None:
        """Detach ports from links and hooks that they have no more. Raises KernelError.

        Only once the ports are noted: a successor takes over what is noted and still attached.
        """
        self._leave(
            [
                PortSpot(number, spot)
                for number in numbers
                for spot in self._attachments.at(number) - _spots(self.known[number])
            ]
        )

    def _missing(self, ports: Iterable[Port]) -> list[PortSpot]:
        """Where these ports are to be attached and are not."""
        return [
            PortSpot(port.number, spot)
            for port in ports
            for spot in sorted(_spots(port) - self._attachments.at(port.number))
        ]

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
                spots = [
                    PortSpot(port.number, spot)
                    for spot in self._attachments.at(port.number)
                    if spot.ifindex == ifindex
                ]
                self._leave(spots, ended=is_another)
        if ended:
            left = {link.ifindex for link in before.links} - ended
            self.known[port.number] = _with_links(before, left)
            self._aim([self.known[port.number]])

    def _holds(self, port: Port, ifindex: int) -> bool:
        """Whether all that was attached to a link still is."""
        spots = [spot for spot in self._attachments.at(port.number) if spot.ifindex == ifindex]
        return all(self._attachments.holds(port.number, spot) for spot in spots)

    def delete(self, numbers: Collection[int]) -> None:
        """Detach ports and forget them. Raises KernelError."""
        self._leave(
            [PortSpot(number, spot) for number in numbers for spot in self._attachments.at(number)]
        )
        for number in numbers:
            del self.known[number]
            self._rows.write(number, 0, 0)

    def close(self) -> None:
        """Let go; all stays attached."""
        self._attachments.close()

    def end(self) -> None:
        """Let go for good, once no port is left."""
        self._attachments.end()

    def use_links(self, old: Map, new: Map) -> None:
        """Go on in a larger map."""
        self._rows.use(old, new)

    def refresh(
        self, which: Collection[int] | None = None, known: Mapping[int, Link] | None = None
    ) -> None:
        """Look again at what the links, or those of these indexes, can do.

        known: links by index, as somebody has just seen them.
        Ports that are not attached where they should be are attached again. Raises KernelError.
        """
        ports = list(self.known.values())
        if which is not None:
            behind = [port for index in which if (port := self._port_behind(index))]
            ports = list({port.number: port for port in behind}.values())
        self._attach_again(ports)
        self._aim(ports, known or {})

    def _attach_again(self, ports: Sequence[Port]) -> None:
        self._attachments.forget_lost([port.number for port in ports])
        lost = self._missing(ports)
        failed = self._attachments.attach(lost)
        for each in lost:
            if each not in failed:  # then mostly the device has gone, and its port will follow
                name = self.known[each.number].name
                _log.warning("port %s had come off its device: attached again", name)

    def _port_behind(self, ifindex: int) -> Port | None:
        """The port that has this link."""
        value = self._store.get(memory.PORTS).lookup(ifindex.to_bytes(4, "little"))
        port = self.known.get(int.from_bytes(value, "little")) if value else None
        has_it = port and any(link.ifindex == ifindex for link in port.links)
        return port if has_it else None

    def _aim(self, ports: Iterable[Port], known: Mapping[int, Link] = _NONE) -> None:
        """Let ports' frames leave by their links, as those can take them now."""
        aimed = list(ports)
        states = link_states([port.ifindex for port in aimed if _other(port)])
        moved = [
            port
            for port in aimed
            if (before := self.known.get(port.number)) is None or before.ifindex != port.ifindex
        ]
        # The kernel may keep who asks waiting, and the link is fit for what all links are.
        self._write(moved, {}, {}, states)
        wires = [
            index
            for port in aimed
            for index in (port.ifindex, _other(port))
            if index and port.side is not Side.HOST
        ]
        links = {index: known[index] for index in wires if index in known}
        links.update(get_links([index for index in wires if index not in known]))
        features = xdp_features(wires) if XDP.name in self.hooks else {}  # no other program asks
        self._write(aimed, links, features, states)

    def _write(
        self,
        ports: Iterable[Port],
        links: Mapping[int, Link],
        features: Mapping[int, XdpFeature],
        states: Mapping[int, LinkState],
    ) -> None:
        """Let ports' frames leave by their links, or the next best while those do not work."""
        for port in ports:
            index, other = port.ifindex, _other(port)
            flags = _abilities(port, links.get(index), features.get(index))
            fallback = None
            if other and (state := states.get(index)):
                others = _abilities(port, links.get(other), features.get(other))
                fallback = Fallback(state, other, others)
            self._rows.write(port.number, index, flags, fallback)

    def _tie(self, numbers: Mapping[int, int]) -> None:
        """Let what comes in at these links come in at the ports with these numbers."""
        keys = b"".join([ifindex.to_bytes(4, "little") for ifindex in numbers])
        values = b"".join([number.to_bytes(4, "little") for number in numbers.values()])
        map_batches.update(self._store.get(memory.PORTS), keys, values, len(numbers))
        for ifindex, number in numbers.items():
            self._hints[_hint_at(ifindex)] = memory.PORT_HINT.pack(ifindex, number)

    def _leave(self, leaving: Sequence[PortSpot], *, ended: bool = False) -> None:
        """Detach from links, where attached, and untie those where nothing is attached then."""
        attached = [each for each in leaving if each.spot in self._attachments.at(each.number)]
        self._attachments.detach(attached, ended=ended)
        for number, ifindex in {(each.number, each.spot.ifindex) for each in leaving}:
            if not any(each.ifindex == ifindex for each in self._attachments.at(number)):
                self._untie(number, ifindex)

    def _untie(self, number: int, ifindex: int) -> None:
        """Let nothing come in at a port by a link; the link may be another port's by now."""
        ports, key = self._store.get(memory.PORTS), ifindex.to_bytes(4, "little")
        if ports.lookup(key) == number.to_bytes(4, "little"):
            ports.delete(key)
        at = _hint_at(ifindex)
        if self._hints[at] == memory.PORT_HINT.pack(ifindex, number):
            self._hints[at] = bytes(memory.PORT_HINT.size)


def _spots(port: Port) -> Set[Spot]:
    """Where a port is to be attached."""
    places = [Place.EGRESS] if port.side is Side.HOST else [Place.INGRESS]
    if port.hook is Hook.XDP:
        places.append(Place.XDP)
    return {Spot(place, link.ifindex) for link in port.links for place in places}


def _other(port: Port) -> int:
    """The index of the link that frames leave by while the port's does not work, or 0."""
    return port.standby[0].ifindex if port.ifindex and port.standby else 0


def _with_links(port: Port, there: Set[int]) -> Port:
    """The port with those of its links that are there, and the life of one that has gone."""
    standby = tuple(link for link in port.standby if link.ifindex in there)
    if port.ifindex in there:
        return replace(port, standby=standby)
    return replace(port, ifindex=0, standby=standby)


def _hint_at(ifindex: int) -> slice:
    """Where the link's hint is, or that of another link."""
    at = ifindex % memory.PORT_HINTS_LENGTH * memory.PORT_HINT.size
    return slice(at, at + memory.PORT_HINT.size)


def _abilities(port: Port, link: Link | None, features: XdpFeature | None) -> int:
    """What a port's link takes."""
    if port.side is Side.HOST:
        return memory.LINK_HOST if port.ifindex else 0
    flags = 0
    if link is None:
        return flags
    # Another namespace: the kernel hands packets straight over only there.
    if port.hook is Hook.AUTO and link.kind == "veth" and link.peer_namespace >= 0:
        flags |= memory.LINK_PEER
    if features is not None and features & XdpFeature.TRANSMIT_REDIRECTED:
        flags |= memory.LINK_XDP
    return flags
