"""A configuration database that runs elsewhere: a replica of it, and the loop to the switch."""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Callable, Sequence
from typing import Any

import ovs.db.idl
import ovs.jsonrpc
import ovs.stream
from ovs.db.idl import Idl, SchemaHelper, Transaction

from hotswitch.app.devices import KernelDevices
from hotswitch.app.identity import own_identity
from hotswitch.app.service import StoreError
from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.config.edit import Operation
from hotswitch.config.idl import replica_tables, transaction
from hotswitch.config.operations import Update
from hotswitch.config.reconcile import Reconciler
from hotswitch.config.rows import Tables, the_root
from hotswitch.switch.desired import Desired
from hotswitch.switch.switch import Switch

NAME = "Open_vSwitch"
LOCK = "ovs_vswitchd"
"""Who holds it acts on the database; ovs-vswitchd takes the same one."""

_PATIENCE = 5.0
"""Seconds to wait for a server before trying again."""

_log = logging.getLogger(__name__)


class ExternalError(HotswitchError):
    """The external database can't be had just now."""


class ExternalDatabase:
    """A replica of the database at `remotes`, several separated by commas, kept in the loop.

    changed: called when the replica has changed. Loss of the connection changes nothing: the
    replica stays as it was, and is brought up to date when the server is back.
    """

    def __init__(self, remotes: str, changed: Callable[[], None]) -> None:
        self._remotes = remotes
        self._changed = changed
        self._idl: Idl | None = None
        self._tables: Tables = {}
        self._descriptors: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0
        self._waiting: dict[asyncio.Future[str], Transaction] = {}
        self._synchronised = asyncio.Event()

    async def open(self) -> str:
        """Return when the replica is there and nobody else acts on it, however long that takes.

        The result is the schema's version.
        """
        schema = await self._fetch_schema()
        helper = SchemaHelper(schema_json=schema)
        helper.register_all()
        self._idl = Idl(self._remotes, helper)
        self._idl.set_lock(LOCK)
        self._tables = replica_tables(self._idl)
        self._step()
        try:
            await asyncio.wait_for(self._synchronised.wait(), _PATIENCE)
        except TimeoutError:
            _log.warning("%s", self._what_is_missing())
            await self._synchronised.wait()
        version = schema.get("version", "")
        return str(version)

    def _what_is_missing(self) -> str:
        assert self._idl is not None
        if self._idl.is_lock_contended:
            return f"another daemon acts on the database {self._remotes}; waiting until it ends"
        if self._idl.change_seqno:
            return f"the database {self._remotes} is empty; waiting for `ovs-vsctl init`"
        return f"waiting for the database {self._remotes}"

    def close(self) -> None:
        """Hang up."""
        self._unwatch()
        if self._idl is not None:
            self._idl.close()
        for each in self._waiting:
            each.cancel()

    def tables(self) -> Tables:
        """The replica's tables as they are now."""
        return self._tables

    async def transact(self, updates: Sequence[Update]) -> None:
        """Make these changes. Raises ExternalError if they could not be made."""
        await self._commit(transaction(self._free(), updates))

    async def change(self, operations: Sequence[Operation]) -> None:
        """Carry out these operations. Raises ExternalError if they could not be."""
        made = Transaction(self._free())
        for each in operations:
            made.add_op(each)
        await self._commit(made)

    def _free(self) -> Idl:
        """The replica, when no transaction is under way."""
        if self._idl is None or self._idl.txn is not None:
            raise ExternalError("the external database is busy")
        return self._idl

    async def _commit(self, made: Transaction) -> None:
        status = made.commit()
        if status == Transaction.INCOMPLETE:
            done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._waiting[done] = made
            self._step()
            status = await done
        if status not in (Transaction.SUCCESS, Transaction.UNCHANGED):
            raise ExternalError(
                f"the external database did not take it: {made.get_error() or status}"
            )

    async def _fetch_schema(self) -> Any:
        """The server's own schema, which may be older or newer than hotswitch's."""
        complained = False
        while True:
            for remote in self._remotes.split(","):
                try:
                    return await asyncio.to_thread(_ask_schema, remote)
                except ExternalError as error:
                    if not complained:
                        _log.warning("%s; trying on", error)
            complained = True
            await asyncio.sleep(_PATIENCE / 5)

    def _step(self) -> None:
        """Let the library do what there is to do, and see what it waits for next."""
        idl = self._idl
        assert idl is not None
        self._unwatch()
        idl.run()
        for done, made in list(self._waiting.items()):
            status = made.commit()
            if status != Transaction.INCOMPLETE:
                del self._waiting[done]
                if not done.done():
                    done.set_result(status)
        if idl.has_lock and the_root(self._tables) is not None:
            self._synchronised.set()
        if idl.change_seqno != self._seen:
            self._seen = idl.change_seqno
            self._changed()
        self._watch(idl)

    def _watch(self, idl: Idl) -> None:
        poller = _Poller()
        idl.wait(poller)
        loop = asyncio.get_running_loop()
        for descriptor, events in poller.descriptors.items():
            if events & select.POLLIN:
                loop.add_reader(descriptor, self._step)
            if events & select.POLLOUT:
                loop.add_writer(descriptor, self._step)
            self._descriptors.append(descriptor)
        if poller.milliseconds is not None:
            self._timer = loop.call_later(poller.milliseconds / 1000, self._step)

    def _unwatch(self) -> None:
        loop = asyncio.get_running_loop()
        for descriptor in self._descriptors:
            loop.remove_reader(descriptor)
            loop.remove_writer(descriptor)
        self._descriptors.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ExternalConfig:
    """An external database with the loop to the switch.

    The daemon's own commands can't change what is wanted yet; ovs-vsctl does.
    """

    def __init__(self, remotes: str, switch: Switch, clock: Clock) -> None:
        self._remotes = remotes
        self._switch = switch
        self._clock = clock
        self._replica = ExternalDatabase(remotes, self._wake)
        self._running: asyncio.Task[None] | None = None
        self.reconciler = self._reconciler("")

    async def start(self) -> None:
        """Make the switch as wanted, as far as possible, when the database is there."""
        self.reconciler = self._reconciler(await self._replica.open())
        await self.reconciler.start()
        self._running = asyncio.create_task(self.reconciler.run())

    async def close(self) -> None:
        """Hang up."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self._replica.close()

    def load(self) -> Desired:
        """What is wanted."""
        return self.reconciler.reading.desired

    def save(self, desired: Desired) -> None:
        """Raises StoreError."""
        raise StoreError(
            "what is wanted is in an external database",
            remedy=f"change it with `ovs-vsctl --db={self._remotes}`",
        )

    def _wake(self) -> None:
        self.reconciler.changed()

    def _reconciler(self, schema_version: str) -> Reconciler:
        identity = own_identity(schema_version)
        return Reconciler(self._replica, self._switch, KernelDevices(), self._clock, identity)


class _Poller(ovs.poller.Poller):  # type: ignore[misc]
    """Only notes what it would wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.descriptors: dict[int, int] = {}

    def fd_wait(self, fd: Any, events: int) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        self.descriptors[number] = self.descriptors.get(number, 0) | events

    @property
    def milliseconds(self) -> int | None:
        """After how long to wake up, or None for never."""
        return None if self.timeout < 0 else self.timeout


def _ask_schema(remote: str) -> Any:
    error, stream = ovs.stream.Stream.open_block(
        ovs.stream.Stream.open(remote), timeout=int(_PATIENCE * 1000)
    )
    if error or stream is None:
        raise ExternalError(f"{remote} does not answer")
    connection = ovs.jsonrpc.Connection(stream)
    try:
        request = ovs.jsonrpc.Message.create_request("get_schema", [NAME])
        error, reply = connection.transact_block(request)
        if error or reply is None or reply.error is not None:
            raise ExternalError(f"{remote} has no database {NAME}")
        return reply.result
    finally:
        connection.close()
