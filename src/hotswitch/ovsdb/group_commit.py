"""Durable transactions under load: one call of the disk makes many of them durable."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from hotswitch.ovsdb.disk import Disk, Done
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.storage import Storage

_log = logging.getLogger(__name__)


class GroupCommit:
    """A `databases.Durable` that never holds the event loop up.

    What is committed while the disk is at work is brought there as one, afterwards.
    """

    def __init__(self) -> None:
        self._waiting: dict[Storage, list[Done]] = {}
        self._running: set[Storage] = set()
        self._disk: Disk | None = None

    def __call__(self, storage: Storage, done: Done) -> None:
        """Call `done` when all that is committed by now is on the disk, or can't be."""
        self._waiting.setdefault(storage, []).append(done)
        if storage not in self._running:
            self._running.add(storage)
            self._start(storage)

    async def close(self) -> None:
        """Bring to the disk what is promised."""
        while self._running:
            await asyncio.sleep(0.001)
        if self._disk is not None:
            self._disk.close()
            self._disk = None

    def _start(self, storage: Storage) -> None:
        group = self._waiting.pop(storage, [])
        if not group:
            self._running.discard(storage)
            return
        finish = partial(self._finish, storage, group)
        try:
            sync = storage.sync()
        except OSError as error:
            finish(LogError(f"can't sync {storage.path}: {error.strerror}"))
            return
        if not sync.files:
            finish(None)
            return
        if self._disk is None:
            self._disk = Disk()
        self._disk.bring(sync, finish)

    def _finish(self, storage: Storage, group: list[Done], error: LogError | None) -> None:
        if error is not None:
            _log.error("%s", error)
        # Those that wait go on their way while we talk.
        self._start(storage)
        for done in group:
            done(error)
