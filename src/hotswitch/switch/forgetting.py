"""Ports go, and with them what all bridges had learned of the stations behind them.

A bridge joined to theirs by a cable knows such a station at its end of the cable. If the port comes
back in that bridge, frames would go the old way until the station speaks. As Open vSwitch does
(ofproto/ofproto-dpif.c, bundle_flush_macs with all_ofprotos).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from hotswitch.datapath.contract import Datapath
from hotswitch.model.port import Address


def delete_ports(bridge: str, numbers: Collection[int], datapaths: Mapping[str, Datapath]) -> None:
    """Delete ports of a bridge, all or none. Raises HotswitchError."""
    datapath, others = datapaths[bridge], _others(bridge, datapaths)
    rows = datapath.addresses() if others else []
    datapath.delete_ports(numbers)
    _forget((row for row in rows if row.port in numbers), others)


def delete_datapath(bridge: str, datapaths: dict[str, Datapath]) -> None:
    """Delete a bridge's datapath with all its ports. Raises HotswitchError."""
    datapath, others = datapaths[bridge], _others(bridge, datapaths)
    rows = datapath.addresses() if others else []
    datapath.destroy()
    del datapaths[bridge]
    _forget(rows, others)


def _others(bridge: str, datapaths: Mapping[str, Datapath]) -> list[Datapath]:
    return [each for name, each in datapaths.items() if name != bridge]


def _forget(gone: Iterable[Address], datapaths: Iterable[Datapath]) -> None:
    """Forget these addresses in their VLANs, at whichever port. Static rows stay."""
    places = {(row.vlan, row.mac) for row in gone}
    for datapath in datapaths if places else ():
        datapath.delete_addresses(row for row in datapath.find_addresses(places) if not row.static)
