"""From what is so to the changes that make the database say it: only what differs is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hotswitch.base.shared import SharedMap
from hotswitch.config.assembly import Place
from hotswitch.config.devices import UNKNOWN, Device
from hotswitch.config.follow import News
from hotswitch.config.interface_columns import InterfaceFacts, interface_columns, statistics
from hotswitch.config.notes import Remarks
from hotswitch.config.operations import Update, update
from hotswitch.config.other_columns import (
    Identity,
    bridge_columns,
    bridge_facts,
    controller_columns,
    port_columns,
    root_columns,
)
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid, Value, the_root
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.links import Link
from hotswitch.model.port import PortStatistics
from hotswitch.switch.status import BridgeStatus, PortStatus

_NOTHING = PortStatistics()


@dataclass(frozen=True, slots=True)
class Picture:
    """How the switch is.

    status: of all bridges, by name. device: what is known of a link. resets: by interface name,
    how often its carrier was seen to come or go.
    """

    status: Mapping[str, BridgeStatus]
    device: Callable[[Link], Device]
    resets: Mapping[str, int]

    def port(self, bridge: str, name: str) -> PortStatus | None:
        """The port, if the switch has it."""
        found = self.status.get(bridge)
        return found.ports.get(name) if found else None


class Writer:
    """Finds what to write; rows that were right, and that nothing has happened to, it leaves."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._reading = Reading()
        self._picture = Picture({}, lambda _: UNKNOWN, {})
        self._wrong: Mapping[str, set[Uuid]] = {}
        self._is_new = True

    def forget(self) -> None:
        """What was found has not been written: look at everything the next time."""
        self._is_new = True

    def updates(
        self,
        tables: Tables,
        reading: Reading,
        picture: Picture,
        in_force: int | None,
        news: News | None = None,
    ) -> list[Update]:
        """What brings all columns but `Interface.statistics` to what is.

        in_force: the number of the configuration that is, or None to leave it. news: the rows
        that have changed since the last time; None: not known.
        """
        updates = []
        found = _Found(tables, reading, picture, self._identity.version)
        if news is None or self._is_new:
            looked_at = _all(tables, reading)
        else:
            looked_at = _differing(self._reading, reading, self._picture, picture)
            for table, rows in looked_at.items():
                rows.update(self._wrong[table], news.get(table, ()))
        self._reading, self._picture, self._is_new = reading, picture, False
        self._wrong = {}
        for table, rows in looked_at.items():
            made = [each for uuid in rows if (each := found.update(table, uuid))]
            self._wrong[table] = {each.row for each in made}
            updates += made
        root = the_root(tables)
        if root:
            columns = root_columns(root[1], self._identity, in_force, reading.counts_host)
            of_root = update("Open_vSwitch", *root, columns)
            updates += [of_root] if of_root else []
        return updates


def _all(tables: Tables, reading: Reading) -> dict[str, set[Uuid]]:
    return {
        "Bridge": set(reading.bridges),
        "Port": set(reading.ports),
        "Interface": set(reading.interfaces),
        "Controller": set(tables.get("Controller", {})),
    }


def _differing(
    before: Reading, now: Reading, was: Picture, picture: Picture
) -> dict[str, set[Uuid]]:
    """The rows of which something else is to be said, so far as that does not lie in the rows."""
    interfaces = now.interfaces.differing(before.interfaces)
    ports = now.ports.differing(before.ports)
    remarked: set[Uuid] = set()
    if not now.says_the_same(before):
        then = before.remarks
        remarked = {
            row for row in {*now.remarks, *then} if now.remarks_of(row) != before.remarks_of(row)
        }
    for name, status in picture.status.items():
        old = was.status.get(name)
        if old is not None and old.error == status.error:
            changed: Iterable[str] = SharedMap(status.ports).differing(SharedMap(old.ports))
        else:
            changed = {*status.ports, *(old.ports if old else ())}
        for port in changed:
            interfaces.update(now.rows.get((name, port), ()))
    for name in was.status.keys() - picture.status.keys():
        for port in was.status[name].ports:
            interfaces.update(now.rows.get((name, port), ()))
    return {
        "Bridge": set(now.bridges),
        "Port": ports | (remarked & now.ports.keys()),
        "Interface": interfaces | (remarked & now.interfaces.keys()),
        "Controller": set(),
    }


class _Found:
    """What is so, and what of it a row does not say."""

    def __init__(self, tables: Tables, reading: Reading, picture: Picture, version: str) -> None:
        self._tables = tables
        self._reading = reading
        self._picture = picture
        self._version = version

    def update(self, table: str, uuid: Uuid) -> Update | None:
        """What makes a row say what is so; None if it does, or is not in use."""
        row = self._tables.get(table, {}).get(uuid)
        wanted = None if row is None else self._columns(table, uuid)
        return None if row is None or wanted is None else update(table, uuid, row, wanted)

    def _columns(self, table: str, uuid: Uuid) -> Mapping[str, Value] | None:
        reading = self._reading
        remarks = reading.remarks_of(uuid)
        if table == "Controller":
            return controller_columns(None)
        if table == "Port" and uuid in reading.ports:
            return port_columns(remarks)
        if table == "Bridge" and uuid in reading.bridges:
            bridge = reading.bridges[uuid]
            status = self._picture.status.get(bridge.name)
            return bridge_columns(bridge_facts(bridge, self._version, status, remarks))
        if table == "Interface" and uuid in reading.interfaces:
            return interface_columns(self._facts(reading.interfaces[uuid], remarks))
        return None

    def _facts(self, place: Place, remarks: Remarks) -> InterfaceFacts:
        status = self._picture.status.get(place.bridge)
        port = self._picture.port(place.bridge, place.name)
        facts = InterfaceFacts(
            port,
            status.error if status else "",
            remarks,
            resets=self._picture.resets.get(place.link, 0),
            name=place.link,
        )
        return replace(facts, device=self._picture.device(facts.link)) if facts.link else facts


def statistics_updates(
    tables: Tables,
    reading: Reading,
    picture: Picture,
    counted: Mapping[str, Mapping[str, PortStatistics]],
    counters: Mapping[int, LinkCounters],
    some: Iterable[Uuid] | None = None,
) -> list[Update]:
    """What brings `Interface.statistics` to what is, of all rows or of some.

    counted: by the switch, by bridge and port; nothing is written for bridges that are not in it.
    counters: by the kernel, by link.
    """
    interfaces = tables.get("Interface", {})
    found = []
    for uuid in reading.interfaces if some is None else some:
        place = reading.interfaces[uuid]
        row = interfaces.get(uuid)
        port = picture.port(place.bridge, place.name)
        if row is None or (port and place.bridge not in counted):
            continue
        wanted: dict[str, int] = {}
        # A row that is refused has no port of its own, even if another's has its name.
        if port and row.get("ofport") not in (None, -1):
            mine = counted[place.bridge].get(place.name, _NOTHING)
            wanted = statistics(port, mine, counters.get(_index(port, place.link)))
        made = update("Interface", uuid, row, {"statistics": wanted})
        found += [made] if made else []
    return found


def host_updates(tables: Tables, said: Mapping[str, str]) -> list[Update]:
    """What brings `Open_vSwitch.statistics` to what is said of the host."""
    root = the_root(tables)
    made = update("Open_vSwitch", *root, {"statistics": dict(said)}) if root else None
    return [made] if made else []


def _index(port: PortStatus, name: str) -> int:
    """The index of the link that an interface of the port has, or 0."""
    links = {each.name: each.link.index for each in port.links if each.link}
    return links.get(name, 0) if port.links else port.ifindex
