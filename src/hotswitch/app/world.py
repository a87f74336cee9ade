"""The outside of a daemon: links, and datapaths whose pins belong to its run directory."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

from hotswitch.app.engines import EngineKind
from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath
from hotswitch.datapath.datapath import EntryDatapath
from hotswitch.datapath.provider import Engine
from hotswitch.headers.registry import Registry
from hotswitch.kernel import netns, pins
from hotswitch.kernel.bpf_link import is_attached
from hotswitch.kernel.machine import machine_id
from hotswitch.switch.kernel_links import KernelLinks
from hotswitch.switch.world import World

_DEFAULT_LIMIT = 8192
_NETLINK = "_n"
"""What the pins of a datapath of Netlink's begin with; `_pin_name` gives no such names."""
_MISSES = 4 << 20
"""Bytes of packets on their way to a client of Netlink that there is room for, as many as then wait
for a slow reader (`netlink.server.session.PACKETS`): 13,000 short frames."""
_log = logging.getLogger(__name__)


def owner_of(run_dir: Path) -> str:
    """What tells this daemon from others: its run directory."""
    return hashlib.sha256(str(run_dir.resolve()).encode()).hexdigest()[:12]


class ElsewhereError(HotswitchError):
    """An earlier daemon of this run directory forwards in another network namespace."""


class Outside:
    """Makes datapaths, and finds those of an earlier life. All methods raise HotswitchError.

    Pins lie under the owner and the network namespace's inode.
    """

    def __init__(self, run_dir: Path, registry: Registry, engine: EngineKind) -> None:
        self._registry = registry
        self._engine = engine
        self._owner = owner_of(run_dir)
        self._all_pins = pins.directory("hotswitch", self._owner)
        self._pins = self._all_pins / str(netns.identity()[1])

    @property
    def owner(self) -> str:
        """What tells links that this daemon makes from others: letters and digits."""
        return self._owner

    def world(self, links: KernelLinks | None = None) -> World:
        """What a switch acts on, with the datapaths that still forward."""
        self._leave_other_namespaces()
        found: dict[str, Datapath] = {}
        for path in self._pinned():
            if path.name.startswith(_NETLINK):
                continue
            name = _from_pin_name(path.name)
            try:
                found[name] = self._datapath(name, _DEFAULT_LIMIT)
            except HotswitchError as error:
                _log.error(
                    "bridge %s is made anew: what forwards can't be taken over: %s", name, error
                )
                pins.remove(path)
        return World(links or KernelLinks(), self._datapath, found, self._owner, machine_id())

    @property
    def netlink_owner(self) -> str:
        """What tells links that are made for clients of Netlink from those of bridges."""
        return f"{self._owner}-netlink"

    def netlink_datapaths(self) -> dict[str, WatchedDatapath]:
        """The datapaths of Netlink's clients that still forward, by name."""
        found = {}
        for path in self._pinned():
            if not path.name.startswith(_NETLINK):
                continue
            name = _from_pin_name(path.name.removeprefix(_NETLINK))
            try:
                found[name] = self.netlink_datapath(name)
            except HotswitchError as error:
                _log.error("datapath %s ends: it can't be taken over: %s", name, error)
                pins.remove(path)
        return found

    def netlink_datapath(self, name: str) -> WatchedDatapath:
        """A datapath for a client of Netlink. Its pins have names that no bridge's have."""
        engine = self._engine.make(
            name, self._registry, self._pins / (_NETLINK + _pin_name(name)), 1, _MISSES
        )
        return WatchedDatapath(name, self._registry, engine)

    def _pinned(self) -> list[Path]:
        self._pins.mkdir(exist_ok=True)
        return sorted(each for each in self._pins.iterdir() if each.is_dir())

    def remove(self) -> None:
        """Remove all pins, whatever they are."""
        pins.remove(self._all_pins)

    def _leave_other_namespaces(self) -> None:
        """Remove what is left of namespaces that have gone. Raises ElsewhereError for others."""
        for path in set(self._all_pins.iterdir()) - {self._pins}:
            if any(is_attached(link) for link in path.rglob("link_*")):
                raise ElsewhereError(
                    "an earlier daemon of this run directory forwards in another network namespace",
                    remedy="start it there (--netns), or end that with --cleanup",
                )
            pins.remove(path)

    def _datapath(self, name: str, address_limit: int) -> EntryDatapath:
        path = self._pins / _pin_name(name)
        engine = self._engine.make(name, self._registry, path, address_limit, 0)
        return WatchedDatapath(name, self._registry, engine)


class WatchedDatapath(EntryDatapath):
    """Takes copies to user space as they come, in the running loop if there is one.

    arrived: called when there are some. A bridge asks for none yet, so they are only logged.
    """

    def __init__(self, name: str, registry: Registry, engine: Engine) -> None:
        super().__init__(name, registry, engine)
        self._descriptor = engine.upcall_descriptor()
        self.arrived: Callable[[], None] = self._log_upcalls
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._descriptor = -1
        if self._descriptor >= 0:
            self._loop.add_reader(self._descriptor, lambda: self.arrived())

    def close(self) -> None:
        self._unwatch()
        super().close()

    def destroy(self) -> None:
        self._unwatch()
        super().destroy()

    def _log_upcalls(self) -> None:
        for upcall in self.upcalls():
            _log.debug("bridge %s: a copy of a packet: %s", self.name, upcall)

    def _unwatch(self) -> None:
        # Before the descriptor is closed: a new one may get its number at once.
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._descriptor = -1
        # Else it refers to itself: its maps would stay mapped until the garbage collector comes.
        self.arrived = _nobody_listens


def _nobody_listens() -> None:
    """Nothing comes any more."""


def _pin_name(bridge: str) -> str:
    """A bpffs takes no dots in names."""
    return bridge.replace("_", "_u").replace(".", "_d")


def _from_pin_name(name: str) -> str:
    return name.replace("_d", ".").replace("_u", "_")
