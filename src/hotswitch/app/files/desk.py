"""Between the threads that answer for files, and the daemon's loop, which has the switch."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from hotswitch.app.control.method import Method, carry_out
from hotswitch.app.events.moment import Moment
from hotswitch.app.files.text import read
from hotswitch.app.files.tree import Count, MetadataOf, Setting
from hotswitch.app.link_view import LinkView
from hotswitch.app.service import Service, with_port
from hotswitch.app.store import StoreError
from hotswitch.base.errors import HotswitchError
from hotswitch.base.shorten import shorten
from hotswitch.kernel.error import KernelError
from hotswitch.switch.desired import DesiredBridge
from hotswitch.switch.link_table import LinkTable

_PATIENCE = 60.0
"""Seconds in which the loop should have answered."""

_SHARE = 10
"""Counting, and listing links, take at most this part of the loop's time, however much is read."""

_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted of a bridge and, by name, of its ports. until: how long that will do."""

    until: int
    bridge: Mapping[str, int]
    ports: Mapping[str, Mapping[str, int]]


class Desk:
    """Made in the loop, used by other threads. What goes wrong is an OSError, and in the log.

    table: lists the host's links; called in the loop.
    """

    def __init__(
        self,
        service: Service,
        methods: tuple[Method, ...],
        table: Callable[[], LinkTable],
    ) -> None:
        self._service = service
        self._table = table
        self._links = LinkView(LinkTable(), {})
        self._links_until = 0
        self._methods = {each.name: each for each in methods}
        self._loop = asyncio.get_running_loop()
        self._counted: dict[str, _Counted] = {}
        self._lock = threading.Lock()
        self._asked: set[concurrent.futures.Future[Any]] = set()
        self._is_closed = False

    @property
    def moment(self) -> Moment:
        """How the switch is. No thread need wait for it: it is a value."""
        return self._service.events.moment

    def links(self) -> LinkView:
        """The host's links."""
        return self._ask("list links", self._list_links)

    def count(self, what: Count) -> int:
        """A counter."""
        return self._ask(f"read {what.name}", lambda: self._count(what))

    def set(self, what: Setting | MetadataOf, text: str) -> None:
        """Do what the command does."""
        given_text = text.strip()
        attempt = shorten(f"set {_described(what)} to {given_text!r}", [given_text])
        if isinstance(what, MetadataOf):
            value = text.removesuffix("\n")
            self._ask(attempt, lambda: self._set_metadata(what, value))
            return
        try:
            value = read(what.word, text)
        except ValueError as error:
            _log.warning("can't %s: %s", attempt, shorten(str(error), [given_text]))
            raise OSError(errno.EINVAL, str(error)) from None
        given = {"name": what.name, what.word.key: value}
        self._ask(attempt, lambda: carry_out(self._methods[what.method], given))

    def remove(self, what: MetadataOf) -> None:
        """Take a key away."""
        self._ask(f"remove {_described(what)}", lambda: self._set_metadata(what, None))

    def close(self) -> None:
        """Answer nobody any more; who waits gets an error."""
        with self._lock:
            self._is_closed = True
            asked = list(self._asked)
        for each in asked:
            each.cancel()

    def _ask(self, attempt: str, work: Callable[[], Coroutine[Any, Any, _Answer]]) -> _Answer:
        with self._lock:
            if self._is_closed:
                raise OSError(errno.EIO, "the daemon ends")
            future = asyncio.run_coroutine_threadsafe(work(), self._loop)
            self._asked.add(future)
        try:
            return future.result(_PATIENCE)
        except HotswitchError as error:
            _log.warning("can't %s: %s", attempt, error)
            raise OSError(_number(error), str(error)) from error
        except concurrent.futures.CancelledError:
            raise OSError(errno.EIO, "the daemon ends") from None
        except TimeoutError:
            future.cancel()
            _log.error("can't %s: the daemon has not got to it", attempt)
            raise OSError(errno.ETIMEDOUT, "the daemon has not got to it") from None
        finally:
            with self._lock:
                self._asked.discard(future)

    async def _list_links(self) -> LinkView:
        now = self._service.clock.now
        begun = now()
        if begun >= self._links_until:
            self._links = LinkView(self._table(), self._service.switch.statuses())
            ended = now()
            self._links_until = ended + (ended - begun) * (_SHARE - 1)
        return self._links

    async def _count(self, what: Count) -> int:
        counted = self._counted.get(what.bridge)
        if counted is None or self._service.clock.now() >= counted.until:
            counted = self._counted[what.bridge] = self._count_all(what.bridge)
        found = counted.ports.get(what.port, {}) if what.port else counted.bridge
        return found.get(what.name, 0)

    def _count_all(self, bridge: str) -> _Counted:
        now = self._service.clock.now
        begun = now()
        switch = self._service.switch
        counters = asdict(switch.datapath(bridge).counters())
        ports = {name: asdict(each) for name, each in switch.statistics(bridge).items()}
        ended = now()
        return _Counted(ended + (ended - begun) * (_SHARE - 1), counters, ports)

    async def _set_metadata(self, what: MetadataOf, value: str | None) -> None:
        bridge, port = self._service.port(what.port)

        def with_metadata(bridge: DesiredBridge) -> DesiredBridge:
            before = bridge.ports.get(port.name, port)
            pairs = {key: old for key, old in before.metadata if key != what.key}
            if value is not None:
                pairs[what.key] = value
            return with_port(bridge, replace(before, metadata=tuple(sorted(pairs.items()))))

        await self._service.change(bridge.name, with_metadata, port.name)


def _number(error: HotswitchError) -> int:
    """The errno for a declared error: of the kernel its own; else it is what was asked for."""
    if isinstance(error, (StoreError, KernelError)):
        return error.errno or errno.EIO
    return errno.EINVAL


def _described(what: Setting | MetadataOf) -> str:
    if isinstance(what, MetadataOf):
        return f"metadata {what.key} of port {what.port}"
    return f"{what.word.name} of {what.method.partition('/')[0]} {what.name}"
