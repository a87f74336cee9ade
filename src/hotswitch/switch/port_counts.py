"""What a bridge's ports have counted, read piece by piece: each part is short, however many ports
there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hotswitch.datapath.contract import Datapath
from hotswitch.model.port import PortStatistics

_PIECE = 32
"""Ports whose statistics are read at once, in less than 1 ms."""


class PortCounts(Mapping[str, PortStatistics]):
    """By name, of the ports that there are when it is made. Each is read once, when it or one
    beside it is first looked at; a port that has gone by then has counted nothing.

    Looking raises HotswitchError.
    """

    def __init__(self, datapath: Datapath) -> None:
        self._datapath = datapath
        self._numbers = sorted(datapath.ports())
        names = (datapath.ports()[number].name for number in self._numbers)
        self._places = {name: place for place, name in enumerate(names)}
        self._read: dict[int, Mapping[int, PortStatistics]] = {}

    def __getitem__(self, name: str) -> PortStatistics:
        place = self._places[name]
        piece = place // _PIECE
        if piece not in self._read:
            numbers = self._numbers[piece * _PIECE : (piece + 1) * _PIECE]
            there = [number for number in numbers if number in self._datapath.ports()]
            self._read[piece] = self._datapath.port_statistics(there)
        return self._read[piece].get(self._numbers[place], PortStatistics())

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
