"""One row of Port with its interfaces: the port that it asks for, or why there is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hotswitch.config.notes import Note
from hotswitch.config.rows import Row, Table, Uuid, members, number, pairs, text
from hotswitch.config.settings import Remarker, SettingError, station_address, whole_number
from hotswitch.datapath.limits import STANDARD
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Hook
from hotswitch.switch.check import SwitchError, check
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort, PortKind, VlanMode
from hotswitch.switch.pipeline import LOCAL_PORT

KINDS: Mapping[str, PortKind] = {"": PortKind.SYSTEM} | {str(each): each for each in PortKind}
"""By the text of `Interface.type`."""


@dataclass(frozen=True, slots=True)
class PortReading:
    """What a row of Port says.

    port: None if it can't be had, for which there is a note.
    interfaces: its rows of Interface that are there, and their names.
    had: the number that the database says the port has had.
    """

    uuid: Uuid
    port: DesiredPort | None
    interfaces: tuple[tuple[Uuid, str], ...]
    notes: tuple[Note, ...]
    had: int = 0


def read_port(bridge: str, address: int, uuid: Uuid, row: Row, interfaces: Table) -> PortReading:
    """Read one row of Port of a bridge. `address`: that of the bridge's local port, or 0."""
    remarks = Remarker("Port", uuid, text(row, "name"))
    remarks.look_through(row)
    found = [(each, interfaces[each]) for each in members(row, "interfaces") if each in interfaces]
    names = tuple((each, text(interface, "name")) for each, interface in found)
    if len(found) != 1:
        why = f"port {remarks.name} has {len(found)} interfaces; bonds are not supported yet"
        if not found:
            why = f"port {remarks.name} has no interface"
        remarks.refuse(why)
        refused = [Note("Interface", each, name, why, refused=True) for each, name in names]
        return PortReading(uuid, None, names, (*remarks.notes, *refused))
    [(interface_uuid, interface)] = found
    of_interface = Remarker("Interface", interface_uuid, text(interface, "name"))
    of_interface.look_through(interface)
    port = _port(bridge, address, row, interface, remarks, of_interface)
    had = number(interface, "ofport") or 0
    return PortReading(uuid, port, names, (*remarks.notes, *of_interface.notes), had)


def _port(
    bridge: str,
    address: int,
    row: Row,
    interface: Row,
    of_port: Remarker,
    of_interface: Remarker,
) -> DesiredPort | None:
    name = of_interface.name
    is_local = name == bridge
    # The local port's device is hotswitch's, whatever the row says, as in Open vSwitch.
    kind = PortKind.INTERNAL if is_local else KINDS.get(text(interface, "type"))
    if kind is None:
        known = ", ".join(sorted(PortKind))
        of_interface.refuse(
            f"interfaces of type {text(interface, 'type')[:40]!r} are not supported; "
            f"types are {known}"
        )
        return None
    try:
        mode = _mode(row)
    except SettingError as error:
        # No other mode would keep frames apart as asked.
        of_port.refuse(error.message)
        of_interface.refuse(error.message)
        return None
    port = DesiredPort(
        name=name,
        tag=number(row, "tag"),
        trunks=tuple(sorted(set(members(row, "trunks")))),
        mode=mode,
        hook=of_interface.setting(pairs(interface, "other_config"), "hook", _hook, Hook.AUTO),
        storm_limit=of_port.setting(
            pairs(row, "other_config"), "storm-limit", whole_number(0, STANDARD.rate), 0
        ),
        number=0 if is_local else _number(interface, of_interface),
        kind=kind,
        peer=_peer(kind, interface, of_interface),
        mac=address if is_local else _address(kind, interface, of_interface),
        mtu=_mtu(kind, interface, of_interface),
    )
    if is_local and text(interface, "mac"):
        of_interface.ignore("mac (set other_config:hwaddr of the bridge)")
    if kind is PortKind.PATCH and not port.peer:
        of_interface.refuse("a patch port needs the name of another one in options:peer")
        return None
    return _possible(bridge, port, of_interface)


def _possible(bridge: str, port: DesiredPort, remarks: Remarker) -> DesiredPort | None:
    """The port, if the switch could have it were there no other."""
    alone = DesiredBridge(bridge, MappingProxyType({port.name: port}))
    try:
        check(Desired(MappingProxyType({bridge: alone})))
    except SwitchError as error:
        remarks.refuse(str(error))
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


def _mtu(kind: PortKind, interface: Row, remarks: Remarker) -> int:
    asked = number(interface, "mtu_request") or 0
    if asked and kind is PortKind.PATCH:
        remarks.ignore("mtu_request (a patch port has no device)")
        return 0
    if not 0 <= asked < 1 << 31:
        remarks.ignore(f"mtu_request ({asked} is no device's)")
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
