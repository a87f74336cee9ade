"""What a packet meets on its way: tables, meters, addresses, ports, and the counts of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hotswitch.datapath.contract import DatapathError
from hotswitch.datapath.engines.reference.packet import Packet
from hotswitch.model.entry import NOTHING, Entry, EntryKey, EntryStatistics
from hotswitch.model.match import Match
from hotswitch.model.port import Address, Meter, Port, PortStatistics, Side, worth_keeping

_GROUP_BIT = 1 << 40
_SECOND = 1_000_000_000


class Table:
    """Entries in the order in which they win."""

    def __init__(self) -> None:
        self._entries: dict[EntryKey, Entry] = {}
        self._order: list[Entry] | None = None

    def put(self, entry: Entry) -> None:
        """Add or replace an entry."""
        self._entries[entry.key] = entry
        self._order = None

    def delete(self, key: EntryKey) -> None:
        """Delete an entry."""
        del self._entries[key]
        self._order = None

    def find(self, packet: Packet) -> Entry | None:
        """The entry for the packet."""
        if self._order is None:
            self._order = sorted(
                self._entries.values(), key=lambda each: (-each.priority, each.match.mask)
            )
        return next((entry for entry in self._order if matches(entry.match, packet)), None)


def matches(match: Match, packet: Packet) -> bool:
    """All terms hold."""
    for term in match:
        value = packet.read(term.field)
        if value is None or value & term.mask != term.value:
            return False
    return True


class Entries:
    """All tables, and what each entry has handled."""

    def __init__(self) -> None:
        self._tables: dict[int, Table] = {}
        self.statistics: dict[EntryKey, EntryStatistics] = {}

    def put(self, entry: Entry) -> None:
        """Add or replace an entry."""
        self._tables.setdefault(entry.table, Table()).put(entry)
        self.statistics.setdefault(entry.key, NOTHING)

    def delete(self, key: EntryKey) -> EntryStatistics:
        """Delete an entry; its last statistics."""
        self._tables[key.table].delete(key)
        return self.statistics.pop(key)

    def note_flags(self, key: EntryKey, flags: int) -> None:
        """Add TCP flags to what an entry has seen."""
        self.statistics[key] += EntryStatistics(tcp_flags=flags)

    def find(self, table: int, packet: Packet, now: int) -> Entry | None:
        """The entry for the packet, which it counts."""
        found = self._tables.get(table, Table()).find(packet)
        if found:
            self.statistics[found.key] += EntryStatistics(1, packet.length, now)
        return found


class Meters:
    """Generic cell rate algorithm (ITU-T I.371, annex A). `_due`: when a bucket is full again."""

    def __init__(self) -> None:
        self._meters: dict[int, Meter] = {}
        self._due: dict[int, int] = {}

    def put(self, meter: Meter) -> None:
        """Add or change a meter; a change leaves the bucket as it is."""
        self._meters[meter.number] = meter
        self._due.setdefault(meter.number, 0)

    def delete(self, number: int) -> None:
        """Delete a meter."""
        del self._meters[number], self._due[number]

    def conforms(self, number: int, now: int) -> bool:
        """May one more packet pass?"""
        meter = self._meters.get(number)
        if meter is None:
            return True
        interval = _SECOND // meter.rate
        due = max(now, self._due[number])
        if due - now > meter.burst * interval:
            return False
        self._due[number] = due + interval
        return True


class Addresses:
    """The address table, with room for `limit` rows."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._rows: dict[tuple[int, int], Address] = {}

    def all(self) -> list[Address]:
        """All rows."""
        return list(self._rows.values())

    def port(self, vlan: int, mac: int) -> int:
        """The port of an address, or 0."""
        row = self._rows.get((vlan, mac))
        return row.port if row else 0

    def find(self, wanted: Iterable[tuple[int, int]]) -> list[Address]:
        """The rows of these VLANs and addresses, of those that are there."""
        return [row for each in wanted if (row := self._rows.get(each))]

    def put(self, address: Address) -> None:
        """Add or replace a row. Raises DatapathError if there is no room."""
        if not self._has_room(address.vlan, address.mac):
            raise DatapathError(f"the address table is full, {self.limit} rows")
        self._rows[address.vlan, address.mac] = address

    def delete(self, addresses: Iterable[Address]) -> int:
        """Delete rows that still have this port; how many."""
        found = [each for each in addresses if self.port(each.vlan, each.mac) == each.port]
        return sum(self._rows.pop((each.vlan, each.mac), None) is not None for each in found)

    def learn(self, vlan: int, mac: int, port: int, now: int) -> Address | None:
        """Note where an address was seen; None: there was no room for it."""
        known = self._rows.get((vlan, mac))
        if known and known.static:
            return known
        if not self._has_room(vlan, mac):
            return None
        row = self._rows[vlan, mac] = Address(vlan, mac, port, now)
        return row

    def set_limit(self, limit: int) -> None:
        """Have room for so many rows; which stay, says `worth_keeping`."""
        self.limit = limit
        kept = sorted(self._rows.values(), key=worth_keeping, reverse=True)[:limit]
        self._rows = {(row.vlan, row.mac): row for row in kept}

    def _has_room(self, vlan: int, mac: int) -> bool:
        return (vlan, mac) in self._rows or len(self._rows) < self.limit


def can_be_learned(mac: int) -> bool:
    """A single station's address: neither a group's nor all zero."""
    return mac != 0 and not mac & _GROUP_BIT


class Ports:
    """The ports and their counts."""

    def __init__(self) -> None:
        self._ports: dict[int, Port] = {}
        self._counts: dict[int, Counter[str]] = {}

    def put(self, port: Port) -> None:
        """Add or change a port."""
        self._ports[port.number] = port
        self._counts.setdefault(port.number, Counter())

    def delete(self, number: int) -> PortStatistics:
        """Delete a port; its last statistics."""
        del self._ports[number]
        return PortStatistics(**self._counts.pop(number))

    def exists(self, number: int) -> bool:
        """There is such a port."""
        return number in self._ports

    def has_link(self, number: int) -> bool:
        """There is such a port, and a link behind it."""
        return number in self._ports and self._ports[number].ifindex != 0

    def is_host(self, number: int) -> bool:
        """What comes in by this port, the host sent."""
        return self._ports[number].side is Side.HOST

    def by_link(self, ifindex: int) -> int:
        """The port that has this link, standby or not, or 0."""
        return next(
            (
                number
                for number, port in self._ports.items()
                if any(link.ifindex == ifindex for link in port.links)
            ),
            0,
        )

    def count(self, number: int, **counts: int) -> None:
        """Add to a port's counts, by the names in `PortStatistics`."""
        self._counts[number].update(counts)

    def statistics(self) -> dict[int, PortStatistics]:
        """All ports' statistics, by number."""
        return {number: PortStatistics(**counts) for number, counts in self._counts.items()}
