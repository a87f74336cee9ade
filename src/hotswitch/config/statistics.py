"""Statistics written to the database, some rows at a time, as long as nothing else is to be done.

What has changed is told first: who made a device does not wait for the counters of thousands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.base.pieces import others_turn
from hotswitch.config.devices import Devices
from hotswitch.config.operations import RefusalError, Update
from hotswitch.config.reading import Reading
from hotswitch.config.rows import Tables, Uuid
from hotswitch.config.write import Picture, host_updates, statistics_updates
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.model.port import PortStatistics
from hotswitch.switch.switch import Switch

Transact: TypeAlias = Callable[[Sequence[Update]], Awaitable[RefusalError | None]]
"""Makes changes but for those that the database refuses; why it does the last one."""

_AT_ONCE = 20
"""Rows that are seen to at once, about 1 ms: events of links go in between."""


class StatisticsWriting:
    """What was counted at one moment, and the rows that are still to be told.

    Raises HotswitchError where the database can't be had.
    """

    def __init__(
        self, switch: Switch, devices: Devices, tables: Callable[[], Tables], transact: Transact
    ) -> None:
        self._switch = switch
        self._devices = devices
        self._tables = tables
        self._transact = transact
        self._counted: dict[str, Mapping[str, PortStatistics]] = {}
        self._counters: Mapping[int, LinkCounters] = MappingProxyType({})
        self._left: list[Uuid] = []
        self._is_host_left = False

    @property
    def is_amid(self) -> bool:
        """Whether something is still to be written."""
        return bool(self._left) or self._is_host_left

    async def begin(self, reading: Reading, picture: Picture) -> None:
        """Count; what is written from now on is of this moment, or of when it is looked at."""
        self._counted = {}
        for name, status in picture.status.items():
            if not status.error:
                self._counted[name] = self._switch.statistics(name)
                await others_turn()  # events of links don't wait for all bridges
        self._counters = await asyncio.to_thread(self._devices.counters)
        self._left = list(reading.interfaces)
        self._is_host_left = reading.counts_host

    async def go_on(self, reading: Reading, picture: Picture, has_news: Callable[[], bool]) -> None:
        """Write some rows, and more until there are news."""
        refused: RefusalError | None = None
        while self._left:
            some, self._left = self._left[:_AT_ONCE], self._left[_AT_ONCE:]
            there = [each for each in some if each in reading.interfaces]
            counted, counters = self._counted, self._counters
            tables = self._tables()
            if updates := statistics_updates(tables, reading, picture, counted, counters, there):
                refused = await self._transact(updates) or refused
            await others_turn()
            if has_news():
                break
        if self._is_host_left and not self._left:
            self._is_host_left = False
            said = await asyncio.to_thread(self._devices.host)
            if updates := host_updates(self._tables(), said):
                refused = await self._transact(updates) or refused
        if refused is not None:
            raise refused
