"""A row of Port with one interface: a port with one link, or with a device made for it. Pure."""

from __future__ import annotations

from dataclasses import replace

from hotswitch.config.interface_columns import OPENFLOW_LOCAL
from hotswitch.config.read_bridge import BridgeReading
from hotswitch.config.read_interface import (
    asked_address,
    asked_device_name,
    asked_hook,
    asked_mtu,
    asked_namespace,
    asked_number,
    asked_peer,
    kind_of,
)
from hotswitch.config.read_member import read_member
from hotswitch.config.read_port_row import common_of, possible
from hotswitch.config.rows import Row, number, text
from hotswitch.config.settings import Remarker
from hotswitch.ports.members import Member
from hotswitch.switch.desired import DesiredPort, PortKind


def read_single(
    of: BridgeReading,
    row: Row,
    interface: Row,
    of_port: Remarker,
    of_interface: Remarker,
) -> DesiredPort | None:
    """The port that a row of Port with one interface asks for; None if it can't be had."""
    name = of_interface.name
    is_local = name == of.name
    # The local port's device is hotswitch's, whatever the row says, as in Open vSwitch.
    kind = PortKind.INTERNAL if is_local else kind_of(interface)
    if kind is None:
        known = ", ".join(sorted(PortKind))
        of_interface.refuse(
            f"interfaces of type {text(interface, 'type')[:40]!r} are not supported; "
            f"types are {known}"
        )
        return None
    common = common_of(name, row, of_port, [of_interface])
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
        hook=asked_hook(interface, of_interface),
        number=0 if is_local else asked_number(interface, of_interface),
        kind=kind,
        peer=asked_peer(kind, interface, of_interface),
        mac=of.address if is_local else asked_address(kind, interface, of_interface),
        mtu=asked_mtu(kind, interface, of_interface),
        lifecycle=common.lifecycle if kind is PortKind.SYSTEM else None,
        namespace=asked_namespace(kind, interface, of_interface, is_local=is_local),
        device_name=asked_device_name(kind, interface, of_interface, is_local=is_local),
        master=common.master if kind is PortKind.SYSTEM else "",
        links=() if member == Member(name) else (member,),
    )
    if is_local:
        _local(interface, of_interface, has_facade=of.has_facade)
    if kind is PortKind.PATCH and not port.peer:
        of_interface.refuse("a patch port needs the name of another one in options:peer")
        return None
    return possible(of.name, port, [of_interface])


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
