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
from hotswitch.datapath.limits import STANDARD
from hotswitch.headers.text import MAC
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Hook
from hotswitch.switch.check import (
    MAXIMUM_ADDRESSES,
    MAXIMUM_AGEING_TIME,
    MAXIMUM_MTU,
    SwitchError,
    check,
)
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode

VERSION = 1

Vlan = Annotated[int, Meta(ge=0, le=4095)]
PortNumber = Annotated[int, Meta(ge=0, le=MAXIMUM_PORT)]
StormLimit = Annotated[int, Meta(ge=0, le=STANDARD.rate)]
AgeingTime = Annotated[int, Meta(ge=0, le=MAXIMUM_AGEING_TIME)]
Mac = Annotated[str, Meta(pattern=r"\A([0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5})?\Z")]
Mtu = Annotated[int, Meta(ge=0, le=MAXIMUM_MTU)]
AddressLimit = Annotated[int, Meta(ge=1, le=MAXIMUM_ADDRESSES)]


class DocumentError(HotswitchError):
    """A document that is wrong, or describes what can't be."""


class PortDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A port; fields as in `DesiredPort`, but `type` for `kind`, and `mac` as text, empty: any."""

    name: str
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
    try:
        check(desired)
    except SwitchError as error:
        raise DocumentError(error.message, remedy=error.remedy) from error
    return desired


def encode(desired: Desired) -> bytes:
    """Write a document, indented for people, ending in a newline."""
    document = Document(VERSION, tuple(bridge_document(each) for each in desired.bridges.values()))
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def port_from(document: PortDocument) -> DesiredPort:
    """The port that a document describes; VLANs of the trunk sorted, each once."""
    return DesiredPort(
        name=document.name,
        kind=document.type,
        peer=document.peer,
        mac=read_mac(document.mac),
        mtu=document.mtu,
        tag=document.tag,
        trunks=tuple(sorted(set(document.trunks))),
        mode=document.mode,
        hook=document.hook,
        storm_limit=document.storm_limit,
        number=document.number,
    )


def port_document(port: DesiredPort) -> PortDocument:
    """The document that describes a port."""
    return PortDocument(
        name=port.name,
        type=port.kind,
        peer=port.peer,
        mac=MAC.show(port.mac) if port.mac else "",
        mtu=port.mtu,
        tag=port.tag,
        trunks=port.trunks,
        mode=port.mode,
        hook=port.hook,
        storm_limit=port.storm_limit,
        number=port.number,
    )


def read_mac(text: Mac) -> int:
    """The MAC address that a text stands for, 0 for an empty one."""
    return MAC.read(text) if text else 0


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
