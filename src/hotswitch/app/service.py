"""The switch with its memory: a change is in force and kept, or nothing has changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import replace
from types import MappingProxyType

from hotswitch.app.control.method import RequestError
from hotswitch.app.events.feed import Feed
from hotswitch.app.store import Store, Whereabouts
from hotswitch.app.wishes import Wish, Wishes
from hotswitch.base.clock import Clock
from hotswitch.base.errors import HotswitchError
from hotswitch.base.pieces import by_turns
from hotswitch.base.shared import SharedMap
from hotswitch.config.unheeded import Refused, Unheeded
from hotswitch.headers.registry import Registry
from hotswitch.switch.desired import Desired, DesiredBridge, DesiredPort
from hotswitch.switch.status import BridgeStatus, PortState, PortStatus
from hotswitch.switch.switch import Switch

_log = logging.getLogger(__name__)


class Service:
    """What requests work on.

    stop: ends the daemon, and returns when it has ended; with True the forwarding too.
    turns: held while the switch is changed, where others change it too.
    wall: seconds since 1970, for events.
    """

    def __init__(
        self,
        switch: Switch,
        store: Store,
        registry: Registry,
        clock: Clock,
        stop: Callable[[bool], Awaitable[None]],
        turns: asyncio.Lock | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.switch = switch
        self.registry = registry
        self.clock = clock
        self.events = Feed(switch, wall, refused=lambda: store.unheeded().refused)
        store.watch(self.events.refused_changed)
        self.stop = stop
        self._store = store
        self._turns = turns or asyncio.Lock()
        self._wishes = Wishes(lambda: self.desired, self._prepare, self._carry_out, self._turns)

    @property
    def whereabouts(self) -> Whereabouts:
        """Where what is wanted is kept."""
        return self._store.whereabouts()

    @property
    def unheeded(self) -> Unheeded:
        """What is kept without being part of what is wanted."""
        return self._store.unheeded()

    @property
    def desired(self) -> Desired:
        """What is wanted."""
        return self.switch.desired

    async def change(
        self,
        bridge: str,
        edit: Callable[[DesiredBridge], DesiredBridge],
        port: str | None = None,
        *,
        device_needed: bool = False,
    ) -> None:
        """Want this bridge as `edit` has it from now on; returns when that is in force and kept.

        Refused, with nothing changed, if then the bridge (or its port, if one is named) is in
        error; with `device_needed` also if the port has no device. Raises HotswitchError.
        """

        def edit_all(desired: Desired) -> Desired:
            return _with_bridge(desired, edit(self._bridge_of(desired, bridge)))

        await self._wish(Wish(edit_all, bridge, port, device_needed))

    async def rewrite(self, edit: Callable[[Desired], Desired]) -> None:
        """Want everything as `edit` has it from now on; returns when that is in force and kept.

        Raises HotswitchError.
        """
        if edit(self.desired) is not self.desired:
            await self._wish(Wish(edit, ""))

    async def add(self, bridge: DesiredBridge) -> None:
        """Want one more bridge. Raises HotswitchError."""

        def edit(desired: Desired) -> Desired:
            refused = self.unheeded.owner(bridge.name)
            if refused and refused.port:
                raise RequestError(
                    f"{bridge.name} is already port {refused.port} of bridge {refused.bridge}",
                    remedy=f"remove it there first: hotswitch port del {refused.port}",
                )
            if refused or bridge.name in desired.bridges:
                raise RequestError(f"there is already a bridge {bridge.name}")
            return _with_bridge(desired, bridge)

        await self._wish(Wish(edit, bridge.name))

    async def forget(self, bridge: str) -> None:
        """Want this bridge no longer. Raises HotswitchError."""

        def edit(desired: Desired) -> Desired:
            self._bridge_of(desired, bridge)
            rest = {name: each for name, each in desired.bridges.items() if name != bridge}
            return Desired(MappingProxyType(rest))

        await self._wish(Wish(edit, bridge))

    def bridge(self, name: str) -> DesiredBridge:
        """The bridge of that name. Raises RequestError."""
        return self._bridge_of(self.desired, name)

    def bridges(self, name: str = "") -> list[DesiredBridge]:
        """All bridges by name, or the one. Raises RequestError."""
        if name:
            return [self.bridge(name)]
        return [bridge for _, bridge in sorted(self.desired.bridges.items())]

    def forwarding(self, name: str = "") -> list[DesiredBridge]:
        """All bridges by name that could be made, or the one. Raises HotswitchError."""
        if name:
            self.switch.datapath(name)
            return [self.bridge(name)]
        status = self.switch.status()
        return [each for each in self.bridges() if not status[each.name].error]

    def port(self, name: str) -> tuple[DesiredBridge, DesiredPort]:
        """The port of that name, local ports too, and its bridge. Raises RequestError."""
        local = self.desired.bridges.get(name)
        if local:
            return local, local.local
        for bridge in self.desired.bridges.values():
            if name in bridge.ports:
                return bridge, bridge.ports[name]
        if refused := self.unheeded.port(name):
            raise refusal(refused)
        raise RequestError(f"there is no port {name}", remedy="see `hotswitch port list`")

    def refused_port(self, name: str) -> Refused | None:
        """The refused row that the name stands for; None if a port in force has it.

        Of a local port the row can be refused, and the port in force without it.
        """
        refused = self.unheeded.port(name)
        if refused is None or refused.is_local:
            return refused
        return None if self._has_port(name) or name in self.desired.bridges else refused

    def deletable_row(self, port: str) -> Refused | None:
        """The refused row to delete for this name: local ports can't be deleted alone."""
        refused = self.unheeded.port(port)
        return refused if refused and not refused.is_local and not self._has_port(port) else None

    def _has_port(self, name: str) -> bool:
        """Whether there is such a port, other than a local one."""
        return any(
            name in each.ports for each in self.desired.bridges.values() if each.name != name
        )

    async def discard(self, refused: Refused) -> None:
        """Keep this row no longer; returns when it has gone. Raises HotswitchError."""
        self._store.check()
        async with self._turns:
            await self._store.discard(refused)

    async def clear(self, bridge: str, port: str, fields: Collection[str]) -> None:
        """Keep nothing of these fields that is without effect; returns when it has gone.

        port: empty for the bridge itself. Raises HotswitchError.
        """
        if (bridge, port) in self.unheeded.not_acted_on:
            async with self._turns:
                await self._store.clear(bridge, port, fields)

    async def close(self) -> None:
        """Change nothing any more."""
        await self._wishes.close()

    def age(self) -> None:
        """Forget addresses that have been silent for too long."""
        for error in self.switch.age(self.clock.now(), self.events.addresses):
            _log.error("ageing: %s", error)

    def _bridge_of(self, desired: Desired, name: str) -> DesiredBridge:
        found = desired.bridges.get(name)
        if found is not None:
            return found
        if refused := self.unheeded.bridge(name):
            raise refusal(refused)
        raise no_bridge(name)

    async def _wish(self, wish: Wish) -> None:
        self._store.check()
        await self._wishes.add(wish)

    async def _prepare(self, desired: Desired) -> None:
        """Return when nothing has to be compiled any more to have this."""
        if compilations := self.switch.prepare(desired):
            await asyncio.wait(map(asyncio.wrap_future, compilations))

    async def _carry_out(self, desired: Desired, wishes: list[Wish]) -> None:
        """Make it so and keep it, or change nothing. Raises HotswitchError."""
        before = self.desired
        known = [self._problems(each.bridge, each.port) for each in wishes]
        await by_turns(self.switch.setting_desired(desired))
        try:
            for wish, problems in zip(wishes, known, strict=True):
                self._verify(wish, problems)
            await self._store.save(desired)
        except HotswitchError:
            await by_turns(self.switch.setting_desired(before))
            raise

    def _verify(self, wish: Wish, before: frozenset[str]) -> None:
        new = self._problems(wish.bridge, wish.port) - before
        if new:
            raise RequestError("; ".join(sorted(new)))
        if wish.port and wish.device_needed:
            status = self.switch.statuses()[wish.bridge].ports.get(wish.port)
            if status and status.ifindex == 0:
                members = self.port(wish.port)[1].members
                sought = ", ".join(
                    each.name if each.has_usual_name else str(each.finds_by) for each in members
                )
                raise RequestError(
                    f"there is no device {sought}", remedy="make it first, or add --absent-ok"
                )

    def _problems(self, bridge: str, port: str | None) -> frozenset[str]:
        status = self.switch.statuses().get(bridge)
        if status is None:
            return frozenset()
        concerned = _concerned(status, port)
        errors = {status.error, *(each.error or each.shortfall for each in concerned)}
        return frozenset(errors - {""})


