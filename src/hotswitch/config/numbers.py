"""Port numbers that the database asks for: each at most once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from hotswitch.config.read_port import PortReading
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.pipeline import LOCAL_PORT


def with_numbers(
    bridge: str,
    readings: Iterable[PortReading],
    hints: Mapping[str, int],
    lost: Callable[[PortReading, str], None],
) -> dict[str, DesiredPort]:
    """The ports of one bridge by name, with the numbers that they are to have.

    Of several that ask for the same, the one that has it keeps it, else the first by name gets
    it; `lost` is told of the others and who was first. `hints`, by name, are the numbers that
    ports had once: they get them again if nobody asked for them.
    """
    ports = {each.port.name: each for each in readings if each.port}
    owners: dict[int, str] = {}
    for name, reading in sorted(ports.items(), key=_precedence):
        assert reading.port
        if reading.port.number:
            owner = owners.setdefault(reading.port.number, name)
            if owner != name:
                lost(reading, owner)
    for name, number in sorted(hints.items()):
        port = ports[name].port if name in ports else None
        if port and name != bridge and not port.number and _is_usable(number):
            owners.setdefault(number, name)
    granted = {name: number for number, name in owners.items()}
    return {
        name: _numbered(reading.port, granted.get(name, 0))
        for name, reading in ports.items()
        if reading.port
    }


def _precedence(item: tuple[str, PortReading]) -> tuple[bool, str]:
    name, reading = item
    return reading.port is None or reading.had != reading.port.number, name


def _is_usable(number: int) -> bool:
    return 0 < number <= MAXIMUM_PORT and number != LOCAL_PORT


def _numbered(port: DesiredPort, number: int) -> DesiredPort:
    return port if port.number == number else replace(port, number=number)
