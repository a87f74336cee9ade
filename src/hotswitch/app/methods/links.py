"""link/list, show, id, name, rename."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from hotswitch.app.control.method import Method, Nothing, RequestError
from hotswitch.app.host_links import HostLinks, read_id
from hotswitch.app.link_references import check_rename, renamed, with_device_named
from hotswitch.app.link_view import LinkView
from hotswitch.app.service import Service
from hotswitch.base.errors import HotswitchError
from hotswitch.kernel.links import Link
from hotswitch.ports.vnics_macvlan import Macvlans
from hotswitch.switch.check import check_name


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

    def view() -> LinkView:
        return LinkView(host.table(), service.switch.statuses())

    def listing(_: Nothing) -> list[dict[str, Any]]:
        links = view()
        return [links.row(links.table.by_index[index]) for index in sorted(links.table.by_index)]

    def show(asked: Which) -> dict[str, Any]:
        link = host.find(asked.link)
        return view().row(link)

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
    place = LinkView(host.table(), service.switch.statuses()).place(link)
    port = place[1].name if place else ""
    host.refuse_another_s(link, "rename it there")
    check_rename(link, name, host.table(), service.desired, host.owner, port)
    undo = host.rename(link, name)
    try:
        macvlans.link_renamed(link.name, name)
        await service.rewrite(
            lambda desired: with_device_named(renamed(desired, link.name, name), port, name)
        )
    except HotswitchError:
        undo()
        with suppress(HotswitchError):
            macvlans.link_renamed(name, link.name)
        raise
