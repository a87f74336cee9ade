"""What bridges, datapaths and ports are called in Open vSwitch's texts."""

from __future__ import annotations

from hotswitch.app.control.method import RequestError
from hotswitch.app.service import Service
from hotswitch.switch.desired import DesiredBridge, PortKind
from hotswitch.switch.pipeline import LOCAL_PORT
from hotswitch.switch.status import PortStatus

_TYPE = "system"
_OPENFLOW_LOCAL = 65534
"""OFPP_LOCAL of OpenFlow 1.0, by which the local port is known outside."""


def bridge_of(service: Service, name: str) -> DesiredBridge:
    """The bridge of that name. Raises HotswitchError, with Open vSwitch's words."""
    if name not in service.desired.bridges:
        raise RequestError("no such bridge")
    return service.forwarding(name)[0]


def datapath_name(bridge: str) -> str:
    """Each bridge is a datapath of its own."""
    return f"{_TYPE}@{bridge}"


def openflow_number(number: int) -> int:
    """The number by which OpenFlow and the database know the port."""
    return _OPENFLOW_LOCAL if number == LOCAL_PORT else number


def port_type(bridge: str, port: PortStatus) -> str:
    """The type of its interface; the local port's is internal."""
    return PortKind.INTERNAL if port.name == bridge else port.kind
