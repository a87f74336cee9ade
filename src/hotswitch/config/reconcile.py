"""The loop between database and switch: what is wanted is made so, what is so is written back.

All of it happens in `run`, one turn after another; the other methods only say that there is
something to do and return at once, except that links that come and go are followed at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.base.pieces import by_turns, others_turn
from hotswitch.config.devices import Devices
from hotswitch.config.edit import edit
from hotswitch.config.follow import News
from hotswitch.config.journal import Journal
from hotswitch.config.operations import Operation, RefusalError, Update
from hotswitch.config.other_columns import Identity
from hotswitch.config.pending import Departures, Pending
from hotswitch.config.read import Reader
from hotswitch.config.reading import Reading
from hotswitch.config.resets import Resets
from hotswitch.config.rows import Tables, Uuid, number, text
from hotswitch.config.statistics import StatisticsWriting
from hotswitch.config.unheeded import Unheeded, unheeded
from hotswitch.config.write import Picture, Writer
from hotswitch.switch.desired import Desired
from hotswitch.switch.layout import PortKey
from hotswitch.switch.status import BridgeStatus
from hotswitch.switch.statuses import differing
from hotswitch.switch.switch import Switch

RETRY_PERIOD = 5_000_000_000
"""Nanoseconds after which what failed is tried again."""

_log = logging.getLogger(__name__)


class Database(Protocol):
    """Where the tables are."""

    @property
    def is_current(self) -> bool:
        """Whether the tables say what is wanted now; if not, all is left as it is."""

    def tables(self) -> Tables:
        """The tables as they are now; a row that has not changed is the same object."""

    def news(self) -> News | None:
        """The rows that have changed since the last call; None: any may have.

        Those that only `transact` has changed may be missing.
        """

    async def transact(self, updates: Sequence[Update]) -> None:
        """Make these changes, all of them or none. Raises HotswitchError.

        RefusalError is for these changes only. They are not told to the reconciler as a change.
        """

    async def change(self, operations: Sequence[Operation]) -> None:
        """Carry out these operations, all of them or none. Raises HotswitchError."""


class Reconciler:
    """Keeps a switch as a database wants it, and the database as the switch is."""

    def __init__(
        self,
        database: Database,
        switch: Switch,
        devices: Devices,
        clock: Clock,
        identity: Identity,
        departures: Departures,
    ) -> None:
        self._database = database
        self._switch = switch
        self._devices = devices
        self._clock = clock
        self._reader = Reader()
        self._writer = Writer(identity)
        self._resets = Resets()
        self._journal = Journal()
        self._pending = Pending(departures)
        self._watchers: list[Callable[[], None]] = []
        self._woken = asyncio.Event()
        self._turns = asyncio.Lock()
        self._reading = self._noted = Reading()
        self._news: dict[str, set[Uuid]] | None = None
        self._status: Mapping[str, BridgeStatus] = MappingProxyType({})
        self._has_begun = False
        self._hints: Mapping[str, int] = MappingProxyType({})
        self._remarks: frozenset[str] = frozenset()
        self._failures: frozenset[str] = frozenset()
        self._unwritten = ""
        self._retry_at = 0
        self._statistics = StatisticsWriting(switch, devices, database.tables, self._transact)
        self._statistics_at = 0
        switch.foretell(self._departing)

    @property
    def turns(self) -> asyncio.Lock:
        """Held during a turn. Who changes the switch otherwise holds it from thought to deed."""
        return self._turns

    @property
    def reading(self) -> Reading:
        """What the database said when it was last read."""
        return self._reading

    @property
    def unheeded(self) -> Unheeded:
        """What the database said then, and the switch does not do."""
        return unheeded(self._database.tables(), self._reading)

    @property
    def has_begun(self) -> bool:
        """Whether the switch has been made as the database wants it, once."""
        return self._has_begun

    @property
    def unwritten(self) -> str:
        """What can't be written to the database, and why; empty if all is."""
        return self._unwritten

    def watch(self, changed: Callable[[], None]) -> None:
        """Call this when the rows that are refused may be others."""
        self._watchers.append(changed)

    def identify(self, identity: Identity) -> None:
        """The database turns out to have another schema, or has got one."""
        self._writer = Writer(identity)

    def reread(self) -> None:
        """Take note of what is in force and in the database already."""
        before, self._reading = self._reading, self._read()
        if not self._reading.says_the_same(before):
            self._tell_watchers()

    def _tell_watchers(self) -> None:
        for changed in self._watchers:
            changed()

    def _read(self) -> Reading:
        news = self._database.news()
        if news is None or self._news is None:
            self._news = None
        else:
            for table, rows in news.items():
                self._news.setdefault(table, set()).update(rows)
        return self._reader.read(self._database.tables(), self._hints, news)

    def changed(self) -> None:
        """The database has changed."""
        self._woken.set()

    def links_changed(self) -> None:
        """Something happened to the kernel's links: ports follow now, the database soon."""
        if not self._has_begun and not self._switch.is_amid:
            return  # the first turn looks anyway
        try:
            self._note_failures(self._switch.links_changed())
        except HotswitchError as error:
            self._note_failures([error])
        if not self._switch.is_amid:
            self._pending.note(self._switch, self._reading)
        self._woken.set()

    def _departing(self, ports: Sequence[PortKey]) -> None:
        reading = self._reading
        if any(key not in reading.rows for key in ports):
            reading = self._read()  # they may have got rows since
        self._pending.foretell(ports, reading)

    def tick(self) -> None:
        """Time has passed; call it about once a second."""
        now = self._clock.now()
        if now >= self._statistics_at or self._unwritten or (self._failures and self._is_late(now)):
            self._woken.set()
        deadline = self._switch.deadline
        if self._switch.is_behind or (deadline is not None and now >= deadline):
            self.links_changed()
        if self._has_begun:
            try:
                self._switch.sweep()
            except HotswitchError as error:
                _log.error("what links can do is not known: %s", error)

    async def start(self) -> None:
        """The first turn: afterwards the switch is as wanted, as far as possible."""
        rows = self._database.tables().get("Interface", {}).values()
        self._hints = {text(row, "name"): number(row, "ofport") or 0 for row in rows}
        if there := self._switch.forwarding:
            _log.info(
                "takes over what an earlier life left forwarding",
                extra={"bridges": ",".join(there)},
            )
        await self.turn()

    async def run(self) -> None:
        """Turn after turn, for ever."""
        while True:
            await self._woken.wait()
            try:
                await self.turn()
            except Exception:
                _log.exception("a bug in following the database; the next change is tried again")
                self._reader, self._news = Reader(), None  # what is remembered may be half a truth

    async def turn(self) -> None:
        """Bring the switch and the database together once."""
        async with self._turns:
            self._woken.clear()
            self._pending.note(self._switch, self._reading)
            if not self._database.is_current:
                if self._has_begun:
                    await self._make_so(self._reading)
                return
            reading = self._read()
            if reading.counts_host and not self._reading.counts_host:
                self._statistics_at = 0  # who asks for them now wants to see them now
            self._reading = reading
            is_news = self._note_remarks(reading)
            is_in_force = await self._make_so(reading)
            if is_news:
                self._tell_watchers()
            await self._write(reading, is_in_force=is_in_force)

    def _wanted(self, reading: Reading) -> Desired:
        """What the database wants, and what devices have made of it."""
        return self._pending.wanted(self._switch, reading)

    async def _follow_devices(self, reading: Reading) -> Reading:
        """Have the database want what devices have made of it; what it says then.

        Rows of ports that have gone go first: a device of the same name gets rows of its own.
        """
        self._pending.note(self._switch, reading)
        if operations := edit(self._database.tables(), reading, self._pending.left(reading)):
            await self._database.change(operations)
            await others_turn()
            reading = self._reading = self._read()
        wanted, adopted = self._wanted(reading), self._pending.adopted
        if operations := edit(self._database.tables(), reading, wanted):
            await self._database.change(operations)
            await others_turn()
            self._pending.kept(adopted)
            reading = self._reading = self._read()
        return reading

    async def _make_so(self, reading: Reading) -> bool:
        """Whether it is in force now, as far as it can be."""
        now = self._clock.now()
        try:
            desired = self._wanted(reading)
            if desired != self._switch.desired or not self._has_begun:
                # The old programs go on meanwhile; what is asked meanwhile shares the next turn.
                while compilations := self._switch.prepare(desired):
                    await asyncio.wait(map(asyncio.wrap_future, compilations))
                    prepared, desired = desired, self._wanted(reading)
                    if desired == prepared:
                        desired = prepared
                        break
                failures = await by_turns(self._switch.setting_desired(desired))
                if not self._has_begun:
                    self._journal.note_departed(self._switch.departed_at_start)
                self._note_failures(failures)
                self._retry_at = now + RETRY_PERIOD
                self._forget_hints(desired, kept=bool(failures))
            elif self._failures and self._is_late(now):
                self._retry_at = now + RETRY_PERIOD
                self._note_failures(await by_turns(self._switch.reconciling()))
        except HotswitchError as error:
            self._note_failures([error])
            self._retry_at = now + RETRY_PERIOD
            return False
        finally:
            self._has_begun = True
        return True

    async def _write(self, reading: Reading, *, is_in_force: bool) -> None:
        problem = ""
        try:
            try:
                reading = await self._follow_devices(reading)
            except HotswitchError as error:  # who waits for `cur_cfg` is to learn of the rest
                problem = f"what devices have become can't be kept: {error}"
                reading = self._reading
            await others_turn()  # devices don't wait for rows
            if self._wanted(reading) != self._switch.desired:  # others have written meanwhile
                is_in_force = False
                self._woken.set()
            in_force = reading.next_cfg if is_in_force else None
            status = self._switch.statuses()
            changed = list(differing(self._status, status))
            self._status = status
            self._journal.note(changed)
            self._journal.note_bridges(status)
            self._resets.note(changed)
            picture = Picture(status, self._devices.device, self._resets.counts)
            tables = self._database.tables()
            updates = self._writer.updates(tables, reading, picture, in_force, self._news)
            self._news = {}
            if updates:
                if refused := await self._transact(updates):
                    self._writer.forget()
                    problem = f"the status can't be written: {refused}"
                await others_turn()
            if self._clock.now() >= self._statistics_at and not self._statistics.is_amid:
                self._statistics_at = self._clock.now() + reading.statistics_period
                await self._statistics.begin(reading, picture)
            await self._statistics.go_on(reading, picture, self._woken.is_set)
        except HotswitchError as error:
            self._writer.forget()
            problem = f"the status can't be written: {error}"
        if problem and not self._unwritten:
            _log.error("%s", problem)
        self._unwritten = problem

    async def _transact(self, updates: Sequence[Update]) -> RefusalError | None:
        """Make these changes but for those that the database refuses; why it does the last one.

        Raises HotswitchError.
        """
        try:
            await self._database.transact(updates)
        except RefusalError as error:
            if len(updates) == 1:
                return error
            middle = len(updates) // 2
            first = await self._transact(updates[:middle])
            return await self._transact(updates[middle:]) or first
        return None

    def _is_late(self, now: int) -> bool:
        return now >= self._retry_at

    def _forget_hints(self, desired: Desired, *, kept: bool) -> None:
        """A port that is gone has no claim to the number that it had; others have it by now."""
        if not kept:
            self._hints = MappingProxyType({})
        if self._hints:
            names = {name for bridge in desired.bridges.values() for name in bridge.ports}
            self._hints = {name: each for name, each in self._hints.items() if name in names}

    def _note_remarks(self, reading: Reading) -> bool:
        """Log what is new of them; whether there may be others than the last time."""
        if reading.says_the_same(self._noted):
            return False
        self._noted = reading
        remarks = frozenset(map(str, reading.notes))
        for each in sorted(remarks - self._remarks):
            _log.warning("%s", each)
        self._remarks = remarks
        return True

    def _note_failures(self, failures: Iterable[object]) -> None:
        """Log failures when they appear and when they have gone."""
        failing = frozenset(map(str, failures))
        for each in sorted(failing - self._failures):
            _log.error("%s", each)
        for each in sorted(self._failures - failing):
            _log.info("no longer so: %s", each)
        self._failures = failing
