"""How large a pipeline may be. Every engine can do this much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """tables: numbers 0 to tables-1. actions: in one entry. ports: in one `OutputList`.

    priority: the highest. name: bytes in a port's name (IFNAMSIZ - 1, linux/if.h).
    addresses: rows of the address table. standby: links of one port.
    rate: packets a second of a meter, of which one takes at least a nanosecond.
    """

    tables: int = 255
    priority: int = 0xFFFF
    actions: int = 32
    ports: int = 4096
    name: int = 15
    standby: int = 15
    addresses: int = 1_000_000
    rate: int = 1_000_000_000
    burst: int = 0xFFFFFFFF
    meter: int = 0xFFFFFFFF


STANDARD = Limits()