def with_port(bridge: DesiredBridge, port: DesiredPort) -> DesiredBridge:
    """The bridge with this port, in the place of one with that name."""
    mac = 0 if port.name == bridge.name else bridge.mac
    ports = SharedMap(bridge.ports).having({port.name: port})
    return replace(bridge, ports=ports, mac=mac)


def without_port(bridge: DesiredBridge, name: str) -> DesiredBridge:
    """The bridge without the port of that name."""
    return replace(bridge, ports=SharedMap(bridge.ports).having({}, [name]))


def no_bridge(name: str) -> RequestError:
    """There is none of that name."""
    return RequestError(f"there is no bridge {name}", remedy="see `hotswitch bridge list`")


def refusal(refused: Refused) -> RequestError:
    """Why a row that is not in force can't be worked on."""
    noun = "port" if refused.port else "bridge"
    return RequestError(
        f"{noun} {refused.name} is refused: {refused.reason}",
        remedy=f"change its row with ovs-vsctl, or delete it: hotswitch {noun} del {refused.name}",
    )


def _with_bridge(desired: Desired, bridge: DesiredBridge) -> Desired:
    return Desired(MappingProxyType({**desired.bridges, bridge.name: bridge}))


def _concerned(status: BridgeStatus, port: str | None) -> Iterable[PortStatus]:
    """The named port and the bridge's own, if something is wrong with them."""
    for name in dict.fromkeys((status.name, port or status.name)):
        each = status.ports.get(name)
        if each and (each.state is PortState.ERROR or each.shortfall):
            yield each
