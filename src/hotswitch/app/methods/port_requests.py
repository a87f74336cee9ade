"""What a request says of a port, as values: a new one, or changes to one that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from hotswitch.app.control.method import RequestError
from hotswitch.app.methods.fields import Mac, Mtu, PortNumber, StormLimit, Vlan, read_mac
from hotswitch.app.methods.lives import lifecycle, with_links
from hotswitch.model.port import Hook
from hotswitch.switch.desired import DesiredPort, PortKind, VlanMode


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


def port_from(asked: Add) -> DesiredPort:
    """The port that is asked for. Raises HotswitchError."""
    port = DesiredPort(
        name=asked.name,
        kind=asked.type,
        peer=asked.peer,
        mac=read_mac(asked.mac),
        mtu=asked.mtu,
        tag=asked.tag,
        trunks=_sorted(asked.trunks),
        mode=asked.mode,
        hook=asked.hook,
        storm_limit=asked.storm_limit,
        number=asked.number,
        lifecycle=lifecycle(asked.lifecycle),
        metadata=_pairs(asked.metadata),
    )
    return with_links(port, link=asked.link, follow_rename=asked.follow_rename, vif=asked.vif)


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be other than it was: of the port itself, and of how its links are found.

    own: by the field of `DesiredPort`. of_links: by the parameter of `with_links`.
    """

    own: Mapping[str, Any]
    of_links: Mapping[str, Any]

    def applied(self, port: DesiredPort) -> DesiredPort:
        """The port with these changes. Raises RequestError."""
        return with_links(replace(port, **self.own), **self.of_links)


def changes_from(asked: Set) -> Changes:
    """The changes that are asked for. Raises HotswitchError."""
    given = {
        name: value
        for name in asked.__struct_fields__
        if name != "name" and (value := getattr(asked, name)) is not UNSET
    }
    if not given:
        raise RequestError("nothing to set", remedy="give tag, trunks, mode, hook, …")
    of_links = {name: given.pop(name) for name in _OF_LINKS if name in given}
    if "type" in given:
        given["kind"] = given.pop("type")
    for name, read in _READ.items():
        if name in given:
            given[name] = read(given[name])
    return Changes(given, of_links)


def _sorted(vlans: Iterable[int]) -> tuple[int, ...]:
    """Each once."""
    return tuple(sorted(set(vlans)))


def _pairs(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(metadata.items()))


_OF_LINKS = ("link", "follow_rename", "vif")
_READ: Mapping[str, Callable[[Any], Any]] = {
    "mac": read_mac,
    "trunks": _sorted,
    "lifecycle": lifecycle,
    "metadata": _pairs,
}
"""From what a request has to what `DesiredPort` has, by the field of both."""
