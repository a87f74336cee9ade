"""link/list, show, id, name, rename."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from hotswitch.app.control.method import Method, Nothing, RequestError
from hotswitch.app.host_links import HostLinks, read_id
from hotswitch.app.link_references import check_rename, renamed
from hotswitch.app.service import Service
from hotswitch.base.errors import HotswitchError
from hotswitch.headers.text import MAC
from hotswitch.kernel.links import Link
from hotswitch.ports.selector import show_incarnation
from hotswitch.ports.vnics_macvlan import Macvlans
from hotswitch.switch.check import check_name
from hotswitch.switch.desired import PortKind
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.status import PortStatus

Place: TypeAlias = tuple[str, PortStatus]
"""A bridge's name and a port of it."""


class Which(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link by name, alternative name or id."""

    link: str


class ById(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link by id."""

    id: int


class Rename(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link by name, alternative name or id, and the name that it is to have."""

    link: str
    name: str


def methods(service: Service, host: HostLinks, macvlans: Macvlans) -> tuple[Method, ...]:
    """The methods of this noun."""

    def listing(_: Nothing) -> list[dict[str, Any]]:
        table = host.table()
        places = _places(service)
        return [_row(table, table.by_index[index], places) for index in sorted(table.by_index)]

    def show(asked: Which) -> dict[str, Any]:
        link = host.find(asked.link)
        return _row(host.table(), link, _places(service))

    def id_of(asked: Which) -> int:
        link = host.find(asked.link)
        if not link.id:
            raise RequestError(f"{link.name} has no id", remedy="the log says why")
        return link.id

    def name_of(asked: ById) -> str:
        if read_id(str(asked.id)) is None:
            raise RequestError(f"{asked.id} is no link id", remedy="it is a whole number from 1")
        return host.by_id(asked.id).name

    async def rename(asked: Rename) -> None:
        await rename_link(service, host, macvlans, host.find(asked.link), asked.name)

    return (
        Method("link/list", listing),
        Method("link/show", show, Which),
        Method("link/id", id_of, Which),
        Method("link/name", name_of, ById),
        Method("link/rename", rename, Rename),
    )


async def rename_link(
    service: Service, host: HostLinks, macvlans: Macvlans, link: Link, name: str
) -> None:
    """Rename a link and all references to it, or change nothing. Raises HotswitchError."""
    if name == link.name:
        return
    check_name("link", name)
    place = _places(service).get(link.index)
    port = place[1].name if place else ""
    check_rename(link, name, host.table(), service.desired, host.owner, port)
    undo = host.rename(link, name)
    try:
        macvlans.link_renamed(link.name, name)
        await service.rewrite(lambda desired: renamed(desired, link.name, name))
    except HotswitchError:
        undo()
        with suppress(HotswitchError):
            macvlans.link_renamed(name, link.name)
        raise


def _places(service: Service) -> Mapping[int, Place]:
    """By index, the ports that links belong to; of a pair that was made for one, both ends."""
    return {
        index: (name, port)
        for name, bridge in service.switch.statuses().items()
        for port in bridge.ports.values()
        for index in _indexes(port)
    }


def _indexes(port: PortStatus) -> Iterator[int]:
    yield from (each.link.index for each in port.links if each.link)
    if port.ifindex:
        yield port.ifindex
    if port.device:
        yield port.device.index


def _row(table: LinkTable, link: Link, places: Mapping[int, Place]) -> dict[str, Any]:
    master = table.by_index.get(link.master)
    bridge, port = places.get(link.index, ("", None))
    return {
        "id": link.id or None,
        "name": link.name,
        "alternative_names": link.alternative_names,
        "kind": link.kind,
        "ifindex": link.index,
        "incarnation": show_incarnation(link.incarnation) if link.incarnation else "",
        "address": MAC.show(link.address) if link.address else "",
        "permanent_address": MAC.show(link.permanent_address) if link.permanent_address else "",
        "driver": link.driver,
        "bus": link.bus,
        "mtu": link.mtu,
        "up": link.up,
        "carrier": link.carrier,
        "state": link.state.name.lower().replace("_", "-"),
        "master": master.name if master else "",
        "bridge": bridge,
        "port": port.name if port else "",
        "vif": port.name if port and port.is_vif else "",
        "metadata": _metadata(link, port),
    }


def _metadata(link: Link, port: PortStatus | None) -> dict[str, str]:
    if port is None:
        return {}
    if port.kind is PortKind.SYSTEM:
        of_link = (each for each in port.links if each.link and each.link.index == link.index)
        return dict(next((each.metadata for each in of_link), port.metadata))
    return dict(port.metadata)
