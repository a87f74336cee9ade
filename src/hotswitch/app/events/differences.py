"""What has happened to bridges and ports between two moments. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from hotswitch.app.events.event import Happening, happening
from hotswitch.app.events.moment import (
    Device,
    Moment,
    changed_ports,
    devices,
    forwarding,
    port_attributes,
)
from hotswitch.app.rows import bridge_row, show_life
from hotswitch.switch.status import PortState, PortStatus


def differences(
    before: Moment, now: Moment, adopted: Set[tuple[str, str]] = frozenset()
) -> Iterator[Happening]:
    """In an order in which a reader can follow: what has gone comes first.

    adopted: the ports, by bridge and name, that were adopted, or got a link so.

    Between two moments more may have happened: what came and went again is not seen, and a device
    that was there both times, but not the same, is one that has gone and another that is there.
    """
    ports = list(changed_ports(before, now))
    for bridge, port in ports:
        if before.status(bridge, port) and not now.status(bridge, port):
            yield happening("port-removed", bridge=bridge, port=port)
    for bridge in sorted(before.bridges.keys() - now.bridges.keys()):
        yield happening("bridge-removed", bridge=bridge)
    yield from _refusals(before, now)
    yield from _bridges(before, now)
    for bridge, port in ports:
        status = now.status(bridge, port)
        if status is None:
            continue
        if before.status(bridge, port) is None:
            yield _added(bridge, status)
        else:
            yield from _changed(bridge, port, before, now)
        if (bridge, port) in adopted:
            yield happening("port-adopted", bridge=bridge, port=port)


def at_start(
    now: Moment, departed: Sequence[tuple[str, str]], adopted: Set[tuple[str, str]]
) -> Iterator[Happening]:
    """What is told of a start although what is found then is no event: which ports went in it.

    A new device may have become a port of the same name at once, which must not seem gone.

    departed: the ports that went, by bridge and name. adopted: those adopted anew since then.
    """
    for bridge, port in departed:
        yield happening("port-removed", bridge=bridge, port=port)
    for bridge, port in departed:
        status = now.status(bridge, port)
        if status is None:
            continue
        yield _added(bridge, status)
        if (bridge, port) in adopted:
            yield happening("port-adopted", bridge=bridge, port=port)


def _refusals(before: Moment, now: Moment) -> Iterator[Happening]:
    if before.refused is now.refused:
        return
    for bridge, port in sorted(before.refused.keys() - now.refused.keys()):
        yield happening("refusal-over", bridge=bridge, port=port)
    for (bridge, port), row in sorted(now.refused.items()):
        then = before.refused.get((bridge, port))
        if then is None or then.reason != row.reason:
            yield happening("refused", bridge=bridge, port=port, why=row.reason)


def _bridges(before: Moment, now: Moment) -> Iterator[Happening]:
    for name, status in sorted(now.bridges.items()):
        then = before.bridges.get(name)
        if then is None:
            yield happening("bridge-added", bridge=name)
            continue
        wanted, wanted_then = now.desired.bridges[name], before.desired.bridges[name]
        if status is not then or wanted is not wanted_then:
            yield from _attributes(
                name, "", bridge_row(wanted_then, then), bridge_row(wanted, status)
            )


def _added(bridge: str, port: PortStatus) -> Happening:
    return happening(
        "port-added",
        bridge=bridge,
        port=port.name,
        type=str(port.kind),
        port_number=port.number,
        state=str(port.state),
        device=_device_of(port),
    )


def _changed(bridge: str, port: str, before: Moment, now: Moment) -> Iterator[Happening]:
    """A port that is there both times."""
    old, new = before.bridges[bridge].ports[port], now.bridges[bridge].ports[port]
    had, has = devices(old), devices(new)
    kept = {each for each in had if each in has and had[each].is_the_same(has[each])}
    link, other = forwarding(old), forwarding(new)
    flips = new.is_vif and bool(link and other) and link != other
    forwarded, forwards = (each.state is PortState.FORWARDING for each in (old, new))
    interrupted = not flips and link not in kept
    if forwarded and (interrupted or not forwards):
        yield happening("link-down", bridge=bridge, port=port, device=_device_of(old))
    for name in sorted(had.keys() - kept):
        yield _device("device-gone", bridge, port, had[name])
    for name in sorted(has.keys() - kept):
        yield _device("device-back", bridge, port, has[name])
    for name in sorted(kept):
        names = had[name].name, has[name].name
        if names[0] != names[1]:
            yield happening("port-renamed", bridge=bridge, port=port, old=names[0], new=names[1])
    if flips:
        names = had[link].name, has[other].name
        yield happening("vif-flipped", bridge=bridge, port=port, old=names[0], new=names[1])
    if forwards and (interrupted or not forwarded):
        yield happening("link-up", bridge=bridge, port=port, device=_device_of(new))
    attributes = (
        port_attributes(
            bridge,
            moment.bridges[bridge].ports[port],
            moment.wanted(bridge, port),
            same_device=link == other and link in kept,
        )
        for moment in (before, now)
    )
    yield from _attributes(bridge, port, *attributes)


def _device_of(port: PortStatus) -> str:
    """The name of the device that forwards, as people know it."""
    return port.device.name if port.device else port.link


def _device(kind: str, bridge: str, port: str, device: Device) -> Happening:
    life = show_life(device.incarnation)
    return happening(kind, bridge=bridge, port=port, device=device.name, incarnation=life)


def _attributes(
    bridge: str, port: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[Happening]:
    for name in new:
        if name in old and old[name] != new[name]:
            yield happening(
                "attribute-changed",
                bridge=bridge,
                port=port,
                attribute=name,
                old=old[name],
                new=new[name],
            )
