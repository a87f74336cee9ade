"""The ports of a bridge as requests tell of them, and those that can't be had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hotswitch.app.rows import port_row, refused_port_row
from hotswitch.app.service import Service
from hotswitch.config.unheeded import Unheeded
from hotswitch.model.port import PortStatistics

_NONE = PortStatistics()


def port_rows(service: Service, bridge: str) -> Iterator[dict[str, Any]]:
    """The local port first: what is wanted, how it is, what it counted, what is without effect.

    Ports whose rows are refused come last. Raises RequestError if there is no such bridge.
    """
    unheeded = service.unheeded
    refused = {each.port: each for each in unheeded.ports(bridge)}
    if not unheeded.bridge(bridge):
        service.bridge(bridge)  # there is one
        local = refused.pop(bridge, None)
        for row in _ports(service, bridge):
            if local and row["name"] == bridge:  # it is there without its row
                row |= {"error": local.reason, "reason": local.reason}
            yield _told(row, unheeded)
    for each in refused.values():
        yield _told({**refused_port_row(each), "time_left": None, "statistics": _NONE}, unheeded)


def _told(row: dict[str, Any], unheeded: Unheeded) -> dict[str, Any]:
    said = unheeded.not_acted_on.get((row["bridge"], row["name"]), ())
    return {**row, "not_acted_on": list(said)}


def _ports(service: Service, bridge: str) -> Iterator[dict[str, Any]]:
    status = service.switch.status()[bridge]
    statistics = {} if status.error else service.switch.statistics(bridge)
    for port in status.ports.values():
        yield {
            **port_row(bridge, service.port(port.name)[1], port),
            "time_left": service.switch.time_left(bridge, port.name),
            "statistics": statistics.get(port.name, _NONE),
        }
