"""What hotswitch's own commands ask for, a file a noun; each gives its part of the table."""

from __future__ import annotations

from hotswitch.app.control.method import Method
from hotswitch.app.host_links import HostLinks
from hotswitch.app.methods import (
    addresses,
    bridges,
    events,
    general,
    links,
    ports,
    programs,
    tables,
    traces,
    vnics,
)
from hotswitch.app.service import Service
from hotswitch.ports.vnics_macvlan import Macvlans


def all_methods(service: Service, host: HostLinks, macvlans: Macvlans) -> tuple[Method, ...]:
    """The whole table."""
    rooms = (bridges, addresses, tables, traces, programs, events, general)
    return (
        *(method for room in rooms for method in room.methods(service)),
        *ports.methods(service, host),
        *links.methods(service, host, macvlans),
        *vnics.methods(service, host, macvlans),
    )
