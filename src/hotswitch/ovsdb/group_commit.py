"""Durable transactions under load: one call of the disk makes many of them durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.storage import Storage

Done = Callable[[LogError | None], None]

_log = logging.getLogger(__name__)


class GroupCommit:
    """A `databases.Durable` that never holds the event loop up."""

    def __init__(self) -> None:
        self._waiting: dict[Storage, list[Done]] = {}
        self._running: set[Storage] = set()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="ovsdb-sync")

    def __call__(self, storage: Storage, done: Done) -> None:
        """Call `done` when all that is committed by now is on the disk, or can't be."""
        self._waiting.setdefault(storage, []).append(done)
        if storage not in self._running:
            self._running.add(storage)
            # First, let all that has arrived by now commit as well.
            asyncio.get_running_loop().call_soon(self._start, storage)

    async def close(self) -> None:
        """Bring to the disk what is promised."""
        while self._running:
            await asyncio.sleep(0.001)
        self._executor.shutdown()

    def _start(self, storage: Storage) -> None:
        group = self._waiting.pop(storage, [])
        if not group:
            self._running.discard(storage)
            return
        loop = asyncio.get_running_loop()
        try:
            future = loop.run_in_executor(self._executor, storage.sync())
        except OSError as error:
            self._finish(storage, group, LogError(f"can't sync {storage.path}: {error.strerror}"))
            return
        future.add_done_callback(lambda done: self._finish(storage, group, done.exception()))

    def _finish(self, storage: Storage, group: list[Done], error: BaseException | None) -> None:
        if error is not None and not isinstance(error, LogError):
            raise error
        if error is not None:
            _log.error("%s", error)
        for done in group:
            done(error)
        self._start(storage)
