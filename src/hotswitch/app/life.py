"""A daemon's life: one asyncio loop from lock to last goodbye."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import hotswitch
from hotswitch.app import appctl
from hotswitch.app.control import method
from hotswitch.app.database import ConfigDatabase, open_storage
from hotswitch.app.engines import EngineKind
from hotswitch.app.lock import Lock
from hotswitch.app.loop_errors import LoopErrors
from hotswitch.app.methods import all_methods
from hotswitch.app.netlink import Netlink
from hotswitch.app.netlink import clean_up as clean_up_netlink
from hotswitch.app.paths import DATABASE, RunDirectory
from hotswitch.app.readiness import notify
from hotswitch.app.service import Service
from hotswitch.app.world import ElsewhereError, Outside
from hotswitch.base.clock import Clock, MonotonicClock
from hotswitch.base.errors import HotswitchError
from hotswitch.headers.registry import Registry
from hotswitch.kernel import netns
from hotswitch.kernel.link_monitor import LinkMonitor
from hotswitch.ovsdb import coverage, vlog
from hotswitch.ovsdb.caller import usable_servers
from hotswitch.ovsdb.coverage import Coverage
from hotswitch.ovsdb.remotes import Connect, RemoteError
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.ovsdb.unixctl_server import ControlServer
from hotswitch.switch.apply import World
from hotswitch.switch.desired import Desired
from hotswitch.switch.switch import Switch

_AGEING_PERIOD = 1.0
_TICK_PERIOD = 1.0

_METHODS = re.compile(r"p?(unix|tcp|ssl|db):")
"""What begins like this is no file: an external database, or a mistake."""

if TYPE_CHECKING:
    from hotswitch.app.external import ExternalConfig

_log = logging.getLogger(__name__)


class Life:
    """One daemon for `run_dir`, in the network namespace `namespace` (None: this one).

    database: the configuration database's file, or where an external one is served
        (`unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT`, several separated by commas); None: conf.db
        in the run directory.
    tls: for `ssl:` and `pssl:`; None: as the database's SSL table says, if it is in this process.
    group: the numeric group that may use the sockets as well, or None.
    """

    def __init__(
        self,
        run_dir: Path,
        namespace: str | None,
        engine: EngineKind,
        database: str | None = None,
        *,
        tls: Tls | None = None,
        group: int | None = None,
    ) -> None:
        self._tls = tls
        self._group = group
        self._engine = engine
        self._database = database or str(run_dir / DATABASE)
        self._files = RunDirectory(run_dir)
        self._namespace = namespace
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        self._stop_forwarding = False

    async def run(self) -> None:
        """Live until told to stop. Raises HotswitchError if it can't begin."""
        asyncio.get_running_loop().set_exception_handler(LoopErrors())
        with ExitStack() as held:
            lock = self._begin()
            held.callback(lock.release)
            storage = None
            # What can't be is refused before anything is touched.
            servers = None
            if self._tls is not None:
                self._tls.check()
            if _METHODS.match(self._database):
                servers = usable_servers(self._database, self._tls)
            else:
                storage = open_storage(Path(self._database))
                held.callback(storage.close)
            registry = Registry.standard()
            outside = Outside(self._files.path, registry, self._engine)
            monitor = held.enter_context(LinkMonitor())
            world = outside.world()
            clock = MonotonicClock()
            switch = Switch(world, clock)
            database = self._config(storage, servers, switch, clock)
            await database.start()
            reconciler = database.reconciler
            service = Service(switch, database, registry, clock, self._leave, reconciler.turns)
            commands, events = _commands(service, database)
            server = ControlServer(self._files.control, commands, group=self._group)
            netlink = Netlink(self._files, outside, world, registry, clock, self._group)

            def links_changed() -> None:
                reconciler.links_changed()
                netlink.links_changed()

            await _listen(server)
            netlink.start()
            with (
                _watching(monitor, links_changed),
                _every(_AGEING_PERIOD, service.age),
                _every(_TICK_PERIOD, netlink.tidy),
                _every(_TICK_PERIOD, reconciler.tick),
                _every(coverage.PERIOD, events.sample),
            ):
                self._announce(service)
                await self._ending.wait()
            notify("STOPPING=1")
            await server.hang_up(but=self._leaving)
            await netlink.hang_up()
            await service.close()
            await database.close()
            self._end(world, switch, outside, netlink)
        # Nothing is held any more: who asked for the end is answered.
        self._ended.set()
        await server.close()

    def _config(
        self,
        storage: Storage | None,
        servers: Mapping[str, Connect] | None,
        switch: Switch,
        clock: Clock,
    ) -> ConfigDatabase | ExternalConfig:
        if storage is not None:
            return ConfigDatabase(
                storage, self._files, switch, clock, tls=self._tls, group=self._group
            )
        assert servers is not None
        from hotswitch.app.external import ExternalConfig  # it loads the ovs library

        return ExternalConfig(servers, self._tls, switch, clock)

    def clean_up(self) -> None:
        """End what an earlier daemon left. Raises HotswitchError."""
        lock = self._begin()
        try:
            outside = Outside(self._files.path, Registry.standard(), self._engine)
            try:
                world = outside.world()
                clean_up_netlink(outside, world)
                switch = Switch(world, MonotonicClock())
                for failure in switch.set_desired(Desired()):
                    _log.error("%s", failure)
            except ElsewhereError as error:
                _log.warning("%s: what it made there stays there", error.message)
            outside.remove()
            _log.info("the forwarding has ended")
        finally:
            lock.release()

    def _begin(self) -> Lock:
        reason = self._engine.why_unusable()
        if reason is not None:
            raise reason
        lock = Lock(self._files.lock)
        lock.take()
        if self._namespace is not None:
            netns.enter(self._namespace)
        return lock

    def _stop(self, stop_forwarding: bool) -> None:
        self._stop_forwarding = self._stop_forwarding or stop_forwarding
        self._ending.set()

    async def _leave(self, stop_forwarding: bool) -> None:
        asked_by = asyncio.current_task()
        assert asked_by is not None
        self._leaving.add(asked_by)
        self._stop(stop_forwarding)
        await self._ended.wait()

    def _announce(self, service: Service) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, False)
        bridges = service.desired.bridges.values()
        _log.info(
            "ready",
            extra={
                "version": hotswitch.__version__,
                "pid": os.getpid(),
                "run_dir": str(self._files.path),
                "bridges": len(bridges),
                "ports": sum(len(each.ports) for each in bridges),
            },
        )
        notify("READY=1", f"STATUS=forwarding for {len(bridges)} bridges")

    def _end(self, world: World, switch: Switch, outside: Outside, netlink: Netlink) -> None:
        try:
            netlink.close(stop_forwarding=self._stop_forwarding)
        except HotswitchError as error:
            _log.error("%s", error)
        if self._stop_forwarding:
            try:
                for failure in switch.set_desired(Desired()):
                    _log.error("%s", failure)
                outside.remove()
            except HotswitchError as error:
                _log.error("the forwarding could not be ended cleanly: %s", error)
        for datapath in world.datapaths.values():
            datapath.close()
        _log.info("ends", extra={"forwarding": "ended" if self._stop_forwarding else "goes on"})


