"""The addresses that a bridge's datapath knows.

All functions raise HotswitchError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hotswitch.datapath.contract import Datapath
from hotswitch.model.port import Address
from hotswitch.switch.ageing import aged, astray
from hotswitch.switch.desired import DesiredBridge
from hotswitch.switch.pipeline import port_of
from hotswitch.switch.status import AddressStatus
from hotswitch.switch.vlans import port_vlans

_SECOND = 1_000_000_000


class Known(NamedTuple):
    """ports: the names of those that addresses are at. old: what was not seen for the ageing time.
    lost: what is in a VLAN that its port does not carry. left: all others."""

    ports: Mapping[int, str]
    old: Sequence[Address]
    lost: Sequence[Address]
    left: Sequence[Address]


def look(bridge: DesiredBridge, datapath: Datapath, now: int) -> Known:
    """What is known, and what of it has to be forgotten."""
    ports = datapath.ports()
    rows = datapath.addresses()
    there = {row.port: ports[row.port].name for row in rows if row.port in ports}
    vlans = {
        number: port_vlans(port)
        for number, name in there.items()
        if (port := port_of(bridge, name))
    }
    old = aged(rows, now=now, ageing_time=bridge.ageing_time)
    lost = astray(rows, vlans)
    gone = {(row.vlan, row.mac) for row in (*old, *lost)}
    left = [row for row in rows if (row.vlan, row.mac) not in gone] if gone else rows
    return Known(there, old, lost, left)


def show(datapath: Datapath, now: int) -> list[AddressStatus]:
    """All of them, sorted by VLAN and address."""
    names = {number: port.name for number, port in datapath.ports().items()}
    return [
        AddressStatus(
            row.vlan,
            row.mac,
            names.get(row.port, str(row.port)),
            max(0, now - row.last_seen) / _SECOND,
            row.static,
        )
        for row in sorted(datapath.addresses(), key=lambda row: (row.vlan, row.mac))
    ]


def flush(datapath: Datapath, port: int | None, vlan: int | None) -> int:
    """Forget what was learned, at one port or in one VLAN if given; how many rows.

    Static addresses stay.
    """
    return datapath.delete_addresses(
        row
        for row in datapath.addresses()
        if not row.static
        and (port is None or row.port == port)
        and (vlan is None or row.vlan == vlan)
    )
