"""A configuration database that runs elsewhere: found, followed, and written to."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from ovs.db.idl import Transaction

from hotswitch.app.store import RefusedError, StoreError
from hotswitch.config.follow import News
from hotswitch.config.foreign import Trimmer, guarded
from hotswitch.config.idl import Replica, SchemaError, transaction
from hotswitch.config.operations import Operation, Update
from hotswitch.config.rows import Tables, the_root
from hotswitch.ovsdb.caller import Caller
from hotswitch.ovsdb.errors import OvsdbError
from hotswitch.ovsdb.jsonrpc import Notification, Reply, Request
from hotswitch.ovsdb.remotes import Connect
from hotswitch.ovsdb.schema import DatabaseSchema
from hotswitch.ovsdb.tls import Tls

NAME = "Open_vSwitch"
LOCK = "ovs_vswitchd"
"""Who holds it acts on the database; ovs-vswitchd takes the same one."""

_PATIENCE = 10.0
"""Seconds that the server has to answer a transaction."""

_MOMENT = 1.0
"""Seconds that a connection has to become good: what is not there yet is not missing."""

_NO_ANSWER = "no answer yet"
_SCHEMA = "schema"
"""The id of the request for it."""

_log = logging.getLogger(__name__)


class ExternalDatabase:
    """A replica of the database that `servers` serve.

    changed: called when there is something to read, or when whether there is has changed.
    Loss of the connection changes nothing: the replica stays as it was, and is brought up to date
    when a server is back. Of a cluster, the leader is followed.
    """

    def __init__(
        self, servers: Mapping[str, Connect], tls: Tls | None, changed: Callable[[], None]
    ) -> None:
        self.name = ",".join(servers)
        self.schema_version = ""
        self._changed = changed
        self._caller = Caller(servers, tls, self._news)
        self._generation = 0
        self._schema: Any = None
        self._schema_known = False
        self._replica: Replica | None = None
        self._trimmer: Trimmer | None = None
        self._waiting: dict[asyncio.Future[Transaction], Transaction] = {}
        self._was_current = False
        self._seen = 0
        self._said: set[str] = set()
        self._saying: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look for it from now on."""
        self._caller.start()

    def close(self) -> None:
        """Hang up."""
        if self._saying is not None:
            self._saying.cancel()
        self._caller.close()
        for each in self._waiting:
            each.cancel()

    def tables(self) -> Tables:
        """The replica's tables as they are now."""
        return self._replica.view if self._replica else {}

    def news(self) -> News | None:
        """The rows that have changed since the last call; None: any may have."""
        return self._replica.take_rows() if self._replica else None

    @property
    def is_current(self) -> bool:
        """Whether the tables are the database's, and nobody else acts on it."""
        return self._followed() is not None

    @property
    def problem(self) -> str:
        """Why the database is not followed; empty if it is."""
        replica = self._replica
        if self.is_current or (self._was_current and replica is not None and replica.is_amid):
            return ""
        if self._caller.connected and replica is not None:
            if replica.is_amid:
                return "it is being read"
            if replica.is_lock_contended:
                return "another daemon acts on it"
            if replica.is_current:
                return "it has no Open_vSwitch row; `ovs-vsctl init` makes one"
        problems = [f"{name}: {why}" for name, why in self._caller.problems.items()]
        return "; ".join(problems) or _NO_ANSWER

    async def transact(self, updates: Sequence[Update]) -> None:
        """Make these changes, as far as the server's schema takes them. Raises StoreError."""
        replica = await self.whole()
        assert self._trimmer is not None
        await self._commit(transaction(replica, self._trimmer.updates(updates)))

    def has_column(self, table: str, column: str) -> bool:
        """Whether the server's schema has it."""
        return self._trimmer is not None and self._trimmer.has_column(table, column)

    async def change(self, operations: Sequence[Operation]) -> None:
        """Carry out operations, as far as the schema has what they are about.

        All of them or none; rows that they change must be there. Raises HotswitchError.
        """
        await self.whole()
        assert self._trimmer is not None
        await self.apply(guarded(self._trimmer.operations(operations)))

    async def apply(self, operations: Iterable[Any]) -> None:
        """Carry out operations, all of them or none. Raises StoreError."""
        found = list(operations)
        made = Transaction(await self.whole())
        for each in found:
            made.add_op(each)
        await self._commit(made)

    async def whole(self) -> Replica:
        """Return when no change is taken in only partly. Raises StoreError."""
        while self._replica is not None and self._replica.is_amid:
            await asyncio.sleep(0)  # a piece is read in each turn of the loop
        replica = self._followed()
        if replica is None or replica.txn is not None:
            problem = self.problem or "busy"
            raise StoreError(
                f"the database {self.name} can't be had: {problem}", errno=errno.EAGAIN
            )
        return replica

    async def _commit(self, made: Transaction) -> None:
        if made.commit() == Transaction.INCOMPLETE:
            done: asyncio.Future[Transaction] = asyncio.get_running_loop().create_future()
            self._waiting[done] = made
            try:
                async with asyncio.timeout(_PATIENCE):
                    await done
            except TimeoutError:
                raise StoreError(
                    f"the database {self.name} does not answer", errno=errno.ETIMEDOUT
                ) from None
            finally:
                self._waiting.pop(done, None)
        status = made.commit()  # it only tells, now
        if status in (Transaction.SUCCESS, Transaction.UNCHANGED):
            return
        if status == Transaction.NOT_LOCKED:
            raise StoreError("another daemon acts on the database now", errno=errno.EBUSY)
        if status == Transaction.ERROR:
            raise RefusedError(_details(made.get_error()))
        if status == Transaction.TRY_AGAIN and self._followed() is not None:
            raise StoreError("what is to be changed has been changed meanwhile", errno=errno.EAGAIN)
        raise StoreError("the database was lost before it answered; what it holds will be followed")

    # Following

    def _followed(self) -> Replica | None:
        replica = self._replica
        if replica is None or not self._caller.connected or not self._schema_known:
            return None
        return replica if replica.is_current and the_root(replica.view) is not None else None

    def _news(self) -> None:
        """Something has come, or the connection has come or gone."""
        writing = bool(self._waiting)  # even if the answer is among it
        try:
            self._read()
        except Exception:
            _log.exception("a bug in following the database; it is read anew")
            self._caller.hang_up("it was not understood")
        self._tell(writing)

    def _read(self) -> None:
        caller = self._caller
        if not caller.connected:
            self._lose()
            return
        if caller.generation != self._generation:
            self._generation = caller.generation
            self._lose()
            # It may have been converted to another, or this may be another server.
            caller.send(Request("get_schema", [NAME], _SCHEMA))
            return
        if not self._schema_known and not self._take_schema():
            return
        replica = self._replica
        assert replica is not None
        replica.run()
        self._settle(lost=False)
        if caller.has_received or replica.is_amid:
            asyncio.get_running_loop().call_soon(self._news)

    def _lose(self) -> None:
        self._schema_known = False
        self._settle(lost=True)
        if self._replica is not None and self._replica.is_amid:
            self._replica = None  # what is missing of it will not come

    def _take_schema(self) -> bool:
        caller = self._caller
        while (message := caller.receive()) is not None:
            if isinstance(message, Notification):
                continue
            if not isinstance(message, Reply) or message.id != _SCHEMA:
                continue
            if message.error is not None:
                caller.hang_up(f"has no database {NAME}")
                return False
            try:
                self._use(message.result)
            except SchemaError as error:
                caller.hang_up(error.message)
                return False
            return True
        return False

    def _use(self, schema: Any) -> None:
        if self._replica is None or schema != self._schema:
            replica = Replica(self._caller, schema, LOCK)
            try:
                trimmer = Trimmer(DatabaseSchema.from_json(schema))
            except OvsdbError as error:
                raise SchemaError(f"its schema can't be understood: {error.message}") from error
            self._replica, self._trimmer, self._schema = replica, trimmer, schema
            self.schema_version = trimmer.schema.version
            trimmer.say_what_is_missing()
            self._was_current = False
        self._schema_known = True

    def _settle(self, *, lost: bool) -> None:
        """Tell those who wait for transactions that are over."""
        for done, made in list(self._waiting.items()):
            if (lost or made.commit() != Transaction.INCOMPLETE) and not done.done():
                del self._waiting[done]
                done.set_result(made)

    def _tell(self, writing: bool) -> None:
        if self._replica is not None and self._replica.is_amid:
            return  # soon
        current = self.is_current
        news = self._replica is not None and self._replica.take_news(writing=writing)
        if current:
            self._caller.served()
        if current != self._was_current:
            self._was_current = current
            if current:
                assert self._replica is not None
                self._replica.forget_rows()
                self._said.clear()
                _log.info("follows the database %s at %s", self.name, self._caller.name)
                self._compare_versions(self._replica.told_version)
            else:
                _log.warning("the database %s is lost; forwarding goes on", self.name)
            self._changed()
        elif current and news:
            self._changed()
        if not current and self._saying is None:
            self._saying = asyncio.get_running_loop().call_later(_MOMENT, self._say_why)

    def _compare_versions(self, told: str) -> None:
        """Warn of a server that tells its clients another schema than it has."""
        if told and self.schema_version and told != self.schema_version:
            _log.warning(
                "the database has the schema %s, but its ovsdb-server tells clients of %s: "
                "ovs-vsctl shows other columns as not set until ovsdb-server is started again",
                self.schema_version,
                told,
            )

    def _say_why(self) -> None:
        """Log why it is not followed, once, unless it is by now."""
        self._saying = None
        problem = self.problem
        if problem and problem != _NO_ANSWER and problem not in self._said:
            self._said.add(problem)
            _log.warning("the database %s is not there: %s; trying on", self.name, problem)


def _details(error: str) -> str:
    """What an error object of the protocol says, in one line."""
    try:
        found = msgspec.json.decode(error, type=dict[str, Any])
    except msgspec.MsgspecError:
        return error
    return str(found.get("details") or found.get("error") or error)
