"""The desired state as a JSON document, strictly checked both by shape and by sense.

    {"version": 1,
     "bridges": [{"name": "br0", "ports": [{"name": "tap0", "tag": 10}, {"name": "tap1"}]}]}

Keys are those of `switch.desired`; what is not given has its default there. Bridges and ports are
lists, so that an error can say where it is: `$.bridges[0].ports[1].tag`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import Meta

from hotswitch.base.errors import HotswitchError
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Hook
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, VlanMode

VERSION = 1

Vlan = Annotated[int, Meta(ge=0, le=4095)]
PortNumber = Annotated[int, Meta(ge=0, le=MAXIMUM_PORT)]
StormLimit = Annotated[int, Meta(ge=0, le=1_000_000_000)]
AgeingTime = Annotated[int, Meta(ge=0, le=1_000_000)]
AddressLimit = Annotated[int, Meta(ge=1, le=1_000_000)]

_FORBIDDEN_IN_NAMES = frozenset("/:")


class DocumentError(HotswitchError):
    """A document, or a desired state, that can't be."""


class PortDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A port; fields as in `DesiredPort`."""

    name: str
    tag: Vlan | None = None
    trunks: tuple[Vlan, ...] = ()
    mode: VlanMode | None = None
    hook: Hook = Hook.AUTO
    storm_limit: StormLimit = 0
    number: PortNumber = 0


class BridgeDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A bridge; fields as in `DesiredBridge`."""

    name: str
    ports: tuple[PortDocument, ...] = ()
    ageing_time: AgeingTime = 300
    address_limit: AddressLimit = 8192
    forward_reserved: bool = False


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole document."""

    version: Annotated[int, Meta(ge=VERSION, le=VERSION)]
    bridges: tuple[BridgeDocument, ...] = ()


def decode(data: bytes) -> Desired:
    """Read a document. Raises DocumentError, which says where in the document it is wrong."""
    try:
        document = msgspec.json.decode(data, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError(str(error) or "nested too deep") from error
    _refuse_twins("bridge", (bridge.name for bridge in document.bridges))
    for bridge in document.bridges:
        _refuse_twins(f"port of bridge {bridge.name}", (port.name for port in bridge.ports))
    desired = Desired(
        MappingProxyType({each.name: _bridge_from(each) for each in document.bridges})
    )
    check(desired)
    return desired


def encode(desired: Desired) -> bytes:
    """Write a document, indented for people, ending in a newline."""
    document = Document(VERSION, tuple(bridge_document(each) for each in desired.bridges.values()))
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def check(desired: Desired) -> None:
    """Refuse names that no link can have and contradictions. Raises DocumentError."""
    for bridge in desired.bridges.values():
        check_name("bridge", bridge.name)
        for port in bridge.ports.values():
            check_name("port", port.name)
            if port.name in desired.bridges and port.name != bridge.name:
                raise DocumentError(
                    f"{port.name} is a bridge, so it can't be a port of {bridge.name}"
                )
        _refuse_twins(
            f"port number in bridge {bridge.name}",
            (str(port.number) for port in bridge.ports.values() if port.number),
        )
    owners: dict[str, str] = {}
    for bridge in desired.bridges.values():
        for name in bridge.ports:
            if owners.setdefault(name, bridge.name) != bridge.name:
                raise DocumentError(
                    f"port {name} belongs to bridge {owners[name]} and to bridge {bridge.name}"
                )


def check_name(what: str, name: str) -> None:
    """Refuse what is no name of a link (Linux, net/core/dev.c, dev_valid_name; here ASCII only)."""
    if not name:
        raise DocumentError(f"a {what} needs a name")
    if len(name) > 15:
        raise DocumentError(f"{what} name {name[:40]!r} is longer than 15 characters")
    if (
        name in (".", "..")
        or not (name.isascii() and name.isprintable())
        or any(each in _FORBIDDEN_IN_NAMES or each.isspace() for each in name)
    ):
        raise DocumentError(
            f"{what} name {name!r} is no name for a link: printable ASCII without /, : and spaces"
        )


def port_from(document: PortDocument) -> DesiredPort:
    """The port that a document describes; VLANs of the trunk sorted, each once."""
    return DesiredPort(
        name=document.name,
        tag=document.tag,
        trunks=tuple(sorted(set(document.trunks))),
        mode=document.mode,
        hook=document.hook,
        storm_limit=document.storm_limit,
        number=document.number,
    )


def port_document(port: DesiredPort) -> PortDocument:
    """The document that describes a port."""
    return PortDocument(**{name: getattr(port, name) for name in PortDocument.__struct_fields__})


def bridge_document(bridge: DesiredBridge) -> BridgeDocument:
    """The document that describes a bridge."""
    return BridgeDocument(
        name=bridge.name,
        ports=tuple(port_document(each) for each in bridge.ports.values()),
        ageing_time=bridge.ageing_time,
        address_limit=bridge.address_limit,
        forward_reserved=bridge.forward_reserved,
    )


def _bridge_from(document: BridgeDocument) -> DesiredBridge:
    return DesiredBridge(
        name=document.name,
        ports=MappingProxyType({each.name: port_from(each) for each in document.ports}),
        ageing_time=document.ageing_time,
        address_limit=document.address_limit,
        forward_reserved=document.forward_reserved,
    )


def _refuse_twins(what: str, names: Iterable[str]) -> None:
    twins = [name for name, times in Counter(names).items() if times > 1]
    if twins:
        raise DocumentError(f"{what} {twins[0]!r} is given more than once")
