"""Rows of a bridge's address table that a person makes; they neither age nor move.

They are in the datapath, not in the database: they last as long as the bridge forwards.
"""

from __future__ import annotations

from hotswitch.app.control.method import RequestError
from hotswitch.app.service import Service
from hotswitch.model.port import Address
from hotswitch.switch.vlans import port_vlans


def put(service: Service, port: str, vlan: int, mac: int) -> Address | None:
    """Have an address in a VLAN at a port from now on; what was known of it before.

    Raises HotswitchError.
    """
    bridge, wanted = service.port(port)
    if not port_vlans(wanted).carries(vlan):
        raise RequestError(
            f"{port} is not in VLAN {vlan}", remedy=f"see `hotswitch port show {port}`"
        )
    datapath = service.switch.datapath(bridge.name)
    numbers = {each.name: number for number, each in datapath.ports().items()}
    if port not in numbers:
        raise RequestError(f"port {port} is not in the datapath yet")
    before = find(service, bridge.name, vlan, mac)
    datapath.put_address(Address(vlan, mac, numbers[port], service.clock.now(), static=True))
    return before


def delete(service: Service, bridge: str, vlan: int, mac: int) -> bool:
    """Forget a static address; whether there was one. Raises HotswitchError."""
    known = find(service, bridge, vlan, mac)
    if known is None or not known.static:
        return False
    return bool(service.switch.datapath(bridge).delete_addresses([known]))


def find(service: Service, bridge: str, vlan: int, mac: int) -> Address | None:
    """What a bridge knows of an address. Raises HotswitchError."""
    rows = service.switch.datapath(bridge).addresses()
    return next((row for row in rows if (row.vlan, row.mac) == (vlan, mac)), None)
