"""One row of Port with its interfaces: the port that it asks for, or why there is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from hotswitch.config.interface_columns import OPENFLOW_LOCAL
from hotswitch.config.notes import Note
from hotswitch.config.read_bridge import BridgeReading
from hotswitch.config.read_member import lifecycle, metadata, read_member
from hotswitch.config.rows import Row, Table, Uuid, members, number, pairs, text
from hotswitch.config.settings import (
    Remarker,
    SettingError,
    boolean,
    station_address,
    whole_number,
)
from hotswitch.datapath.limits import STANDARD
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Hook
from hotswitch.ports.lifecycle import EPHEMERAL
from hotswitch.ports.members import Member
from hotswitch.switch.check import MAXIMUM_MTU, MINIMUM_MTU, SwitchError, check
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode
from hotswitch.switch.pipeline import LOCAL_PORT

KINDS: Mapping[str, PortKind] = {"": PortKind.SYSTEM} | {str(each): each for each in PortKind}
"""By the text of `Interface.type`."""


@dataclass(frozen=True, slots=True)
class PortReading:
    """What a row of Port says.

    port: None if it can't be had, for which there is a note.
    name: what it is called, or would be.
    interfaces: its rows of Interface that are there, and their names.
    had: the number that the database says the port has had.
    """

    uuid: Uuid
    name: str
    port: DesiredPort | None
    interfaces: tuple[tuple[Uuid, str], ...]
    notes: tuple[Note, ...]
    had: int = 0

    def place(self, interface: str) -> str:
        """The name of the switch's port that the interface of this name is of."""
        return self.port.name if self.port else interface

    def keys(self, bridge: str) -> list[tuple[str, str]]:
        """The bridge's name with those of the switch's ports that its interfaces are of."""
        return sorted({(bridge, self.place(name)) for _, name in self.interfaces})

    def rows(self, name: str) -> tuple[Uuid, ...]:
        """The interfaces of the switch's port of this name."""
        return tuple(uuid for uuid, interface in self.interfaces if self.place(interface) == name)


def read_port(of: BridgeReading, uuid: Uuid, row: Row, interfaces: Table) -> PortReading:
    """Read one row of Port of a bridge."""
    bridge = of.name
    remarks = Remarker("Port", uuid, text(row, "name"))
    remarks.look_through(row)
    found = [(each, interfaces[each]) for each in members(row, "interfaces") if each in interfaces]
    found.sort(key=lambda item: text(item[1], "name"))
    names = tuple((each, text(interface, "name")) for each, interface in found)
    is_vif = remarks.setting(pairs(row, "other_config"), "vif", boolean, False)
    if is_vif and bridge in (remarks.name, *(name for _, name in names)):
        remarks.ignore("other_config:vif (it is the bridge's local port)")
        is_vif = False
    if not found or (len(found) > 1 and not is_vif):
        why = f"port {remarks.name} has {len(found)} interfaces; bonds are not supported yet"
        if not found:
            why = f"port {remarks.name} has no interface"
        remarks.refuse(why)
        refused = [Note("Interface", each, name, why, refused=True) for each, name in names]
        return PortReading(uuid, remarks.name, None, names, (*remarks.notes, *refused))
    of_interfaces = [Remarker("Interface", each, name) for each, name in names]
    for each, (_, interface) in zip(of_interfaces, found, strict=True):
        each.look_through(interface)
    rows = [interface for _, interface in found]
    if is_vif:
        port = _vif(bridge, row, rows, remarks, of_interfaces)
    else:
        port = _port(of, row, rows[0], remarks, of_interfaces[0])
    had = next((given for each in rows if (given := number(each, "ofport") or 0) > 0), 0)
    notes = (*remarks.notes, *(note for each in of_interfaces for note in each.notes))
    name = remarks.name if is_vif else of_interfaces[0].name
    return PortReading(uuid, name, port, names, notes, had)


