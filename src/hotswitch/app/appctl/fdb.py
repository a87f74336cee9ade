"""The `fdb/` commands: what is known of addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotswitch.app import static_addresses
from hotswitch.app.appctl.names import bridge_of
from hotswitch.app.control.method import RequestError
from hotswitch.app.service import Service
from hotswitch.headers.text import MAC
from hotswitch.model.port import Port
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.switch.desired import DesiredBridge
from hotswitch.switch.pipeline import LOCAL_PORT
from hotswitch.switch.vlans import VLANS


def register(commands: Commands, service: Service) -> None:
    """Add the commands."""
    own = _Addresses(service)
    commands.add("fdb/show", "bridge", 1, 1, own.show)
    commands.add("fdb/add", "bridge port vlan mac", 4, 4, own.add)
    commands.add("fdb/del", "bridge vlan mac", 3, 3, own.delete)
    commands.add("fdb/flush", "[bridge]", 0, 1, own.flush)
    commands.add("fdb/stats-show", "bridge", 1, 1, own.statistics)
    commands.add("fdb/stats-clear", "[bridge]", 0, 1, own.clear_statistics)


@dataclass(frozen=True, slots=True)
class _Totals:
    """What has happened to addresses since the bridge forwards, or this daemon runs."""

    learned: int = 0
    expired: int = 0
    moved: int = 0
    not_learned: int = 0

    def since(self, before: _Totals) -> _Totals:
        """A counter that is smaller than before has begun anew."""
        return _Totals(
            *(
                now - then if now >= then else now
                for now, then in (
                    (self.learned, before.learned),
                    (self.expired, before.expired),
                    (self.moved, before.moved),
                    (self.not_learned, before.not_learned),
                )
            )
        )


class _Addresses:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._cleared: dict[str, _Totals] = {}

    def show(self, words: Sequence[str]) -> str:
        bridge = bridge_of(self._service, words[0]).name
        ports = self._service.switch.datapath(bridge).ports()
        numbers = {port.name: _number(ports, number) for number, port in ports.items()}
        lines = [" port  VLAN  MAC                Age"]
        for row in self._service.switch.addresses(bridge):
            age = "static" if row.static else f"{int(row.age):3}"
            number = numbers.get(row.port, row.port)
            lines.append(f"{number:>5}  {row.vlan:4}  {MAC.show(row.mac)}  {age}")
        return "\n".join([*lines, ""])

    def add(self, words: Sequence[str]) -> str:
        bridge, port, vlan, mac = bridge_of(self._service, words[0]), words[1], words[2], words[3]
        if self._service.port(port)[0].name != bridge.name:
            raise RequestError(f"{port} is not a port of {bridge.name}")
        before = static_addresses.put(self._service, port, _vlan(vlan), _mac(mac))
        if before is None:
            return ""
        ports = self._service.switch.datapath(bridge.name).ports()
        if before.static and before.port in ports and ports[before.port].name == port:
            return ""
        kind = "static" if before.static else "dynamic"
        where = _number(ports, before.port)
        return f"Overriding already existing {kind} entry on {where}\n"

    def delete(self, words: Sequence[str]) -> str:
        bridge = bridge_of(self._service, words[0]).name
        mac = _mac(words[2])
        if not static_addresses.delete(self._service, bridge, _vlan(words[1]), mac):
            raise RequestError("could not find static mac entry")
        return ""

    def flush(self, words: Sequence[str]) -> str:
        for each in self._bridges(words):
            self._service.switch.flush(each.name)
        return "table successfully flushed\n"

    def statistics(self, words: Sequence[str]) -> str:
        bridge = bridge_of(self._service, words[0])
        rows = self._service.switch.addresses(bridge.name)
        totals = self._totals(bridge.name).since(self._cleared.get(bridge.name, _Totals()))
        lines = {
            "Current/maximum MAC entries in the table": f"{len(rows)}/{bridge.address_limit}",
            "Current static MAC entries in the table ": sum(row.static for row in rows),
            "Total number of learned MAC entries     ": totals.learned,
            "Total number of expired MAC entries     ": totals.expired,
            # A table that is full learns nothing new; nothing makes room.
            "Total number of evicted MAC entries     ": 0,
            "Total number of port moved MAC entries  ": totals.moved,
            "Total number of not learned MAC entries ": totals.not_learned,
        }
        shown = [f"  {name}: {value}" for name, value in lines.items()]
        return "\n".join([f'Statistics for bridge "{bridge.name}":', *shown, ""])

    def clear_statistics(self, words: Sequence[str]) -> str:
        for each in self._bridges(words):
            self._cleared[each.name] = self._totals(each.name)
        return "statistics successfully cleared\n"

    def _totals(self, bridge: str) -> _Totals:
        counters = self._service.switch.datapath(bridge).counters()
        expired = self._service.switch.expired[bridge]
        return _Totals(counters.learned, expired, counters.moved, counters.not_learned)

    def _bridges(self, words: Sequence[str]) -> list[DesiredBridge]:
        return [bridge_of(self._service, words[0])] if words else self._service.forwarding()


def _number(ports: Mapping[int, Port], number: int) -> str:
    return "LOCAL" if number == LOCAL_PORT and number in ports else str(number)


def _vlan(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) >= VLANS:
        raise RequestError(f"{text} is not a VLAN", remedy=f"it is a number from 0 to {VLANS - 1}")
    return int(text)


def _mac(text: str) -> int:
    try:
        return MAC.read(text)
    except ValueError:
        raise RequestError("bad MAC address") from None
