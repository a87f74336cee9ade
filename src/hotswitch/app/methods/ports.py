"""port/add, del, set, list, show, and stats/show."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hotswitch.app.control.method import Method, RequestError
from hotswitch.app.host_links import HostLinks
from hotswitch.app.methods.fields import taken_back
from hotswitch.app.methods.lives import look_for_devices, require_device, require_own_links
from hotswitch.app.methods.port_requests import Add, Set, changes_from, port_from
from hotswitch.app.methods.port_rows import port_rows
from hotswitch.app.service import Service, refusal, with_port, without_port
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind


class Delete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A port. incarnation: of the device that it must have, or have had last, 16 digits; not given:
    any.
    """

    name: str
    incarnation: str | UnsetType = UNSET


class Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A port."""

    name: str


class OfBridge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bridge, or all."""

    bridge: str = ""


def methods(service: Service, host: HostLinks) -> tuple[Method, ...]:
    """The methods of this noun."""
    return (
        Method("port/add", partial(_add, service, host), Add),
        Method("port/del", partial(_delete, service), Delete),
        Method("port/set", partial(_change, service, host), Set),
        Method("port/show", partial(_show, service), Name),
        Method("port/list", partial(_list, service), OfBridge),
        Method("stats/show", partial(_statistics, service), OfBridge),
    )


async def _add(service: Service, host: HostLinks, asked: Add) -> None:
    port = port_from(asked)
    device_needed = port.kind is PortKind.SYSTEM and not asked.absent_ok
    if device_needed:
        look_for_devices(service, host, port)

    def with_new_port(bridge: DesiredBridge) -> DesiredBridge:
        for other in (bridge, *service.bridges()):
            if port.name in other.ports or port.name == other.name:
                raise RequestError(
                    f"{port.name} is already a port of bridge {other.name}",
                    remedy="change it with `hotswitch port set`, or delete it first",
                )
        require_own_links(service, bridge, port, selects=False)
        return with_port(bridge, port)

    await service.change(
        asked.bridge,
        with_new_port,
        port.name,
        device_needed=device_needed,
    )


async def _delete(service: Service, asked: Delete) -> None:
    if row := service.deletable_row(asked.name):
        if asked.incarnation is not UNSET:
            raise RequestError(f"{refusal(row)}; it has no device")
        await service.discard(row)
        return
    refused = service.refused_port(asked.name)
    if refused and refused.bridge not in service.desired.bridges:
        raise _is_local(refused.port)
    bridge, port = service.port(asked.name)
    if port.name == bridge.name:
        raise _is_local(port.name)
    if device := _slave(service, bridge, port):
        raise RequestError(
            f"{port.name} is a port because its device is in the facade {bridge.facade}",
            remedy=f"release it there: ip link set {device} nomaster",
        )

    def without_the_port(bridge: DesiredBridge) -> DesiredBridge:
        if asked.incarnation is not UNSET:
            require_device(service, bridge, port.name, asked.incarnation)
        return without_port(bridge, port.name)

    await service.change(bridge.name, without_the_port)


async def _change(service: Service, host: HostLinks, asked: Set) -> None:
    if refused := service.refused_port(asked.name):
        raise refusal(refused)
    bridge, port = service.port(asked.name)
    changes = changes_from(asked)
    if changes.of_links:
        look_for_devices(service, host, changes.applied(port))

    def with_changed_port(bridge: DesiredBridge) -> DesiredBridge:
        after = changes.applied(bridge.ports.get(port.name, port))
        if changes.of_links:
            require_own_links(service, bridge, after, selects="link" in changes.of_links)
        return with_port(bridge, after)

    await service.change(bridge.name, with_changed_port, port.name)
    await service.clear(bridge.name, port.name, taken_back(asked, Add))


def _show(service: Service, asked: Name) -> dict[str, Any]:
    refused = service.refused_port(asked.name)
    bridge = refused.bridge if refused else service.port(asked.name)[0].name
    return next(each for each in port_rows(service, bridge) if each["name"] == asked.name)


def _list(service: Service, asked: OfBridge) -> list[dict[str, Any]]:
    if asked.bridge:
        return list(port_rows(service, asked.bridge))
    names = {each.bridge for each in service.unheeded.refused}.union(service.desired.bridges)
    return [row for name in sorted(names) for row in port_rows(service, name)]


def _statistics(service: Service, asked: OfBridge) -> dict[str, Any]:
    return {
        "time": service.clock.now(),
        "bridges": [
            {
                "name": bridge.name,
                "counters": service.switch.datapath(bridge.name).counters(),
                "ports": [
                    {"name": name, "statistics": each}
                    for name, each in service.switch.statistics(bridge.name).items()
                ],
            }
            for bridge in service.forwarding(asked.bridge)
        ],
    }


def _slave(service: Service, bridge: DesiredBridge, port: DesiredPort) -> str:
    """The device in the bridge's facade that the port is for, also while that can't be one.

    Empty: it is not there, or the port is for no such.
    """
    if not port.master or port.master != bridge.facade:
        return ""
    status = service.switch.status()[bridge.name].ports[port.name]
    links = service.switch.links()
    facade = links.by_name.get(bridge.facade)
    if status.link or facade is None:
        return status.link
    its_own = (each for each in links.by_index.values() if each.incarnation in status.lost)
    return next((each.name for each in its_own if each.master == facade.index), "")


def _is_local(port: str) -> RequestError:
    return RequestError(
        f"{port} is the local port of its bridge",
        remedy=f"`hotswitch bridge del {port}` deletes both",
    )
