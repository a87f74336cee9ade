"""Which Ethernet addresses the devices have that hotswitch makes for the host. Pure."""

from __future__ import annotations

import hashlib

from hotswitch.switch.binding import Binding
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.reserved import RESERVED

_GROUP, _LOCAL = 0x01 << 40, 0x02 << 40
_RESERVED = frozenset(RESERVED)


def lent(port: DesiredPort, binding: Binding) -> int:
    """The address that a bridge may have from this port, not its local one; 0: none.

    Only a station's that is the only one of its kind everywhere. Of several links that of the first
    by name counts (Open vSwitch, vswitchd/bridge.c, find_local_hw_addr).
    """
    if port.kind is PortKind.PATCH:
        return 0
    members = binding.members
    device = members[min(members)] if members else binding.device
    address = (port.mac or device.address) if device else 0
    return 0 if address & (_GROUP | _LOCAL) or address in _RESERVED else address


def derived(machine: str, owner: str, port: str) -> int:
    """An address that a port's device always has here: unicast, locally administered.

    machine, owner: what tells this machine and this daemon from others.
    """
    digest = hashlib.sha256(f"port/{machine}/{owner}/{port}".encode()).digest()
    return int.from_bytes(digest[:6], "big") & ~_GROUP | _LOCAL
