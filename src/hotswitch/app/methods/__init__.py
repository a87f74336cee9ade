"""What hotswitch's own commands ask for, a file a noun; each gives its part of the table."""

from __future__ import annotations

from hotswitch.app.control.method import Method
from hotswitch.app.methods import (
    addresses,
    bridges,
    events,
    general,
    ports,
    programs,
    tables,
    traces,
)
from hotswitch.app.service import Service


def all_methods(service: Service) -> tuple[Method, ...]:
    """The whole table."""
    rooms = (bridges, ports, addresses, tables, traces, programs, events, general)
    return tuple(method for room in rooms for method in room.methods(service))
