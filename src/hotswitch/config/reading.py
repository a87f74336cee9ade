"""What the tables say, as a value that shares with the next one what is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from hotswitch.base.shared import SharedMap
from hotswitch.config.assembly import Place
from hotswitch.config.notes import NONE, Note, Remarks, by_row
from hotswitch.config.read_bridge import BridgeReading
from hotswitch.config.read_port import PortReading
from hotswitch.config.rows import Uuid
from hotswitch.switch.desired import Desired

STATISTICS_PERIOD = 5_000_000_000
"""Nanoseconds; less is not had."""

_NO_NOTES: Mapping[Uuid, tuple[Note, ...]] = MappingProxyType({})


@dataclass(frozen=True)
class Reading:
    """All of it.

    desired: what the switch is to be; it passes `switch.check`.
    root_notes, bridge_notes, port_notes: what of the tables is not in it; the last by port, as far
        as it can be told apart.
    next_cfg: the configuration's number, for when it is in force.
    statistics_period: nanoseconds between two writings of statistics.
    counts_host: whether the host's statistics are wanted, too.
    bridges, ports, interfaces: the rows that a bridge in use refers to, in force or not.
    rows: the interfaces by their bridge's name and their own.
    """

    desired: Desired = field(default_factory=Desired)
    root_notes: tuple[Note, ...] = ()
    bridge_notes: tuple[Note, ...] = ()
    port_notes: Mapping[Uuid, tuple[Note, ...]] = field(default_factory=lambda: _NO_NOTES)
    next_cfg: int = 0
    statistics_period: int = STATISTICS_PERIOD
    counts_host: bool = False
    bridges: Mapping[Uuid, BridgeReading] = field(default_factory=dict)
    ports: SharedMap[Uuid, PortReading] = field(default_factory=SharedMap)
    interfaces: SharedMap[Uuid, Place] = field(default_factory=SharedMap)
    rows: SharedMap[tuple[str, str], tuple[Uuid, ...]] = field(default_factory=SharedMap)

    @cached_property
    def notes(self) -> tuple[Note, ...]:
        """What of the tables is not in what is wanted."""
        return (
            *self.root_notes,
            *self.bridge_notes,
            *(note for each in self.port_notes.values() for note in each),
        )

    @cached_property
    def remarks(self) -> Mapping[Uuid, Remarks]:
        """The same by row."""
        return by_row(self.notes)

    def says_the_same(self, other: Reading) -> bool:
        """Whether both have the same notes, as can be told at once."""
        return (
            self.port_notes is other.port_notes
            and self.bridge_notes is other.bridge_notes
            and self.root_notes == other.root_notes
        )

    def remarks_of(self, row: Uuid) -> Remarks:
        """What there is to say of a row."""
        return self.remarks.get(row, NONE)
