"""What the kernel has counted for its links, listed over rtnetlink (rtnetlink(7), RTM_GETSTATS)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hotswitch.kernel import netlink
from hotswitch.kernel.netlink import NetlinkSocket

_RTM_GETSTATS = 94
_IFLA_STATS_LINK_64 = 1
_ONLY_THESE = 1 << (_IFLA_STATS_LINK_64 - 1)
_ATTEMPTS = 3
"""So often all are asked for while links come and go."""
_message = struct.Struct("=BxxxII")
"""`struct if_stats_msg`: family, ifindex, filter_mask; include/uapi/linux/if_link.h."""
_COUNTERS = struct.Struct("=16Q")
"""The beginning of `struct rtnl_link_stats64`, in the same file."""


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


class _Told(Mapping[int, LinkCounters]):
    """Counters by index as the kernel told them; read when they are looked at.

    So a thread that asks for those of thousands keeps the interpreter from others for little time.
    """

    def __init__(self, told: Mapping[int, bytes]) -> None:
        self._told = told

    def __getitem__(self, index: int) -> LinkCounters:
        return _counters(self._told[index])

    def __iter__(self) -> Iterator[int]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)


def link_counters(index: int) -> LinkCounters:
    """One link's counters, in this thread's network namespace. Raises KernelError."""
    question = _message.pack(0, index, _ONLY_THESE)
    attempt = f"read the counters of the link {index}"
    with NetlinkSocket(netlink.ROUTE) as asker:
        return _counters(asker.request(_RTM_GETSTATS, 0, question, attempt)[0].body)


def list_counters() -> Mapping[int, LinkCounters]:
    """All links' counters by index, in this thread's network namespace. Raises KernelError."""
    question = _message.pack(0, 0, _ONLY_THESE)
    attempt = "read the links' counters"
    with NetlinkSocket(netlink.ROUTE) as asker:
        answer = asker.request(_RTM_GETSTATS, netlink.DUMP, question, attempt, attempts=_ATTEMPTS)
    return _Told({_message.unpack_from(each.body)[1]: each.body for each in answer})


def _counters(body: bytes) -> LinkCounters:
    found = netlink.chosen_attributes(body, _message.size, (_IFLA_STATS_LINK_64,))
    counters = found.get(_IFLA_STATS_LINK_64, b"")
    if len(counters) < _COUNTERS.size:
        return LinkCounters()
    return LinkCounters(*_COUNTERS.unpack_from(counters))
