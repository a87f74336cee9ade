"""table/show."""

from __future__ import annotations

from typing import Any

from hotswitch.app.control.method import Method
from hotswitch.app.methods.ports import OfBridge
from hotswitch.app.service import Service
from hotswitch.model.entry import NOTHING, Entry
from hotswitch.model.text import show_actions, show_match
from hotswitch.switch.pipeline import TABLES

_SECOND = 1_000_000_000


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    def show(asked: OfBridge) -> list[dict[str, Any]]:
        return [
            row
            for bridge in service.forwarding(asked.bridge)
            for row in _rows(service, bridge.name)
        ]

    return (Method("table/show", show, OfBridge),)


def by_table(entry: Entry) -> tuple[object, ...]:
    """Sorts entries in the order in which a table tries them."""
    return (
        entry.table,
        -entry.priority,
        entry.match.mask,
        entry.match.terms and tuple(term.value for term in entry.match),
    )


def _rows(service: Service, bridge: str) -> list[dict[str, Any]]:
    datapath = service.switch.datapath(bridge)
    statistics = datapath.entry_statistics()
    now = service.clock.now()
    rows = []
    for key, entry in sorted(datapath.entries().items(), key=lambda item: by_table(item[1])):
        counted = statistics.get(key, NOTHING)
        idle = (now - counted.last_used) / _SECOND if counted.last_used else None
        rows.append(
            {
                "bridge": bridge,
                "table": entry.table,
                "name": TABLES.get(entry.table, ""),
                "priority": entry.priority,
                "match": show_match(service.registry, entry.match),
                "actions": show_actions(service.registry, entry.actions),
                "cookie": entry.cookie,
                "packets": counted.packets,
                "bytes": counted.bytes,
                "idle": None if idle is None else round(max(0.0, idle), 3),
            }
        )
    return rows
