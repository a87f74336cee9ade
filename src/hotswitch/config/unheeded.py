"""What the database says and the switch does not do, as values for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from hotswitch.config.notes import Note
from hotswitch.config.read_port import PortReading
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid, members, pairs, text

BridgeAndPort: TypeAlias = tuple[str, str]
"""Their names; the port's is empty for the bridge itself."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row of Bridge or Port that is not in force.

    port: what the port would be called; empty: it is the bridge. row: its own. holder: of a port,
    the row of the bridge that has it. links: of a port, the names of its interfaces.
    """

    bridge: str
    port: str
    reason: str
    row: Uuid
    holder: Uuid = ""
    links: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people call it."""
        return self.port or self.bridge

    @property
    def is_local(self) -> bool:
        """Whether it is its bridge's local port."""
        return self.port == self.bridge


@dataclass(frozen=True)
class Unheeded:
    """refused: bridges, then ports, each sorted.

    not_acted_on: what is set without effect, a text for each row that is concerned.
    of_daemon: what concerns no bridge, a text for each row.
    """

    refused: tuple[Refused, ...] = ()
    not_acted_on: Mapping[BridgeAndPort, tuple[str, ...]] = field(default_factory=dict)
    of_daemon: tuple[str, ...] = ()

    def bridge(self, name: str) -> Refused | None:
        """The refused bridge of this name."""
        return next((each for each in self.refused if (each.bridge, each.port) == (name, "")), None)

    def port(self, name: str) -> Refused | None:
        """The first refused port of this name."""
        return next((each for each in self.refused if each.port == name), None)

    def ports(self, bridge: str) -> list[Refused]:
        """The refused ports of a bridge."""
        return [each for each in self.refused if each.port and each.bridge == bridge]

    def owner(self, name: str) -> Refused | None:
        """The first refused row that has this name, be it for one of its links."""
        return next((each for each in self.refused if name in (each.name, *each.links)), None)


def unheeded(tables: Tables, reading: Reading) -> Unheeded:
    """What of these tables is not in what was read of them as wanted."""
    of_managers = tuple(_managers(tables))
    if not reading.notes:
        return Unheeded(of_daemon=of_managers)
    holders = _holders(tables, reading)
    refusals: dict[Uuid, list[Note]] = {}
    kept: dict[BridgeAndPort | None, dict[str, list[str]]] = {}
    users = _users(reading)
    for note in reading.notes:
        for owner in users.get(note.row, (note.row,)):
            if note.refused:
                refusals.setdefault(owner, []).append(note)
            else:
                of_row = kept.setdefault(_key(reading, holders, owner), {})
                of_row.setdefault(f"{note.table} {note.name}".rstrip(), []).append(note.text)
    not_acted_on = {key: tuple(map(_line, of.items())) for key, of in kept.items() if key}
    of_root = [f"not acted on: {_line(each)}" for each in kept.get(None, {}).items()]
    found = [
        refused
        for owner, notes in refusals.items()
        if (refused := _refused(reading, holders, owner, notes))
    ]
    found.sort(key=lambda each: (bool(each.port), each.bridge, each.port))
    return Unheeded(tuple(found), not_acted_on, (*of_root, *of_managers))


def _refused(
    reading: Reading, holders: Mapping[Uuid, Uuid], owner: Uuid, notes: list[Note]
) -> Refused | None:
    """The row that is refused; None if notes are of something in it only."""
    reason = "; ".join(dict.fromkeys(note.text for note in notes))
    if owner in reading.bridges:
        return Refused(reading.bridges[owner].name, "", reason, owner)
    port = reading.ports.get(owner)
    if port is None or owner not in holders:
        return None
    bridge = reading.bridges[holders[owner]].name
    if all(note.table != "Port" for note in notes) and _is_in_force(reading, bridge, port):
        return None
    links = tuple(name for _, name in port.interfaces)
    return Refused(bridge, port.name, reason, owner, holders[owner], links)


def _is_in_force(reading: Reading, bridge: str, port: PortReading) -> bool:
    """Whether the port of this name is the one that the row asks for."""
    wanted = reading.desired.bridges.get(bridge)
    there = wanted.ports.get(port.name) if wanted else None
    return bool(there and port.port and replace(there, number=port.port.number) == port.port)


def _users(reading: Reading) -> dict[Uuid, list[Uuid]]:
    """By interface, the ports that have it: several, if somebody has made a mistake."""
    found: dict[Uuid, list[Uuid]] = {}
    for uuid, port in reading.ports.items():
        for interface, _ in port.interfaces:
            found.setdefault(interface, []).append(uuid)
    return found


def _key(reading: Reading, holders: Mapping[Uuid, Uuid], owner: Uuid) -> BridgeAndPort | None:
    """What a row is of; None: of the daemon."""
    if owner in reading.bridges:
        return reading.bridges[owner].name, ""
    port = reading.ports.get(owner)
    if port is None or owner not in holders:
        return None
    return reading.bridges[holders[owner]].name, port.name


def _holders(tables: Tables, reading: Reading) -> dict[Uuid, Uuid]:
    """By port, the first bridge that has it."""
    found: dict[Uuid, Uuid] = {}
    rows = tables.get("Bridge", {})
    for uuid in reading.bridges:
        for port in members(rows.get(uuid, {}), "ports"):
            found.setdefault(port, uuid)
    return found


def _line(item: tuple[str, list[str]]) -> str:
    who, texts = item
    return f"{who}: {'; '.join(texts)}"


def _managers(tables: Tables) -> Iterator[str]:
    for row in sorted(tables.get("Manager", {}).values(), key=lambda each: text(each, "target")):
        status, name = pairs(row, "status"), text(row, "target")
        error = status.get("last_error")
        if error and row.get("is_connected") is not True:
            yield f"Manager {name}: {error}"
        if ignored := status.get("not_acted_on"):
            yield f"not acted on: Manager {name}: {ignored}"
