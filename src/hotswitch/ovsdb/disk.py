"""Waits for the disk while the event loop goes on: with the kernel's help, or in a thread."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hotswitch.ovsdb.file_sync import FileSync
from hotswitch.ovsdb.log import LogError
from hotswitch.ovsdb.log_file import Sync

Done = Callable[[LogError | None], None]
"""Called when what was to be brought to the disk is there, or can't be."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _UnderWay:
    """A sync, how many of its files are not on the disk yet, and the first error's number."""

    sync: Sync
    done: Done
    left: int
    number: int = 0


class Disk:
    """Brings files to the disk. It is made in an event loop that is running."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tokens = itertools.count()
        self._under_way: dict[int, _UnderWay] = {}
        self._kernel: FileSync | None = None
        try:
            self._kernel = FileSync()
        except OSError as error:
            _log.debug("threads wait for the disk: %s", error)
        else:
            self._loop.add_reader(self._kernel, self._finished, self._kernel)

    def bring(self, sync: Sync, done: Done) -> None:
        """Do a sync; call `done` in the loop."""
        if self._kernel is None or not self._begin(self._kernel, sync, done):
            self._in_thread(sync, done)

    def close(self) -> None:
        """Let go, when nothing is under way any more."""
        if self._kernel is not None:
            self._loop.remove_reader(self._kernel)
            self._kernel.close()
            self._kernel = None

    def _begin(self, kernel: FileSync, sync: Sync, done: Done) -> bool:
        """Whether the kernel does it. What it has begun nevertheless, nobody waits for."""
        token = next(self._tokens)
        try:
            for file in sync.files:
                kernel.begin(file, token)
        except OSError as error:
            _log.debug("a thread waits for the disk: %s", error)
            return False
        self._under_way[token] = _UnderWay(sync, done, len(sync.files))
        return True

    def _finished(self, kernel: FileSync) -> None:
        for token, number in kernel.finished():
            each = self._under_way.get(token)
            if each is None:
                continue
            each.number = each.number or number
            each.left -= 1
            if not each.left:
                del self._under_way[token]
                each.done(_outcome(partial(each.sync.finish, each.number)))

    def _in_thread(self, sync: Sync, done: Done) -> None:
        future = self._loop.run_in_executor(None, _outcome, sync)
        future.add_done_callback(lambda ended: done(ended.result()))


def _outcome(work: Callable[[], None]) -> LogError | None:
    """Do some work that may raise LogError, and return that."""
    try:
        work()
    except LogError as error:
        return error
    return None
