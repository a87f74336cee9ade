"""Ports of a datapath as values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields


class Hook(enum.StrEnum):
    """Where in the kernel a port's packets are taken."""

    AUTO = "auto"
    TCX = "tcx"
    XDP = "xdp"


class Side(enum.StrEnum):
    """Which way through its link a port's frames come and go."""

    WIRE = "wire"
    """What the link receives comes in; what goes out is transmitted by it."""
    HOST = "host"
    """What the host sends through the link comes in; what goes out the host receives from it."""


@dataclass(frozen=True, slots=True)
class LinkLife:
    """One life of one link: the kernel's index, which may be used again, and the incarnation."""

    ifindex: int
    incarnation: int = 0


@dataclass(frozen=True, slots=True)
class Port:
    """A port: its number (1–0xfeff), its name, and the link behind it.

    ifindex: the kernel's index of the link that frames leave by; 0 while the link is missing.
    incarnation: that life of the link (`ports`), 64 bits; 0: not known. While the link is missing,
        the life of the last one.
    standby: more links of the same VIF: what comes in there came in at this port. By the first of
        them frames leave when the port's link fails, where the kernel lets a program see that.
    away: links that are its, and that it can't use just now: noted, and nothing else.
    """

    number: int
    name: str
    ifindex: int = 0
    hook: Hook = Hook.AUTO
    incarnation: int = 0
    standby: tuple[LinkLife, ...] = ()
    side: Side = Side.WIRE
    away: tuple[LinkLife, ...] = ()

    @property
    def links(self) -> tuple[LinkLife, ...]:
        """All its links; the one that frames leave by, if there is one, is the first."""
        active = (LinkLife(self.ifindex, self.incarnation),) if self.ifindex else ()
        return active + self.standby

    @property
    def ties(self) -> tuple[LinkLife, ...]:
        """The links that are its, used or not."""
        return self.links + self.away


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
    fields: those beside the packet that were asked for, in that order, and their values.
    """

    reason: int
    table: int
    in_port: int
    cookie: int
    length: int
    frame: bytes
    fields: tuple[tuple[str, int], ...] = ()
