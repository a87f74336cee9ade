"""What is kept of what a link's kind says of it (IFLA_INFO_DATA), as numbers by name.

Kept is what somebody set and what a message tells when it changes. A bridge's timers, for one, run
without a message, and would make it another link at each look.

The source is include/uapi/linux/if_link.h.
"""

from __future__ import annotations

import sys
from typing import Literal

from hotswitch.kernel import netlink

_HOST = sys.byteorder

_DETAILS: dict[str, dict[int, tuple[str, Literal["little", "big"]]]] = {
    "bond": {1: ("mode", _HOST)},
    "bridge": {5: ("stp_state", _HOST), 7: ("vlan_filtering", _HOST)},
    "geneve": {1: ("id", _HOST), 5: ("port", "big")},
    "ipvlan": {1: ("mode", _HOST), 2: ("flags", _HOST)},
    "macvlan": {1: ("mode", _HOST), 2: ("flags", _HOST)},
    "macvtap": {1: ("mode", _HOST), 2: ("flags", _HOST)},
    "netkit": {5: ("mode", _HOST)},
    "tun": {
        3: ("type", _HOST),
        4: ("packet_information", _HOST),
        5: ("vnet_header", _HOST),
        7: ("multi_queue", _HOST),
    },
    "vlan": {1: ("id", _HOST), 5: ("protocol", "big")},
    "vrf": {1: ("table", _HOST)},
    "vxlan": {
        1: ("id", _HOST),
        15: ("port", "big"),
        23: ("group_policy", _HOST),
        25: ("collect_metadata", _HOST),
    },
}
"""By kind and number of the attribute: the name here, and the byte order."""


def details(kind: str, data: bytes) -> tuple[tuple[str, int], ...]:
    """The kept numbers, in the order of their names; nothing for a kind that is not known.

    A tun's type is 1 (tun, IP packets) or 2 (tap, frames); a macvlan's mode is 1 private, 2 VEPA,
    4 bridge, 8 pass-through, 16 by source; a VLAN's protocol is an EtherType. A flag is 1.
    """
    known = _DETAILS.get(kind)
    if not known or not data:
        return ()
    found = netlink.chosen_attributes(data, 0, known)
    return tuple(
        sorted(
            (known[number][0], int.from_bytes(value, known[number][1]) if value else 1)
            for number, value in found.items()
        )
    )
