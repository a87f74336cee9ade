"""What requests say of ports' devices: how they are found, in which life, and what becomes then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn, TypeVar

from hotswitch.app.control.method import RequestError
from hotswitch.app.host_links import HostLinks
from hotswitch.app.service import Service
from hotswitch.base.errors import HotswitchError
from hotswitch.ports.adoption import Rule, read_rules
from hotswitch.ports.lifecycle import Lifecycle, read_lifecycle
from hotswitch.ports.members import Member
from hotswitch.ports.selector import (
    By,
    Selector,
    read_incarnation,
    read_selector,
    show_incarnation,
)
from hotswitch.switch.desired import DesiredBridge, DesiredPort

_Found = TypeVar("_Found")


def with_links(
    port: DesiredPort,
    link: str | None = None,
    follow_rename: bool | None = None,
    vif: Sequence[str] | None = None,
) -> DesiredPort:
    """The port with other links; what is None stays. Raises RequestError."""
    if vif is not None:
        known = {member.name: member for member in port.members}
        links = tuple(
            replace(known.get(name, Member(name)), preference=place)
            for place, name in enumerate(vif, 1)
        )
        port = replace(port, links=links, is_vif=bool(vif))
    if link is not None and (link or not port.is_vif):
        if port.is_vif:
            raise RequestError(
                f"{port.name} has several links", remedy="set the link of each in the database"
            )
        selector = _read(read_selector, link) if link else None
        if selector == Selector(By.NAME, port.name):
            selector = None
        port = replace(port, links=(replace(port.members[0], selector=selector),))
    if follow_rename is not None:
        links = tuple(replace(each, follow_rename=follow_rename) for each in port.members)
        port = replace(port, links=links)
    return replace(port, links=()) if port.links == (Member(port.name),) else port


def look_for_devices(service: Service, host: HostLinks, port: DesiredPort) -> None:
    """Look also at links that are not up, unless the port's devices are known: they get names that
    nobody tells of. Raises HotswitchError.
    """
    links = service.switch.links()
    for member in port.members:
        wanted = member.finds_by
        is_known = wanted.by is By.NAME and wanted.value in links.by_name
        if not is_known and not any(map(wanted.fits, links.by_index.values())):
            host.table()
            return


def require_own_links(
    service: Service, bridge: DesiredBridge, port: DesiredPort, *, selects: bool
) -> None:
    """Refuse a port of this bridge that has names of others, or selects another's device.

    selects: whether the port has been given a new selector. Raises RequestError.
    """
    bridges = {each.name: each for each in service.bridges()} | {bridge.name: bridge}
    for name in sorted({port.name, *(each.name for each in port.members)}):
        if name in bridges and name != bridge.name:
            raise RequestError(f"{name} is itself a bridge", remedy="name another device")
        for each in bridges.values():
            if name in each.ports and (name, each.name) != (port.name, bridge.name):
                _refuse_another_s(name, name, each.name)
        if refused := service.unheeded.owner(name):
            _refuse_another_s(name, refused.name, refused.bridge)
        vif = service.switch.vif_of(name)
        if vif not in ("", port.name):
            _refuse_another_s(name, vif, service.port(vif)[0].name)
    if selects:
        _require_own_devices(service, bridge.name, port)


def _require_own_devices(service: Service, bridge: str, port: DesiredPort) -> None:
    """Refuse a port of this bridge whose selectors fit others' devices. Raises RequestError."""
    for name, status in service.switch.statuses().items():
        for each in status.ports.values():
            if (each.name, name) == (port.name, bridge):
                continue
            for link in filter(None, (held.link for held in each.links)):
                if any(member.finds_by.fits(link) for member in port.members):
                    _refuse_another_s(link.name, each.name, name)


def _refuse_another_s(link: str, port: str, bridge: str) -> NoReturn:
    if port == bridge != link:
        raise RequestError(f"{link} is the facade of bridge {bridge}")
    raise RequestError(
        f"{link} is already port {port} of bridge {bridge}",
        remedy=f"remove it there first: hotswitch port del {port}",
    )


def lifecycle(text: str) -> Lifecycle | None:
    """The lifecycle that a text stands for, None for an empty one. Raises RequestError."""
    return _read(read_lifecycle, text) if text else None


def rules(text: str) -> tuple[Rule, ...]:
    """The rules for adoption that a text stands for. Raises RequestError."""
    return _read(read_rules, text)


def _read(read: Callable[[str], _Found], text: str) -> _Found:
    try:
        return read(text)
    except HotswitchError as error:
        raise RequestError(error.message, remedy=error.remedy) from error
    except ValueError as error:
        raise RequestError(f"{text[:40]!r}: {error}") from error


def require_device(service: Service, bridge: DesiredBridge, port: str, incarnation: str) -> None:
    """Refuse unless the port has that device, or had it last and has none. Raises RequestError."""
    known = _read(read_incarnation, incarnation)
    status = service.switch.status()[bridge.name].ports.get(port)
    lives = {each.link.incarnation for each in status.links if each.link} if status else set()
    lost = status.lost if status else ()
    if known not in (*lives, *lost):
        now = ", ".join(map(show_incarnation, sorted(lives)))
        last = ", ".join(map(show_incarnation, lost))
        now = now or (f"none, and was {last}" if last else "none")
        raise RequestError(
            f"the device of port {port} is not {show_incarnation(known)} any more, but {now}",
            remedy="see `hotswitch port show`; without --incarnation it is deleted anyway",
        )