def _port(
    of: BridgeReading,
    row: Row,
    interface: Row,
    of_port: Remarker,
    of_interface: Remarker,
) -> DesiredPort | None:
    name = of_interface.name
    is_local = name == of.name
    # The local port's device is hotswitch's, whatever the row says, as in Open vSwitch.
    kind = PortKind.INTERNAL if is_local else KINDS.get(text(interface, "type"))
    if kind is None:
        known = ", ".join(sorted(PortKind))
        of_interface.refuse(
            f"interfaces of type {text(interface, 'type')[:40]!r} are not supported; "
            f"types are {known}"
        )
        return None
    common = _common(name, row, of_port, [of_interface])
    if common is None:
        return None
    member = read_member(interface, of_interface)
    why = "there is one link only"
    of_interface.ignore_keys(interface, "other_config", ("vif-preference",), why)
    if kind is not PortKind.SYSTEM:
        why = f"the device of a {kind} interface is made for it"
        of_port.ignore_keys(row, "other_config", ("lifecycle", "transient", "master"), why)
        of_interface.ignore_keys(interface, "other_config", ("link", "follow-rename"), why)
        member = Member(name, metadata=member.metadata)
    port = replace(
        common,
        hook=of_interface.setting(pairs(interface, "other_config"), "hook", _hook, Hook.AUTO),
        number=0 if is_local else _number(interface, of_interface),
        kind=kind,
        peer=_peer(kind, interface, of_interface),
        mac=of.address if is_local else _address(kind, interface, of_interface),
        mtu=_mtu(kind, interface, of_interface),
        lifecycle=common.lifecycle if kind is PortKind.SYSTEM else None,
        namespace=_namespace(kind, interface, of_interface, is_local=is_local),
        device_name=_device_name(kind, interface, of_interface, is_local=is_local),
        master=common.master if kind is PortKind.SYSTEM else "",
        links=() if member == Member(name) else (member,),
    )
    if is_local:
        _local(interface, of_interface, has_facade=of.has_facade)
    if kind is PortKind.PATCH and not port.peer:
        of_interface.refuse("a patch port needs the name of another one in options:peer")
        return None
    return _possible(of.name, port, [of_interface])


def _local(interface: Row, remarks: Remarker, *, has_facade: bool) -> None:
    """Note what a local port does not have as it is asked for."""
    if text(interface, "type") not in ("", PortKind.INTERNAL):
        remarks.ignore("type (the bridge's local port is internal)")
    if text(interface, "mac"):
        remarks.ignore("mac (set other_config:hwaddr of the bridge)")
    if number(interface, "ofport_request") not in (None, OPENFLOW_LOCAL):
        remarks.ignore("ofport_request (the local port has its own)")
    if has_facade:
        why = "the facade's frames are taken by tcx"
        remarks.ignore_keys(interface, "other_config", ("hook",), why)


def _vif(
    bridge: str, row: Row, interfaces: list[Row], of_port: Remarker, remarks: list[Remarker]
) -> DesiredPort | None:
    """A port that may have several links, of which one forwards."""
    common = _common(of_port.name, row, of_port, remarks)
    links = []
    for each, interface in zip(remarks, interfaces, strict=True):
        if KINDS.get(text(interface, "type")) is not PortKind.SYSTEM:
            _refuse([of_port, *remarks], f"{each.name} of a VIF is not of type system")
            return None
        _address(PortKind.SYSTEM, interface, each)
        _peer(PortKind.SYSTEM, interface, each)
        _namespace(PortKind.SYSTEM, interface, each, is_local=False)
        _device_name(PortKind.SYSTEM, interface, each, is_local=False)
        links.append(read_member(interface, each))
    if common is None:
        return None
    each_row = list(zip(interfaces, remarks, strict=True))
    hooks = [
        each.setting(pairs(interface, "other_config"), "hook", _hook, Hook.AUTO)
        for interface, each in each_row
    ]
    hook = next((hook for hook in hooks if hook is not Hook.AUTO), Hook.AUTO)
    for (_, each), other in zip(each_row, hooks, strict=True):
        if other not in (hook, Hook.AUTO):
            each.ignore(f"other_config:hook (another link of the VIF asks for {hook})")
    system = PortKind.SYSTEM
    port = replace(
        common,
        hook=hook,
        number=max(_number(interface, each) for interface, each in each_row),
        mtu=max(_mtu(system, interface, each) for interface, each in each_row),
        links=tuple(links),
        is_vif=True,
    )
    return _possible(bridge, port, [of_port, *remarks])


