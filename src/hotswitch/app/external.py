"""An external configuration database with the loop to the switch."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Collection, Mapping

from hotswitch.app.devices import KernelDevices
from hotswitch.app.external_database import ExternalDatabase
from hotswitch.app.identity import own_identity
from hotswitch.app.readiness import notify
from hotswitch.app.store import StoreError, Whereabouts
from hotswitch.base.clock import Clock
from hotswitch.config.clearing import clearing
from hotswitch.config.edit import discard, edit
from hotswitch.config.operations import Operation
from hotswitch.config.pending import Departures
from hotswitch.config.reconcile import Reconciler
from hotswitch.config.unheeded import Refused, Unheeded
from hotswitch.ovsdb.remotes import Connect
from hotswitch.ovsdb.tls import Tls
from hotswitch.switch.desired import Desired
from hotswitch.switch.switch import Switch


class ExternalConfig:
    """To the daemon's own commands it is the store that keeps what they want.

    servers, tls: as of `ExternalDatabase`. Until it is found, what an earlier life left goes on
    forwarding as it is.
    """

    def __init__(
        self,
        servers: Mapping[str, Connect],
        tls: Tls | None,
        switch: Switch,
        clock: Clock,
        departures: Departures,
    ) -> None:
        self._database = ExternalDatabase(servers, tls, self._changed)
        self._found = asyncio.Event()
        self._is_followed = False
        self._running: asyncio.Task[None] | None = None
        self.reconciler = Reconciler(
            self._database, switch, KernelDevices(), clock, own_identity(""), departures
        )

    async def start(self) -> None:
        """Look for the database, and make the switch as it wants when it is there."""
        self._database.start()
        self._running = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Hang up."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._database.close()

    def whereabouts(self) -> Whereabouts:
        """See `Store`."""
        problem = self._database.problem
        unwritten = "" if problem else self.reconciler.unwritten
        return Whereabouts(self._database.name, problem, unwritten)

    # For the daemon's own commands

    def check(self) -> None:
        """See `Store`."""
        problem = self._database.problem
        if not problem and not self.reconciler.has_begun:
            problem = "it is being read"
        if problem:
            raise StoreError(
                f"the database {self._database.name} can't be had: {problem}", errno=errno.EAGAIN
            )

    async def save(self, desired: Desired) -> None:
        """See `Store`. What others have written since stays."""
        await self._database.whole()
        await self._carry_out(edit(self._database.tables(), self.reconciler.reading, desired))

    def unheeded(self) -> Unheeded:
        """See `Store`."""
        return self.reconciler.unheeded

    def watch(self, changed: Callable[[], None]) -> None:
        """See `Store`."""
        self.reconciler.watch(changed)

    async def discard(self, refused: Refused) -> None:
        """See `Store`."""
        await self._database.whole()
        await self._carry_out(discard(self._database.tables(), refused))

    async def clear(self, bridge: str, port: str, fields: Collection[str]) -> None:
        """See `Store`."""
        await self._database.whole()
        tables, reading = self._database.tables(), self.reconciler.reading
        await self._carry_out(clearing(tables, reading, bridge, port, fields))

    async def _carry_out(self, operations: list[Operation]) -> None:
        if operations:
            await self._database.change(operations)
            self.reconciler.reread()
        self.reconciler.changed()

    def _changed(self) -> None:
        self.reconciler.changed()
        if self._database.is_current == self._is_followed:
            return
        self._is_followed = not self._is_followed
        if self._is_followed:
            self.reconciler.identify(own_identity(self._database.schema_version))
            self._found.set()
            notify(f"STATUS=follows {self._database.name}")
        else:
            notify(f"STATUS=forwarding goes on without {self._database.name}")

    async def _follow(self) -> None:
        while not self.reconciler.has_begun:
            await self._found.wait()
            self._found.clear()
            await self.reconciler.start()
        await self.reconciler.run()
