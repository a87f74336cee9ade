"""What goes wrong in the event loop itself, in words for the log."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from typing import Any

from hotswitch.ovsdb.log_limit import LogLimit

_OUT_OF_SOMETHING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = logging.getLogger(__name__)


class LoopErrors:
    """A handler for `set_exception_handler`: want of descriptors is no bug, and is said."""

    def __init__(self) -> None:
        self._limit = LogLimit(1)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in _OUT_OF_SOMETHING:
            if self._limit.passes(loop.time()):
                why = os.strerror(error.errno)
                _log.error("a connection can't be taken yet: %s (see ulimit -n)", why)
            return
        loop.default_exception_handler(context)
