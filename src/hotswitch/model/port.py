"""Ports of a datapath as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields


class Hook(enum.StrEnum):
    """Where in the kernel a port's packets are taken."""

    AUTO = "auto"
    TCX = "tcx"
    XDP = "xdp"


@dataclass(frozen=True, slots=True)
class Port:
    """A port: its number (1–0xfeff), its name, and the link behind it.

    ifindex: the kernel's index of the link; 0 while the link is missing.
    """

    number: int
    name: str
    ifindex: int = 0
    hook: Hook = Hook.AUTO


@dataclass(frozen=True, slots=True)
class PortStatistics:
    """Counted by the program, per port; bytes are frame lengths with tags, without FCS.

    rx_dropped: came in and went nowhere (no entry, Drop, expired, limited, errors).
    """

    rx_packets: int = 0
    rx_bytes: int = 0
    rx_dropped: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    tx_dropped: int = 0

    def __add__(self, other: PortStatistics) -> PortStatistics:
        return PortStatistics(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )


@dataclass(frozen=True, slots=True)
class Address:
    """A row of the address table: `mac` (48 bits) in `vlan` (0–4095) is at port `port`.

    last_seen: nanoseconds of the monotonic clock, up to a second coarse; a static address does
    not age and does not move.
    """

    vlan: int
    mac: int
    port: int
    last_seen: int = 0
    static: bool = False


def worth_keeping(row: Address) -> tuple[bool, int]:
    """Of too many rows, those stay for which this is greatest."""
    return row.static, row.last_seen


@dataclass(frozen=True, slots=True)
class Meter:
    """A rate limit: `rate` packets a second, and `burst` packets at once after a pause."""

    number: int
    rate: int
    burst: int


@dataclass(frozen=True, slots=True)
class Upcall:
    """A copy of a packet that `CopyToUser` asked for.

    frame: at most the asked length, tags included; length: bytes before truncation.
    """

    reason: int
    table: int
    in_port: int
    cookie: int
    length: int
    frame: bytes
