"""fdb/show, add, del, flush."""

from __future__ import annotations

from typing import Any

import msgspec

from hotswitch.app import static_addresses
from hotswitch.app.control.method import Method, RequestError
from hotswitch.app.methods.fields import Mac, Vlan, read_mac
from hotswitch.app.methods.ports import OfBridge
from hotswitch.app.service import Service
from hotswitch.headers.text import MAC


class Flush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows to forget: all, or those of a bridge, a port, a VLAN."""

    bridge: str = ""
    port: str = ""
    vlan: Vlan | None = None


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address that is at a port, whatever is seen."""

    mac: Mac
    port: str
    vlan: Vlan = 0


class Delete(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A static address; without a bridge, in whichever has it."""

    mac: Mac
    bridge: str = ""
    vlan: Vlan = 0


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

    def add(asked: Add) -> None:
        static_addresses.put(service, asked.port, asked.vlan, _address(asked.mac))

    def delete(asked: Delete) -> int:
        mac = _address(asked.mac)
        bridges = [each.name for each in service.forwarding(asked.bridge)]
        found = sum(static_addresses.delete(service, name, asked.vlan, mac) for name in bridges)
        if not found:
            raise RequestError(
                f"there is no static address {MAC.show(mac)} in VLAN {asked.vlan}",
                remedy="see `hotswitch fdb show`",
            )
        return found

    return (
        Method("fdb/show", show, OfBridge),
        Method("fdb/add", add, Add),
        Method("fdb/del", delete, Delete),
        Method("fdb/flush", flush, Flush),
    )


def _address(text: Mac) -> int:
    if not text:
        raise RequestError("an address is missing")
    return read_mac(text)
