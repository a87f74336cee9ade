"""bridge/add, del, set, show, list."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec

from hotswitch.app.control.method import Method, Nothing, RequestError
from hotswitch.app.methods.fields import AddressLimit, AgeingTime, taken_back
from hotswitch.app.methods.lives import lifecycle, rules
from hotswitch.app.rows import bridge_row, refused_bridge_row
from hotswitch.app.service import Service, no_bridge
from hotswitch.switch.desired import DesiredBridge


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new bridge; fields as in `DesiredBridge`."""

    name: str
    ageing_time: AgeingTime = 300
    address_limit: AddressLimit = 8192
    forward_reserved: bool = False
    lifecycle: str = ""
    adopt: str = ""
    facade: str = ""


class Set(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is given is changed."""

    name: str
    ageing_time: AgeingTime | None = None
    address_limit: AddressLimit | None = None
    forward_reserved: bool | None = None
    lifecycle: str | None = None
    adopt: str | None = None
    facade: str | None = None


class Name(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bridge."""

    name: str


def methods(service: Service) -> tuple[Method, ...]:
    """The methods of this noun."""
    return (
        Method("bridge/add", partial(_add, service), Add),
        Method("bridge/del", partial(_delete, service), Name),
        Method("bridge/set", partial(_change, service), Set),
        Method("bridge/show", partial(_show, service), Name),
        Method("bridge/list", partial(_list, service)),
    )


async def _add(service: Service, asked: Add) -> None:
    await service.add(
        DesiredBridge(
            asked.name,
            ageing_time=asked.ageing_time,
            address_limit=asked.address_limit,
            forward_reserved=asked.forward_reserved,
            lifecycle=lifecycle(asked.lifecycle),
            adopt=rules(asked.adopt),
            facade=asked.facade,
        )
    )


async def _delete(service: Service, asked: Name) -> None:
    if refused := service.unheeded.bridge(asked.name):
        await service.discard(refused)
    else:
        await service.forget(asked.name)


async def _change(service: Service, asked: Set) -> None:
    given: dict[str, Any] = {
        name: getattr(asked, name)
        for name in ("ageing_time", "address_limit", "forward_reserved", "facade")
        if getattr(asked, name) is not None
    }
    if asked.lifecycle is not None:
        given["lifecycle"] = lifecycle(asked.lifecycle)
    if asked.adopt is not None:
        given["adopt"] = rules(asked.adopt)
    if asked.facade == "":
        _require_free_name(service, service.bridge(asked.name))
    if not given:
        raise RequestError(
            "nothing to set", remedy="give ageing, address-limit, reserved, lifecycle, …"
        )
    await service.change(asked.name, lambda bridge: replace(bridge, **given))
    await service.clear(asked.name, "", taken_back(asked, Add))


def _require_free_name(service: Service, bridge: DesiredBridge) -> None:
    """Refuse to part a bridge from a facade that has the name its local port would need."""
    name = bridge.name
    device = service.switch.status()[name].ports[name].device
    if bridge.facade and device and device.name == name:
        raise RequestError(
            f"the facade of bridge {name} has the name that its local port would need",
            remedy=f"delete the bridge: hotswitch bridge del {name}; "
            f"or rename the device first: ip link set {name} name NEW",
        )


def _show(service: Service, asked: Name) -> dict[str, Any]:
    for row in _list(service, Nothing()):
        if row["name"] == asked.name:
            return row
    raise no_bridge(asked.name)


def _list(service: Service, _: Nothing) -> list[dict[str, Any]]:
    status = service.switch.status()
    unheeded = service.unheeded
    rows = [bridge_row(bridge, status[bridge.name]) for bridge in service.bridges()]
    rows += [refused_bridge_row(each) for each in unheeded.refused if not each.port]
    for row in rows:
        name = row["name"]
        wanted = service.desired.bridges.get(name)
        ports = {each.port for each in unheeded.ports(name)} | set(wanted.ports if wanted else ())
        row["ports"] = sorted(ports - {name})
        row["not_acted_on"] = list(unheeded.not_acted_on.get((name, ""), ()))
    return sorted(rows, key=itemgetter("name"))
