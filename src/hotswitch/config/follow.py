"""From one reading to the next, by the rows that have changed in between. Pure but for `Claims`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.base.shared import SharedMap
from hotswitch.config.assembly import MOST_PORTS, Place
from hotswitch.config.claims import Claims
from hotswitch.config.notes import Note
from hotswitch.config.read_bridge import read_bridge, with_ports
from hotswitch.config.read_port import PortReading, read_port
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Row, Tables, Uuid, members
from hotswitch.switch.desired import Desired, DesiredPort

News: TypeAlias = Mapping[str, Collection[Uuid]]
"""The rows that have changed, come or gone, by table."""

_NONE: Mapping[Uuid, Row] = {}


@dataclass(frozen=True)
class _Difference:
    """One port's readings, before and now, and the bridges that they were and are for."""

    before: PortReading | None
    now: PortReading | None
    left: Uuid | None
    entered: Uuid | None


def follow(before: Reading, claims: Claims, tables: Tables, news: News) -> Reading | None:
    """The ports as they are now, all else as before.

    None if bridges differ or ports want what others have: all has to be read again, and the
    claims mean nothing any more.
    """
    dirty = _dirty(claims, tables, news)
    if dirty is None:
        return None
    left = {port: claims.homes.get(port) for port in dirty}
    then = {port: claims.remove(port) for port in dirty}
    differences = []
    for port, bridge in dirty.items():
        now = None
        if bridge is not None:
            row = tables["Port"].get(port)
            if row is None:
                return None
            of = claims.bridges[bridge]
            now = read_port(of, port, row, tables.get("Interface", _NONE))
            if not claims.add(bridge, row, now):
                return None
        differences.append(_Difference(then[port], now, left[port], bridge))
    return _after(before, claims, differences)


def _dirty(claims: Claims, tables: Tables, news: News) -> dict[Uuid, Uuid | None] | None:
    """The ports to read again, and the bridge that each is in now."""
    dirty: dict[Uuid, Uuid | None] = {}
    for uuid in news.get("Bridge", ()):
        if uuid not in claims.bridges:
            continue
        row = tables["Bridge"].get(uuid)
        if row is None or read_bridge(uuid, row) != claims.bridges[uuid]:
            return None
        now = frozenset(members(row, "ports"))
        there = claims.members[uuid]
        claims.members[uuid] = now
        for port in there - now:
            dirty.setdefault(port, None)
        if any(dirty.get(port) for port in now - there):
            return None
        dirty.update(dict.fromkeys(now - there, uuid))
    for port, bridge in dirty.items():
        home = claims.homes.get(port)
        if bridge and home not in (None, bridge) and port in claims.members[home]:
            return None
    changed = {claims.users[each] for each in news.get("Interface", ()) if each in claims.users}
    changed.update(each for each in news.get("Port", ()) if each in claims.homes)
    for port in changed - dirty.keys():
        dirty[port] = claims.homes[port]
    return dirty


def _after(before: Reading, claims: Claims, differences: list[_Difference]) -> Reading | None:
    if not differences:
        return before
    ports: dict[Uuid, dict[str, DesiredPort]] = {}
    gone: dict[Uuid, list[str]] = {}
    interfaces: dict[Uuid, Place] = {}
    rows: dict[tuple[str, str], tuple[Uuid, ...]] = {}
    stale: list[Uuid] = []
    stale_rows: list[tuple[str, str]] = []
    for each in differences:
        if each.before and each.left is not None:
            name = claims.bridges[each.left].name
            stale += [uuid for uuid, _ in each.before.interfaces]
            stale_rows += each.before.keys(name)
            if each.before.port:
                gone.setdefault(each.left, []).append(each.before.port.name)
        if each.now and each.entered is not None:
            name = claims.bridges[each.entered].name
            interfaces |= {
                uuid: Place(name, each.now.place(interface), interface, each.now.uuid)
                for uuid, interface in each.now.interfaces
            }
            rows |= {key: each.now.rows(key[1]) for key in each.now.keys(name)}
            if each.now.port:
                ports.setdefault(each.entered, {})[each.now.port.name] = each.now.port
    bridges = dict(before.desired.bridges)
    for uuid in {*ports, *gone}:
        name = claims.bridges[uuid].name
        come = ports.get(uuid, {})
        left = [port for port in gone.get(uuid, ()) if port not in come]
        after = SharedMap(bridges[name].ports).having(come, left)
        if len(after) > MOST_PORTS:
            return None
        bridges[name] = with_ports(claims.bridges[uuid], after)
    now = {each.now.uuid: each.now for each in differences if each.now}
    left_ports = [each.before.uuid for each in differences if each.before]
    return replace(
        before,
        desired=Desired(MappingProxyType(bridges)),
        port_notes=_notes(before, differences),
        ports=before.ports.having(now, [uuid for uuid in left_ports if uuid not in now]),
        interfaces=before.interfaces.having(interfaces, [s for s in stale if s not in interfaces]),
        rows=before.rows.having(rows, [key for key in stale_rows if key not in rows]),
    )


def _notes(before: Reading, differences: list[_Difference]) -> Mapping[Uuid, tuple[Note, ...]]:
    """The notes about ports, by port; the same object if none of them has any."""
    if not any(one.notes for each in differences for one in (each.before, each.now) if one):
        return before.port_notes
    notes = dict(before.port_notes)
    for each in differences:
        if each.before:
            notes.pop(each.before.uuid, None)
        if each.now and each.now.notes:
            notes[each.now.uuid] = each.now.notes
    return notes
