"""A daemon's life: one asyncio loop from lock to last goodbye."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import hotswitch
from hotswitch.app import descriptors, pid_files
from hotswitch.app.control_socket import commands_of, listen, names_of
from hotswitch.app.database_place import DatabasePlace
from hotswitch.app.engines import EngineKind
from hotswitch.app.every import every
from hotswitch.app.files.desk import Desk
from hotswitch.app.files.mounted import FileTree, take_away
from hotswitch.app.host_links import HostLinks
from hotswitch.app.link_following import LinkFollowing
from hotswitch.app.lock import Lock
from hotswitch.app.loop_errors import LoopErrors
from hotswitch.app.methods import all_methods
from hotswitch.app.netlink import Netlink
from hotswitch.app.netlink import clean_up as clean_up_netlink
from hotswitch.app.paths import LINK_IDS, VNICS, RunDirectory
from hotswitch.app.readiness import notify
from hotswitch.app.service import Service
from hotswitch.app.world import ElsewhereError, Outside
from hotswitch.base.clock import MonotonicClock
from hotswitch.base.errors import HotswitchError
from hotswitch.headers.standard import standard_registry
from hotswitch.kernel import netns
from hotswitch.kernel.namespace_monitor import NamespaceMonitor
from hotswitch.ovsdb import coverage
from hotswitch.ovsdb.tls import Tls
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
        self._group = group
        self._engine = engine
        self._files = RunDirectory(run_dir.absolute())
        self._database = DatabasePlace(database, self._files, tls, group)
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
            # What can't be is refused before anything is touched.
            config = held.enter_context(self._database.opened())
            registry = standard_registry()
            outside = Outside(self._files.path, registry, self._engine)
            namespaces = held.enter_context(NamespaceMonitor())
            ids = KeptLinkIds(self._database.beside(LINK_IDS))
            held.callback(ids.close)
            links = KernelLinks(ids)
            held.callback(links.close)
            host = HostLinks(links, ids, outside.owner, self._engine.has_other_port)
            macvlans = Macvlans(self._database.beside(VNICS), outside.owner, links.look)
            world = outside.world(links)
            clock = MonotonicClock()
            switch = Switch(world, clock)
            database = config(switch, clock)
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

            def look_for_devices() -> None:
                if switch.lacks_devices:
                    try:
                        host.look_at_some()
                    except HotswitchError as error:
                        _log.error("links are not known: %s", error)

            methods = all_methods(service, host, macvlans)
            commands, events = commands_of(service, database, methods)
            files = FileTree(self._files.tree, Desk(service, methods, host.table), self._group)
            server = ControlServer(self._files.control, commands, group=self._group)
            await listen(server)
            netlink.start()
            found_by = pid_files.PidFiles(self._files.control, self._group)
            held.callback(found_by.remove)
            found_by.write(names_of(database))
            self._heed_signals()
            if self._tree:
                files.start()
            with (
                LinkFollowing(links, follow, service.events.links_lost),
                every(_RETRY_PERIOD, partial(macvlans.follow, again=True)),
                every(_TICK_PERIOD, forget_gone),
                every(_TICK_PERIOD, look_for_devices),
                every(_AGEING_PERIOD, service.age),
                every(_TICK_PERIOD, netlink.tidy),
                every(_TICK_PERIOD, reconciler.tick),
                every(coverage.PERIOD, events.sample),
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
                macvlans = Macvlans(self._database.beside(VNICS), outside.owner, links.look)
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
