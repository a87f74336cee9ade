"""fdb/show and fdb/flush."""

from __future__ import annotations

from typing import Any

import msgspec

from hotswitch.app.control.method import Method, RequestError
from hotswitch.app.methods.fields import Vlan
from hotswitch.app.methods.ports import OfBridge
from hotswitch.app.service import Service
from hotswitch.headers.text import MAC


class Flush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows to forget: all, or those of a bridge, a port, a VLAN."""

    bridge: str = ""
    port: str = ""
    vlan: Vlan | None = None


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""

    def show(asked: OfBridge) -> list[dict[str, Any]]:
        return [
            {
                "bridge": bridge.name,
                "vlan": row.vlan,
                "mac": MAC.show(row.mac),
                "port": row.port,
                "age": round(row.age, 3),
                "static": row.static,
            }
            for bridge in service.forwarding(asked.bridge)
            for row in service.switch.addresses(bridge.name)
        ]

    def flush(asked: Flush) -> int:
        bridges = [each.name for each in service.forwarding(asked.bridge)]
        if asked.port:
            owner = service.port(asked.port)[0].name
            if owner not in bridges:
                raise RequestError(f"{asked.port} is a port of bridge {owner}")
            bridges = [owner]
        return sum(service.switch.flush(name, asked.port, asked.vlan) for name in bridges)

    return (
        Method("fdb/show", show, OfBridge),
        Method("fdb/flush", flush, Flush),
    )
