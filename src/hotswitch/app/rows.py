"""A bridge and a port as commands, files and events show them: one table of what to say."""

from __future__ import annotations

from typing import Any

from hotswitch.config.unheeded import Refused
from hotswitch.headers.text import MAC
from hotswitch.model.port import Hook
from hotswitch.ports.adoption import show_rules
from hotswitch.ports.members import merged
from hotswitch.ports.selector import show_incarnation
from hotswitch.switch.desired import DesiredBridge, DesiredPort, PortKind
from hotswitch.switch.status import BridgeStatus, LinkStatus, PortState, PortStatus


def bridge_row(wanted: DesiredBridge, status: BridgeStatus) -> dict[str, Any]:
    """What is wanted of a bridge, and how it is; without its ports."""
    return {
        "name": wanted.name,
        "ageing_time": wanted.ageing_time,
        "address_limit": wanted.address_limit,
        "forward_reserved": wanted.forward_reserved,
        "lifecycle": str(wanted.lifecycle or ""),
        "adopt": show_rules(wanted.adopt),
        "facade": wanted.facade,
        "remarks": list(status.remarks),
        "error": status.error,
    }


def port_row(bridge: str, wanted: DesiredPort, status: PortStatus) -> dict[str, Any]:
    """What is wanted of a port, and how it is; without what it counted."""
    of = {each.name: each for each in wanted.members}
    return {
        "name": status.name,
        "bridge": bridge,
        "number": status.number,
        "type": status.kind,
        "peer": wanted.peer,
        "state": status.state,
        "error": status.error or status.shortfall,
        "reason": _reason(wanted, status),
        "device": device_name(wanted, status),
        "link": status.link,
        "ifindex": status.ifindex,
        "incarnation": show_life(status.incarnation),
        "lost_incarnations": [show_life(each) for each in status.lost],
        "lifecycle": str(status.lifecycle or ""),
        "links": [
            {
                **link_row(each),
                "selector": str(of[each.name].finds_by),
                "follow_rename": of[each.name].follow_rename,
            }
            for each in status.links
            if each.name in of
        ],
        "metadata": dict(status.metadata),
        "metadata_in_force": _metadata(status),
        "mac": MAC.show(status.device.address) if status.device else "",
        "mtu": status.device.mtu if status.device else 0,
        "vlan": status.vlan,
        "tag": wanted.tag,
        "trunks": wanted.trunks,
        "mode": wanted.mode,
        "hook": wanted.hook,
        "storm_limit": wanted.storm_limit,
    }


def device_name(wanted: DesiredPort, status: PortStatus) -> str:
    """What people call its device, of a pair the end that is not the switch's; empty: none."""
    if status.kind is PortKind.PATCH or not status.ifindex:
        return ""
    if status.device:
        return status.device.name
    return (wanted.namespace and wanted.device_name) or status.name  # it is seen only there


def refused_bridge_row(refused: Refused) -> dict[str, Any]:
    """A bridge that can't be had, in the same words."""
    status = BridgeStatus(refused.bridge, {}, refused.reason)
    return bridge_row(DesiredBridge(refused.bridge), status)


def refused_port_row(refused: Refused) -> dict[str, Any]:
    """A port that can't be had, in the same words."""
    status = PortStatus(refused.port, 0, PortState.ERROR, "", Hook.AUTO, error=refused.reason)
    return {**port_row(refused.bridge, DesiredPort(refused.port), status), "type": ""}


def _reason(wanted: DesiredPort, status: PortStatus) -> str:
    """Why it does not forward, or not as it should."""
    device = status.device
    if said := status.error or status.shortfall:
        return said
    if status.state is PortState.WAITING:
        return f"no device is found by {' or '.join(str(each.finds_by) for each in wanted.members)}"
    if status.state is not PortState.DOWN:
        return ""
    if device is None:
        return "its device is down in its network namespace"
    if not device.up:
        return f"{device.name} is down (ip link set {device.name} up)"
    return f"{device.name} has no carrier: its other end is down, or nobody has opened it"


def _metadata(status: PortStatus) -> dict[str, str]:
    """Of the port and of its link that forwards."""
    links = [each.metadata for each in status.links if each.forwards]
    return dict(merged(status.metadata, *links))


def link_row(status: LinkStatus) -> dict[str, Any]:
    """A link of a port."""
    link = status.link
    return {
        "name": status.name,
        "device": link.name if link else "",
        "ifindex": link.index if link else 0,
        "incarnation": show_life(link.incarnation) if link else "",
        "forwards": status.forwards,
        "metadata": dict(status.metadata),
    }


def show_life(incarnation: int) -> str:
    """An incarnation; nothing if it is not known."""
    return show_incarnation(incarnation) if incarnation else ""