def _commands(
    service: Service, database: ConfigDatabase | ExternalConfig
) -> tuple[Commands, Coverage]:
    """What the control socket understands, and the events that are counted."""
    commands = Commands(f"hotswitch {hotswitch.__version__}")
    vlog.register(commands)
    events, usage = [lambda: appctl.events(service)], [lambda: appctl.usage(service)]
    if isinstance(database, ConfigDatabase):
        counts, holds = database.commands(commands)
        events.append(counts)
        usage.append(holds)
    counted = Coverage(*events)
    coverage.register(commands, counted, usage)
    appctl.register(commands, service)
    method.register(commands, all_methods(service))
    return commands, counted


class ListenError(HotswitchError):
    """The control socket can't be made."""


async def _listen(server: ControlServer) -> None:
    try:
        await server.start()
    except RemoteError as error:
        raise ListenError(
            f"can't make the control socket: {error.message}",
            remedy="give a --run-dir with a shorter path" if "too long" in error.message else "",
        ) from error


@contextmanager
def _watching(monitor: LinkMonitor, follow: Callable[[], None]) -> Iterator[None]:
    """Follow the kernel's links at once; what has come until then is one change."""
    loop = asyncio.get_running_loop()

    def ready() -> None:
        if monitor.read():
            follow()

    loop.add_reader(monitor.fileno(), ready)
    try:
        yield
    finally:
        loop.remove_reader(monitor.fileno())


@contextmanager
def _every(period: float, work: Callable[[], None]) -> Iterator[None]:
    """Do something every `period` seconds; what goes wrong in it is logged and forgotten."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(period)
            try:
                work()
            except Exception:
                _log.exception("a bug in something that is done every %s s", period)

    task = asyncio.get_running_loop().create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
