"""A bridge and a port as commands, files and events show them: one table of what to say."""

from __future__ import annotations

from typing import Any

from hotswitch.headers.text import MAC
from hotswitch.ports.adoption import show_rules
from hotswitch.ports.selector import show_incarnation
from hotswitch.switch.desired import DesiredBridge, DesiredPort
from hotswitch.switch.status import BridgeStatus, LinkStatus, PortStatus


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
    return {
        "name": status.name,
        "bridge": bridge,
        "number": status.number,
        "type": status.kind,
        "peer": wanted.peer,
        "state": status.state,
        "error": status.error or status.shortfall,
        "link": status.link,
        "ifindex": status.ifindex,
        "incarnation": show_life(status.incarnation),
        "lost_incarnations": [show_life(each) for each in status.lost],
        "lifecycle": str(status.lifecycle or ""),
        "links": [link_row(each) for each in status.links],
        "metadata": dict(status.metadata),
        "mac": MAC.show(status.device.address) if status.device else "",
        "mtu": status.device.mtu if status.device else 0,
        "vlan": status.vlan,
        "tag": wanted.tag,
        "trunks": wanted.trunks,
        "mode": wanted.mode,
        "hook": wanted.hook,
        "storm_limit": wanted.storm_limit,
    }


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
