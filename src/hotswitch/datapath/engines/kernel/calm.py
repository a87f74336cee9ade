"""When nothing else is going on: what makes others wait is done then.

To attach a tcx link or to detach one, the kernel waits for an RCU grace period, about 12 ms, and
holds the lock of all network devices meanwhile; whoever has something to do with one waits too.
"""

from __future__ import annotations

import threading
import time

_QUIET = 1.0
"""Seconds without a change of ports."""


class Calm:
    """Shared by all datapaths of this process: there is one lock."""

    def __init__(self) -> None:
        self._from = 0.0

    def disturb(self) -> None:
        """Ports are being changed."""
        self._from = time.monotonic() + _QUIET

    def wait(self, closing: threading.Event) -> bool:
        """Return when it is calm; or at once, with False, if closing is set."""
        while (left := self._from - time.monotonic()) > 0:
            if closing.wait(left):
                return False
        return not closing.is_set()


CALM = Calm()
