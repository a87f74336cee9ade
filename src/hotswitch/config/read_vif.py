"""A row of Port with several interfaces: a port with several links, of which one forwards. Pure."""

from __future__ import annotations

from dataclasses import replace

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
from hotswitch.config.read_port_row import common_of, possible, refuse_all
from hotswitch.config.rows import Row
from hotswitch.config.settings import Remarker
from hotswitch.model.port import Hook
from hotswitch.switch.desired import DesiredPort, PortKind


def read_vif(
    bridge: str, row: Row, interfaces: list[Row], of_port: Remarker, remarks: list[Remarker]
) -> DesiredPort | None:
    """A port that may have several links, of which one forwards."""
    common = common_of(of_port.name, row, of_port, remarks)
    links = []
    for each, interface in zip(remarks, interfaces, strict=True):
        if kind_of(interface) is not PortKind.SYSTEM:
            refuse_all([of_port, *remarks], f"{each.name} of a VIF is not of type system")
            return None
        # A link has none of these: they are only remarked.
        asked_address(PortKind.SYSTEM, interface, each)
        asked_peer(PortKind.SYSTEM, interface, each)
        asked_namespace(PortKind.SYSTEM, interface, each, is_local=False)
        asked_device_name(PortKind.SYSTEM, interface, each, is_local=False)
        links.append(read_member(interface, each))
    if common is None:
        return None
    each_row = list(zip(interfaces, remarks, strict=True))
    hooks = [asked_hook(interface, each) for interface, each in each_row]
    hook = next((hook for hook in hooks if hook is not Hook.AUTO), Hook.AUTO)
    for (_, each), other in zip(each_row, hooks, strict=True):
        if other not in (hook, Hook.AUTO):
            each.ignore(f"other_config:hook (another link of the VIF asks for {hook})")
    port = replace(
        common,
        hook=hook,
        number=max(asked_number(interface, each) for interface, each in each_row),
        mtu=max(asked_mtu(PortKind.SYSTEM, interface, each) for interface, each in each_row),
        links=tuple(links),
        is_vif=True,
    )
    return possible(bridge, port, [of_port, *remarks])
