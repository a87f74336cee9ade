"""Which learned addresses have had their time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hotswitch.model.port import Address
from hotswitch.switch.vlans import PortVlans

_SECOND = 1_000_000_000


def aged(addresses: Iterable[Address], *, now: int, ageing_time: int) -> list[Address]:
    """Those last seen `ageing_time` seconds before `now` (ns) or earlier; 0: none.

    Static addresses stay.
    """
    if not ageing_time:
        return []
    oldest = now - ageing_time * _SECOND
    return [each for each in addresses if not each.static and each.last_seen <= oldest]


def astray(addresses: Iterable[Address], ports: Mapping[int, PortVlans]) -> list[Address]:
    """Those at one of these ports in a VLAN that it does not carry, static ones too.

    The pipeline relies on it: what is known to be at a port leaves there.
    """
    return [
        each for each in addresses if each.port in ports and not ports[each.port].carries(each.vlan)
    ]
