"""port/add, del, set, list, show, and stats/show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hotswitch.app.control.method import Method, RequestError
from hotswitch.app.methods.fields import (
    Mac,
    Mtu,
    PortNumber,
    StormLimit,
    Vlan,
    read_mac,
    taken_back,
)
from hotswitch.app.methods.lives import lifecycle, require_device, require_own_links, with_links
from hotswitch.app.methods.port_rows import port_rows
from hotswitch.app.service import Service, refusal, with_port, without_port
from hotswitch.model.port import Hook
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind, VlanMode


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new port; fields as in `DesiredPort`, but `type` for `kind`, and `mac` as text, empty: any.

    lifecycle: as text, empty: the bridge's. link: a selector as text, empty: by name.
    vif: the names of a VIF's links, each preferred to those before it.
    absent_ok: the device may come later.
    """

    name: str
    bridge: str
    type: PortKind = PortKind.SYSTEM
    peer: str = ""
    mac: Mac = ""
    mtu: Mtu = 0
    tag: Vlan | None = None
    trunks: tuple[Vlan, ...] = ()
    mode: VlanMode | None = None
    hook: Hook = Hook.AUTO
    storm_limit: StormLimit = 0
    number: PortNumber = 0
    lifecycle: str = ""
    link: str = ""
    follow_rename: bool = True
    vif: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    absent_ok: bool = False


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given is changed; null takes a tag or a mode back, empty or 0 the others."""

    name: str
    type: PortKind | UnsetType = UNSET
    peer: str | UnsetType = UNSET
    mac: Mac | UnsetType = UNSET
    mtu: Mtu | UnsetType = UNSET
    tag: Vlan | UnsetType | None = UNSET
    trunks: tuple[Vlan, ...] | UnsetType = UNSET
    mode: VlanMode | UnsetType | None = UNSET
    hook: Hook | UnsetType = UNSET
    storm_limit: StormLimit | UnsetType = UNSET
    number: PortNumber | UnsetType = UNSET
    lifecycle: str | UnsetType = UNSET
    link: str | UnsetType = UNSET
    follow_rename: bool | UnsetType = UNSET
    vif: tuple[str, ...] | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType = UNSET


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


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    async def add(asked: Add) -> None:
        port = _port_from(asked)

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
            device_needed=port.kind is PortKind.SYSTEM and not asked.absent_ok,
        )

    async def delete(asked: Delete) -> None:
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

    async def change(asked: Set) -> None:
        if refused := service.refused_port(asked.name):
            raise refusal(refused)
        bridge, port = service.port(asked.name)
        given = {
            name: value
            for name in asked.__struct_fields__
            if name != "name" and (value := getattr(asked, name)) is not UNSET
        }
        if not given:
            raise RequestError("nothing to set", remedy="give tag, trunks, mode, hook, …")
        if "type" in given:
            given["kind"] = given.pop("type")
        if "mac" in given:
            given["mac"] = read_mac(given["mac"])
        if "lifecycle" in given:
            given["lifecycle"] = lifecycle(given["lifecycle"])
        if "metadata" in given:
            given["metadata"] = tuple(sorted(given["metadata"].items()))
        of_links = {
            name: given.pop(name) for name in ("link", "follow_rename", "vif") if name in given
        }
        if "trunks" in given:
            given["trunks"] = tuple(sorted(set(given["trunks"])))

        def with_changed_port(bridge: DesiredBridge) -> DesiredBridge:
            before = bridge.ports.get(port.name, port)
            after = with_links(replace(before, **given), **of_links)
            if of_links:
                require_own_links(service, bridge, after, selects="link" in of_links)
            return with_port(bridge, after)

        await service.change(bridge.name, with_changed_port, port.name)
        await service.clear(bridge.name, port.name, taken_back(asked, Add))

    def show(asked: Name) -> dict[str, Any]:
        refused = service.refused_port(asked.name)
        bridge = refused.bridge if refused else service.port(asked.name)[0].name
        return next(each for each in port_rows(service, bridge) if each["name"] == asked.name)

    def listing(asked: OfBridge) -> list[dict[str, Any]]:
        if asked.bridge:
            return list(port_rows(service, asked.bridge))
        names = {each.bridge for each in service.unheeded.refused}.union(service.desired.bridges)
        return [row for name in sorted(names) for row in port_rows(service, name)]

    def statistics(asked: OfBridge) -> dict[str, Any]:
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

    return (
        Method("port/add", add, Add),
        Method("port/del", delete, Delete),
        Method("port/set", change, Set),
        Method("port/show", show, Name),
        Method("port/list", listing, OfBridge),
        Method("stats/show", statistics, OfBridge),
    )


def _port_from(asked: Add) -> DesiredPort:
    """The port that is asked for; VLANs of the trunk sorted, each once."""
    port = DesiredPort(
        name=asked.name,
        kind=asked.type,
        peer=asked.peer,
        mac=read_mac(asked.mac),
        mtu=asked.mtu,
        tag=asked.tag,
        trunks=tuple(sorted(set(asked.trunks))),
        mode=asked.mode,
        hook=asked.hook,
        storm_limit=asked.storm_limit,
        number=asked.number,
        lifecycle=lifecycle(asked.lifecycle),
        metadata=tuple(sorted(asked.metadata.items())),
    )
    return with_links(port, link=asked.link, follow_rename=asked.follow_rename, vif=asked.vif)


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
