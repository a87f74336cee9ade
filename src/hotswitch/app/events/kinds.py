"""All kinds of events with their fields: the one table that code, docs and tests read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ADDRESSES_AT_ONCE = 500
"""Events of addresses of one bridge in one second; more are one `overflow`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event. fields: beside `number`, `time` and `event`, which each has."""

    name: str
    fields: tuple[str, ...]
    meaning: str


_PORT = ("bridge", "port")
_DEVICE = (*_PORT, "device", "incarnation")
_ADDRESS = (*_PORT, "vlan", "mac")

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("listening", (), "the reader hears from here on; what it asks for now is before"),
            Kind("started", ("version",), "the daemon has begun; each of its lives begins with it"),
            Kind("lost", ("count", "why"), "`count` events are lost to this reader: resynchronise"),
            Kind("overflow", ("bridge", "what"), "too much happened at once to be told one by one"),
            Kind("bridge-added", ("bridge",), "there is a new bridge; its ports follow"),
            Kind("bridge-removed", ("bridge",), "a bridge is gone, with its ports"),
            Kind(
                "port-added",
                (*_PORT, "type", "port_number", "state", "device"),
                "there is a new port; state and device as in `port show`",
            ),
            Kind(
                "port-adopted", _PORT, "its bridge took it, or a link for it, by a rule (`adopt`)"
            ),
            Kind("port-removed", _PORT, "a port is gone"),
            Kind(
                "port-renamed", (*_PORT, "old", "new"), "its device, which it keeps, has a new name"
            ),
            Kind(
                "device-gone", _DEVICE, "its device has disappeared, or it may not have it any more"
            ),
            Kind(
                "device-back",
                _DEVICE,
                "it has a device, after a time without or instead of another",
            ),
            Kind("vif-flipped", (*_PORT, "old", "new"), "another of its links forwards"),
            Kind("link-up", (*_PORT, "device"), "it forwards: device, link and carrier are there"),
            Kind("link-down", (*_PORT, "device"), "it forwards no longer; `port show` says why"),
            Kind(
                "attribute-changed",
                (*_PORT, "attribute", "old", "new"),
                "something else about a port or, with an empty `port`, a bridge",
            ),
            Kind(
                "refused",
                (*_PORT, "why"),
                "the database has a port or, with an empty `port`, a bridge that can't be",
            ),
            Kind("refusal-over", _PORT, "that is in force now, or its row is gone"),
            Kind("address-learned", _ADDRESS, "an address was seen for the first time"),
            Kind("address-moved", (*_ADDRESS, "old"), "it is at `port` now, and was at port `old`"),
            Kind(
                "address-forgotten", _ADDRESS, "it was silent too long, flushed, or its port left"
            ),
        )
    }
)
