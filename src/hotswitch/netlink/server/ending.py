"""What is left of a datapath's devices when it ends: as they were found."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from hotswitch.base.errors import HotswitchError
from hotswitch.model.port import LinkLife, Port
from hotswitch.netlink import ports
from hotswitch.netlink.server.outside import Device, Outside

_log = logging.getLogger(__name__)


def give_back(outside: Outside, there: Mapping[int, Port], as_found: Collection[int] = ()) -> None:
    """Let the devices of a datapath's ports take only frames for their own addresses again.

    there: the ports by the model's numbers. as_found: the numbers of vports whose devices took all
    frames before. What fails is logged, as the datapath ends anyway.
    """
    for number, port in there.items():
        if ports.from_model(number) in as_found:
            continue
        for link in port.links:
            try:
                device = outside.by_port(link.ifindex)
                if device is not None and _is_taken(device, link):
                    outside.give_back(device)
            except HotswitchError as error:
                _log.error("netlink: %s", error)


def _is_taken(device: Device, link: LinkLife) -> bool:
    lives = 0 in (device.incarnation, link.incarnation) or device.incarnation == link.incarnation
    return lives and device.promiscuous and not device.made
