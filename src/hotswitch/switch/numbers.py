"""Which number each port of a bridge has: the one asked for, else its own, else the lowest free."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from hotswitch.base.shared import SharedMap
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Port
from hotswitch.switch.desired import DesiredBridge, DesiredPort
from hotswitch.switch.pipeline import LOCAL_PORT, all_ports


@dataclass(frozen=True, slots=True)
class Numbers:
    """by_name, by_number: of all ports. none_free_below: no lower number is free."""

    by_name: SharedMap[str, int] = field(default_factory=SharedMap)
    by_number: SharedMap[int, str] = field(default_factory=SharedMap)
    none_free_below: int = 1

    @staticmethod
    def of(by_name: Mapping[str, int]) -> Numbers:
        """These, whatever they are."""
        return Numbers(
            SharedMap(by_name), SharedMap({number: name for name, number in by_name.items()})
        )

    def having(
        self, bridge: str, ports: Mapping[str, DesiredPort], changed: Set[str]
    ) -> Numbers | None:
        """The successor for these ports, of which those changed, came or went.

        None if one asks for the number of a port that has not changed, which must go elsewhere.
        """
        asked = {
            name: ports[name].number or (LOCAL_PORT if name == bridge else 0)
            for name in changed
            if name in ports
        }
        freed = {
            name: number
            for name in changed
            if (number := self.by_name.get(name)) and asked.get(name, -1) not in (0, number)
        }
        given = {
            name: number
            for name, number in asked.items()
            if number and self.by_name.get(name) != number
        }
        if any(self.by_number.get(each, "") not in ("", *freed) for each in given.values()):
            return None
        taken = set(given.values())
        free = min([self.none_free_below, *freed.values()])
        back = set(freed.values())
        for name in sorted(name for name in asked if not asked[name] and name not in self.by_name):
            while free in taken or (free in self.by_number and free not in back):
                free += 1
            given[name] = free
            taken.add(free)
        return Numbers(
            self.by_name.having(given, freed.keys() - given.keys()),
            self.by_number.having({n: name for name, n in given.items()}, back - taken),
            free,
        )


def port_numbers(bridge: DesiredBridge, there: Mapping[int, Port]) -> dict[str, int]:
    """A number for each port: the one asked for, else the one it has, else the lowest free."""
    wanted = {port.name: port.number for port in all_ports(bridge) if port.number}
    wanted.setdefault(bridge.name, LOCAL_PORT)
    taken = set(wanted.values())
    names = {port.name for port in all_ports(bridge)}
    for number, present in sorted(there.items()):
        if present.name in names and present.name not in wanted and number not in taken:
            wanted[present.name] = number
            taken.add(number)
    free = (number for number in range(1, MAXIMUM_PORT + 1) if number not in taken)
    for port in all_ports(bridge):
        if port.name not in wanted:
            wanted[port.name] = next(free)
    return wanted
