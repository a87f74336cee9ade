"""The device of a datapath's local port, made again when somebody has deleted it."""

from __future__ import annotations

from dataclasses import replace

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath
from hotswitch.netlink.ports import LOCAL_IN_MODEL
from hotswitch.netlink.server.outside import Device, Outside


def make_again(outside: Outside, name: str, number: int, datapath: Datapath) -> Device:
    """Make it again for the local port of this datapath.

    number: the datapath's, which is that of the device too if it is free. Raises HotswitchError.
    """
    port = datapath.ports()[LOCAL_IN_MODEL]
    device = outside.make_internal_again(name, number)
    try:
        datapath.set_port(replace(port, ifindex=device.port, incarnation=device.incarnation))
    except HotswitchError:
        outside.delete_made(device)
        raise
    return device
