"""What the kernel has counted for its links, listed over rtnetlink (rtnetlink(7))."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from hotswitch.kernel import netlink
from hotswitch.kernel.links import RTM_GETLINK, information
from hotswitch.kernel.netlink import NetlinkSocket

_IFLA_STATS64 = 23
_COUNTERS = struct.Struct("=16Q")
"""The beginning of `struct rtnl_link_stats64`, include/uapi/linux/if_link.h."""


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """The first counters of `struct rtnl_link_stats64`, in its order and with its meaning."""

    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_errors: int = 0
    tx_errors: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    multicast: int = 0
    collisions: int = 0
    rx_length_errors: int = 0
    rx_over_errors: int = 0
    rx_crc_errors: int = 0
    rx_frame_errors: int = 0
    rx_fifo_errors: int = 0
    rx_missed_errors: int = 0


def link_counters(index: int) -> LinkCounters:
    """One link's counters, in this thread's network namespace. Raises KernelError."""
    question = information.pack(0, 0, index, 0, 0)
    with NetlinkSocket(netlink.ROUTE) as asker:
        answer = asker.request(RTM_GETLINK, 0, question, f"read the counters of the link {index}")
    return _counters(answer[0].body)


def list_counters() -> dict[int, LinkCounters]:
    """All links' counters by index, in this thread's network namespace. Raises KernelError."""
    question = information.pack(0, 0, 0, 0, 0)
    with NetlinkSocket(netlink.ROUTE) as asker:
        answer = asker.request(RTM_GETLINK, netlink.DUMP, question, "read the links' counters")
    found = {}
    for each in answer:
        _, _, index, _, _ = information.unpack_from(each.body)
        found[index] = _counters(each.body)
    return found


def _counters(body: bytes) -> LinkCounters:
    counters = netlink.attributes(body[information.size :]).get(_IFLA_STATS64, b"")
    if len(counters) < _COUNTERS.size:
        return LinkCounters()
    return LinkCounters(*_COUNTERS.unpack_from(counters))
