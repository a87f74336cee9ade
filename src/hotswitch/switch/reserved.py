"""Destination addresses of protocols between neighbours, which a bridge does not pass on.

IEEE 802.1Q table 8-1 and the vendors' addresses that Open vSwitch treats so
(lib/packets.c, eth_addr_is_reserved; ovs-vswitchd.conf.db(5), `forward-bpdu`).
"""

from __future__ import annotations

RESERVED: tuple[int, ...] = (
    # STP, pause frames, LACP, 802.1X, LLDP and their neighbours.
    *range(0x0180C2000000, 0x0180C2000010),
    # Extreme: EDP, EAPS.
    0x00E02B000000,
    0x00E02B000004,
    0x00E02B000006,
    # Cisco: ISL, CDP and its neighbours, PVST+, uplink fast, CFM.
    0x01000C000000,
    0x01000CCCCCCC,
    0x01000CCCCCCD,
    0x01000CCDCDCD,
    *range(0x01000CCCCCC0, 0x01000CCCCCC8),
)
