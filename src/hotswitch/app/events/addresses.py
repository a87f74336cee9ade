"""What has become of a bridge's address table between two looks. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from hotswitch.app.events.event import Happening, happening
from hotswitch.app.events.kinds import ADDRESSES_AT_ONCE
from hotswitch.headers.text import MAC


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is. static: a person said so; that is no event."""

    port: str
    static: bool = False


Table: TypeAlias = Mapping[tuple[int, int], Place]
"""By VLAN and address (48 bits)."""


def differences(bridge: str, before: Table, now: Table) -> list[Happening]:
    """What was forgotten, learned and moved; where that is too much, that there was an overflow."""
    if before == now:
        return []
    found = []
    for key, place in before.items():
        if key not in now and not place.static:
            found.append(_address("address-forgotten", bridge, key, place.port))
    for key, place in now.items():
        then = before.get(key)
        if place.static or then == place:
            continue
        if then is None:
            found.append(_address("address-learned", bridge, key, place.port))
        elif then.port != place.port:
            found.append(_address("address-moved", bridge, key, place.port, old=then.port))
    if len(found) > ADDRESSES_AT_ONCE:
        return [happening("overflow", bridge=bridge, what="addresses")]
    return found


def _address(kind: str, bridge: str, key: tuple[int, int], port: str, **more: str) -> Happening:
    vlan, mac = key
    return happening(kind, bridge=bridge, port=port, vlan=vlan, mac=MAC.show(mac), **more)
