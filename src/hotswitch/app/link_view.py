"""Links as commands and files show them, with the ports that they belong to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from hotswitch.app.rows import show_life
from hotswitch.headers.text import MAC
from hotswitch.kernel.links import Link
from hotswitch.switch.desired import PortKind
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.status import BridgeStatus, PortStatus

Place: TypeAlias = tuple[str, PortStatus]
"""A bridge's name and a port of it."""


@dataclass(frozen=True)
class LinkView:
    """The links of one moment. statuses: of all bridges, by name."""

    table: LinkTable
    statuses: Mapping[str, BridgeStatus]

    @cached_property
    def by_id(self) -> Mapping[str, Link]:
        """Those that have a link id, by its text."""
        return {str(link.id): link for link in self.table.by_index.values() if link.id}

    def place(self, link: Link) -> Place | None:
        """The port that the link belongs to; of a pair that was made for one, both ends do."""
        return self._places.get(link.index)

    def row(self, link: Link) -> dict[str, Any]:
        """What is known of a link."""
        master = self.table.by_index.get(link.master)
        bridge, port = self._places.get(link.index, ("", None))
        return {
            "id": link.id or None,
            "name": link.name,
            "alternative_names": link.alternative_names,
            "kind": link.kind,
            "ifindex": link.index,
            "incarnation": show_life(link.incarnation),
            "address": MAC.show(link.address) if link.address else "",
            "permanent_address": MAC.show(link.permanent_address) if link.permanent_address else "",
            "driver": link.driver,
            "bus": link.bus,
            "mtu": link.mtu,
            "up": link.up,
            "carrier": link.carrier,
            "state": link.state.name.lower().replace("_", "-"),
            "master": master.name if master else "",
            **self._tie(link),
            "details": dict(link.details),
            "bridge": bridge,
            "port": port.name if port else "",
            "vif": port.name if port and port.is_vif else "",
            "metadata": _metadata(link, port),
        }

    def _tie(self, link: Link) -> dict[str, Any]:
        """The device that it is tied to, and where that is: a veth's other end, a VLAN's base."""
        is_here = link.peer_namespace < 0
        peer = self.table.by_index.get(link.peer) if is_here else None
        return {
            "peer": peer.name if peer else "",
            "peer_ifindex": link.peer,
            "peer_namespace": None if is_here else link.peer_namespace,
        }

    @cached_property
    def _places(self) -> Mapping[int, Place]:
        return {
            index: (name, port)
            for name, bridge in self.statuses.items()
            for port in bridge.ports.values()
            for index in _indexes(port)
        }


def _indexes(port: PortStatus) -> Iterator[int]:
    yield from (each.link.index for each in port.links if each.link)
    if port.ifindex:
        yield port.ifindex
    if port.device:
        yield port.device.index


def _metadata(link: Link, port: PortStatus | None) -> dict[str, str]:
    if port is None:
        return {}
    if port.kind is PortKind.SYSTEM:
        of_link = (each for each in port.links if each.link and each.link.index == link.index)
        return dict(next((each.metadata for each in of_link), port.metadata))
    return dict(port.metadata)