def _common(
    name: str, row: Row, of_port: Remarker, of_interfaces: list[Remarker]
) -> DesiredPort | None:
    """What the row of Port says, whatever its interfaces are."""
    try:
        mode = _mode(row)
    except SettingError as error:
        # No other mode would keep frames apart as asked.
        _refuse([of_port, *of_interfaces], error.message)
        return None
    settings = pairs(row, "other_config")
    transient = of_port.setting(settings, "transient", boolean, False)
    return DesiredPort(
        name=name,
        tag=number(row, "tag"),
        trunks=tuple(sorted(set(members(row, "trunks")))),
        mode=mode,
        storm_limit=of_port.setting(settings, "storm-limit", whole_number(0, STANDARD.rate), 0),
        lifecycle=of_port.setting(
            settings, "lifecycle", lifecycle, EPHEMERAL if transient else None
        ),
        master=settings.get("master", ""),
        metadata=metadata(row),
    )


def _refuse(remarks: list[Remarker], why: str) -> None:
    for each in remarks:
        each.refuse(why)


def _possible(bridge: str, port: DesiredPort, remarks: list[Remarker]) -> DesiredPort | None:
    """The port, if the switch could have it were there no other."""
    alone = DesiredBridge(bridge, MappingProxyType({port.name: port}))
    try:
        check(Desired(MappingProxyType({bridge: alone})))
    except SwitchError as error:
        _refuse(remarks, str(error))
        return None
    return port


def _mode(row: Row) -> VlanMode | None:
    given = text(row, "vlan_mode")
    try:
        return VlanMode(given) if given else None
    except ValueError:
        raise SettingError(f"vlan_mode {given[:40]} is not supported") from None


def _number(interface: Row, remarks: Remarker) -> int:
    asked = number(interface, "ofport_request") or 0
    if asked == LOCAL_PORT or not 0 <= asked <= MAXIMUM_PORT:
        remarks.ignore(f"ofport_request ({asked} can't be had)")
        return 0
    return asked


def _address(kind: PortKind, interface: Row, remarks: Remarker) -> int:
    given = text(interface, "mac")
    if not given:
        return 0
    if kind not in (PortKind.INTERNAL, PortKind.TAP):
        remarks.ignore(f"mac (the device of a {kind} interface keeps its own)")
        return 0
    return remarks.setting({"mac": given}, "mac", station_address, 0, column="")


def _namespace(kind: PortKind, interface: Row, remarks: Remarker, *, is_local: bool) -> str:
    if kind is PortKind.INTERNAL and not is_local:
        return pairs(interface, "other_config").get("netns", "")
    why = "only the device of an internal interface can be for another namespace"
    remarks.ignore_keys(interface, "other_config", ("netns",), why)
    return ""


def _device_name(kind: PortKind, interface: Row, remarks: Remarker, *, is_local: bool) -> str:
    if kind in (PortKind.INTERNAL, PortKind.TAP) and not is_local:
        return pairs(interface, "other_config").get("device-name", "")
    why = "only a device that is made for an interface can be named"
    remarks.ignore_keys(interface, "other_config", ("device-name",), why)
    return ""


def _mtu(kind: PortKind, interface: Row, remarks: Remarker) -> int:
    asked = number(interface, "mtu_request") or 0
    if asked and kind is PortKind.PATCH:
        remarks.ignore("mtu_request (a patch port has no device)")
        return 0
    if asked and not MINIMUM_MTU <= asked <= MAXIMUM_MTU:
        remarks.ignore(f"mtu_request ({asked} is not in the range {MINIMUM_MTU} to {MAXIMUM_MTU})")
        return 0
    return asked


def _peer(kind: PortKind, interface: Row, remarks: Remarker) -> str:
    options = pairs(interface, "options")
    for key in options:
        if kind is not PortKind.PATCH or key != "peer":
            remarks.ignore(f"options:{key}")
    return options.get("peer", "") if kind is PortKind.PATCH else ""


def _hook(given: str) -> Hook:
    try:
        return Hook(given)
    except ValueError:
        raise SettingError(f"it is one of {', '.join(Hook)}") from None
