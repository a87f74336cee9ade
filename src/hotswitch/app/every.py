"""Work that is done again and again while the event loop runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)


@contextmanager
def every(period: float, work: Callable[[], None]) -> Iterator[None]:
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
