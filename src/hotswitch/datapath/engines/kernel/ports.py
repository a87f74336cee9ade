"""Ports: which link has which number, what the link can do, and which hooks it is attached to."""

from __future__ import annotations

import mmap

from hotswitch.compiler.targets.bpf import layout as memory
from hotswitch.compiler.targets.bpf.hook import SKB, XDP
from hotswitch.datapath.engines.kernel.attachments import Attachments
from hotswitch.datapath.engines.kernel.store import MapStore
from hotswitch.kernel import map_batches
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link, get_link, list_links
from hotswitch.kernel.maps import Map
from hotswitch.kernel.xdp_features import XdpFeature, all_xdp_features, xdp_features
from hotswitch.model.port import Hook, Port


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
        """Take over the ports of an earlier life; a link that has gone leaves ifindex 0."""
        found = self._attachments.restore({port.number: port.ifindex for port in ports})
        for port in ports:
            now = Port(port.number, port.name, found[port.number], port.hook)
            self.known[port.number] = now
            if self.wants_xdp(now):
                self.hooks.add(XDP.name)
            elif self._attachments.has(port.number, XDP):
                self._attachments.put(port.number, XDP, 0)
        self._clear_others()
        return tuple(self.known.values())

    def _clear_others(self) -> None:
        """No link and no index but those of known ports: the earlier life may have ended while it
        changed them."""
        linked = {port.number: port.ifindex for port in self.known.values() if port.ifindex}
        for number in range(len(self._links) // memory.LINK.size):
            if number not in linked:
                self._write(number, 0, 0)
        map_ = self._store.get(memory.PORTS)
        for key, value in list(map_batches.items(map_)):
            ifindex, number = int.from_bytes(key, "little"), int.from_bytes(value, "little")
            if linked.get(number) != ifindex:
                map_.delete(key)
        for port in self.known.values():
            if port.ifindex:
                self._link(port)

    @staticmethod
    def wants_xdp(port: Port) -> bool:
        """Whether the port's frames are to be taken by XDP."""
        return port.hook is Hook.XDP and port.ifindex != 0

    def put(self, port: Port) -> None:
        """Add a port, or change its link or hook. Raises KernelError."""
        before = self.known.get(port.number)
        if before and before.ifindex != port.ifindex:
            self._unlink(before)
        if port.ifindex:
            self._link(port)
        try:
            self._attachments.put(port.number, SKB, port.ifindex)
            self._attachments.put(port.number, XDP, port.ifindex if self.wants_xdp(port) else 0)
        except KernelError:
            self._unlink(port)
            self._attachments.delete(port.number)
            if before:
                self.known[port.number] = Port(port.number, before.name, 0, before.hook)
            raise
        self.known[port.number] = port

    def delete(self, number: int) -> None:
        """Detach a port and forget it. Raises KernelError."""
        port = self.known.pop(number)
        self._attachments.delete(number)
        self._unlink(port)

    def close(self) -> None:
        """Let go; all stays attached."""
        self._attachments.close()

    def use_links(self, old: Map, new: Map) -> None:
        """Go on in a larger map."""
        size = min(old.max_entries, new.max_entries) * memory.LINK.size
        before, self._links = self._links, new.mmap()
        self._links[:size] = before[:size]

    def refresh(self) -> None:
        """Look again at what the links can do."""
        links = {link.index: link for link in list_links()}
        features = all_xdp_features()
        for port in self.known.values():
            link = links.get(port.ifindex)
            if link is not None:
                flags = _abilities(port, link, features.get(port.ifindex))
                self._write(port.number, port.ifindex, flags)

    def _link(self, port: Port) -> None:
        link = get_link(port.ifindex)
        flags = _abilities(port, link, xdp_features(port.ifindex)) if link else 0
        self._write(port.number, port.ifindex, flags)
        key, value = port.ifindex.to_bytes(4, "little"), port.number.to_bytes(4, "little")
        self._store.get(memory.PORTS).update(key, value)
        self._hints[_hint_at(port.ifindex)] = memory.PORT_HINT.pack(port.ifindex, port.number)

    def _unlink(self, port: Port) -> None:
        self._write(port.number, 0, 0)
        if not port.ifindex:
            return
        ports = self._store.get(memory.PORTS)
        key = port.ifindex.to_bytes(4, "little")
        # The kernel may have given the index to another port's link since.
        if ports.lookup(key) == port.number.to_bytes(4, "little"):
            ports.delete(key)
        at = _hint_at(port.ifindex)
        if self._hints[at] == memory.PORT_HINT.pack(port.ifindex, port.number):
            self._hints[at] = bytes(memory.PORT_HINT.size)

    def _write(self, number: int, ifindex: int, flags: int) -> None:
        at = number * memory.LINK.size
        self._links[at : at + memory.LINK.size] = memory.LINK.pack(ifindex, flags)


def _hint_at(ifindex: int) -> slice:
    """Where the link's hint is, or that of another link."""
    at = ifindex % memory.PORT_HINTS_LENGTH * memory.PORT_HINT.size
    return slice(at, at + memory.PORT_HINT.size)


def _abilities(port: Port, link: Link, features: XdpFeature | None) -> int:
    """What a port's link takes."""
    flags = 0
    # Another namespace: the kernel hands packets straight over only there.
    if port.hook is Hook.AUTO and link.kind == "veth" and link.peer_namespace >= 0:
        flags |= memory.LINK_PEER
    if features is not None and features & XdpFeature.TRANSMIT_REDIRECTED:
        flags |= memory.LINK_XDP
    return flags
