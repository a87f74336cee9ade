"""A daemon's life: one asyncio loop from lock to last goodbye."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import hotswitch
from hotswitch.app import appctl, descriptors, pid_files
from hotswitch.app.control import method
from hotswitch.app.control.method import Method
from hotswitch.app.database import ConfigDatabase, open_storage
from hotswitch.app.departures import KeptDepartures
from hotswitch.app.engines import EngineKind
from hotswitch.app.files.desk import Desk
from hotswitch.app.files.mounted import FileTree, take_away
from hotswitch.app.host_links import HostLinks
from hotswitch.app.link_following import LinkFollowing
from hotswitch.app.lock import Lock
from hotswitch.app.loop_errors import LoopErrors
from hotswitch.app.methods import all_methods
from hotswitch.app.netlink import Netlink
from hotswitch.app.netlink import clean_up as clean_up_netlink
from hotswitch.app.paths import DATABASE, DEPARTURES, LINK_IDS, VNICS, RunDirectory, beside
from hotswitch.app.readiness import notify
from hotswitch.app.service import Service
from hotswitch.app.store import StoreError
from hotswitch.app.world import ElsewhereError, Outside
from hotswitch.base.clock import Clock, MonotonicClock
from hotswitch.base.errors import HotswitchError
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import netns
from hotswitch.kernel.namespace_monitor import NamespaceMonitor
from hotswitch.ovsdb import coverage, vlog
from hotswitch.ovsdb.caller import usable_servers
from hotswitch.ovsdb.coverage import Coverage
from hotswitch.ovsdb.remotes import Connect, RemoteError
from hotswitch.ovsdb.storage import Storage
from hotswitch.ovsdb.tls import Tls
from hotswitch.ovsdb.unixctl import Commands
from hotswitch.ovsdb.unixctl_server import ControlServer
from hotswitch.ports.link_id_file import KeptLinkIds
from hotswitch.ports.vnics_macvlan import Macvlans
from hotswitch.switch.desired import Desired
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.switch import Switch
from hotswitch.switch.world import World

_AGEING_PERIOD = 1.0
_TICK_PERIOD = 1.0
_RETRY_PERIOD = 5.0

_SWITCH_INTERVAL = 0.0005
"""Seconds that another thread, which compiles or counts, keeps this one from following links."""

_METHODS = re.compile(r"p?(unix|tcp|ssl|db):")
"""What begins like this is no file: an external database, or a mistake."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+_-]*:")

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
    tree: whether the switch is shown as a tree of files.
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
        tree: bool = True,
    ) -> None:
        self._tree = tree
        self._tls = tls
        self._group = group
        self._engine = engine
        self._files = RunDirectory(run_dir.absolute())
        self._database = database or str(self._files.path / DATABASE)
        self._namespace = namespace
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        self._stop_forwarding = False

    async def run(self) -> None:
        """Live until told to stop. Raises HotswitchError if it can't begin."""
        asyncio.get_running_loop().set_exception_handler(LoopErrors())
        sys.setswitchinterval(_SWITCH_INTERVAL)
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
                storage = open_storage(_file(self._database))
                held.callback(storage.close)
            registry = standard_registry()
            outside = Outside(self._files.path, registry, self._engine)
            namespaces = held.enter_context(NamespaceMonitor())
            ids = KeptLinkIds(self._file(LINK_IDS))
            held.callback(ids.close)
            links = KernelLinks(ids)
            held.callback(links.close)
            host = HostLinks(links, ids, outside.owner)
            macvlans = Macvlans(self._file(VNICS), outside.owner, links.look)
            world = outside.world(links)
            clock = MonotonicClock()
            switch = Switch(world, clock)
            database = self._config(storage, servers, switch, clock)
            await database.start()
            reconciler = database.reconciler
            service = Service(switch, database, registry, clock, self._leave, reconciler.turns)
            macvlans.recover()
            macvlans.follow()

            netlink = Netlink(self._files, outside, world, registry, clock, self._group)

            def follow() -> None:
                reconciler.links_changed()
                macvlans.follow()
                netlink.links_changed()

            def forget_gone() -> None:
                if namespaces.has_told():
                    macvlans.forget_gone()

            methods = all_methods(service, host, macvlans)
            commands, events = _commands(service, database, methods)
            files = FileTree(self._files.tree, Desk(service, methods, host.table), self._group)
            server = ControlServer(self._files.control, commands, group=self._group)
            await _listen(server)
            netlink.start()
            found_by = pid_files.PidFiles(self._files.control, self._group)
            held.callback(found_by.remove)
            found_by.write(_names(database))
            self._heed_signals()
            if self._tree:
                files.start()
            with (
                LinkFollowing(links, follow, service.events.links_lost),
                _every(_RETRY_PERIOD, partial(macvlans.follow, again=True)),
                _every(_TICK_PERIOD, forget_gone),
                _every(_AGEING_PERIOD, service.age),
                _every(_TICK_PERIOD, netlink.tidy),
                _every(_TICK_PERIOD, reconciler.tick),
                _every(coverage.PERIOD, events.sample),
            ):
                self._announce(world)
                await self._ending.wait()
            notify("STOPPING=1")
            await files.stop()
            await server.hang_up(but=self._leaving)
            await netlink.hang_up()
            await service.close()
            await database.close()
            self._end(world, switch, outside, macvlans, netlink)
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
        departures = KeptDepartures(self._file(DEPARTURES))
        if storage is not None:
            return ConfigDatabase(
                storage, self._files, switch, clock, departures, tls=self._tls, group=self._group
            )
        assert servers is not None
        from hotswitch.app.external import ExternalConfig  # it loads the ovs library

        return ExternalConfig(servers, self._tls, switch, clock, departures)

    def _file(self, suffix: str) -> Path:
        """A file beside the database's, or if that is elsewhere, in the run directory."""
        if _METHODS.match(self._database):
            return beside(self._files.path / DATABASE, suffix)
        return beside(Path(self._database), suffix)

    def clean_up(self) -> None:
        """End what an earlier daemon left. Raises HotswitchError."""
        lock = self._begin()
        try:
            outside = Outside(self._files.path, standard_registry(), self._engine)
            try:
                links = KernelLinks()
                world = outside.world(links)
                clean_up_netlink(self._files, outside, world)
                switch = Switch(world, MonotonicClock())
                for failure in switch.set_desired(Desired()):
                    _log.error("%s", failure)
                macvlans = Macvlans(self._file(VNICS), outside.owner, links.look)
                macvlans.recover()
                macvlans.take_away()
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
        descriptors.claim()
        lock = Lock(self._files.lock)
        lock.take()
        take_away(self._files.tree)
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

    def _heed_signals(self) -> None:
        """Before libfuse does. Who ignores SIGHUP, as nohup does, means it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._stop, False)

    def _announce(self, world: World) -> None:
        """What forwards, be it only what an earlier life left."""
        bridges = world.datapaths.values()
        _log.info(
            "ready",
            extra={
                "version": hotswitch.__version__,
                "pid": os.getpid(),
                "run_dir": str(self._files.path),
                "bridges": len(bridges),
                "ports": sum(len(each.ports()) for each in bridges),
            },
        )
        notify("READY=1", f"STATUS=forwarding for {len(bridges)} bridges")

    def _end(
        self,
        world: World,
        switch: Switch,
        outside: Outside,
        macvlans: Macvlans,
        netlink: Netlink,
    ) -> None:
        try:
            netlink.close(stop_forwarding=self._stop_forwarding)
        except HotswitchError as error:
            _log.error("%s", error)
        if self._stop_forwarding:
            try:
                for failure in switch.set_desired(Desired()):
                    _log.error("%s", failure)
                macvlans.take_away()
                outside.remove()
            except HotswitchError as error:
                _log.error("the forwarding could not be ended cleanly: %s", error)
        for datapath in world.datapaths.values():
            datapath.close()
        _log.info("ends", extra={"forwarding": "ended" if self._stop_forwarding else "goes on"})


def _commands(
    service: Service, database: ConfigDatabase | ExternalConfig, methods: tuple[Method, ...]
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
    method.register(commands, methods)
    return commands, counted


def _names(database: ConfigDatabase | ExternalConfig) -> tuple[str, ...]:
    """By what Open vSwitch's tools find this daemon."""
    names = pid_files.OWN, pid_files.SWITCH
    return (*names, pid_files.DATABASE) if isinstance(database, ConfigDatabase) else names


def _file(database: str) -> Path:
    """A database's file. Raises StoreError for what is rather a remote with a mistake in it."""
    if _WORD.match(database) and not os.path.lexists(database):
        raise StoreError(
            f"--db {database}: there is no such file, and no such way to a server",
            remedy=f"unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT, or for a new file ./{database}",
        )
    return Path(database)


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
