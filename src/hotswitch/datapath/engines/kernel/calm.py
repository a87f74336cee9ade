"""When nothing else is going on: what makes others wait is done then.

To attach a tcx link or to detach one, the kernel waits for an RCU grace period, about 12 ms, and
holds the lock of all network devices meanwhile; whoever has something to do with one waits too.
"""

from __future__ import annotations

import threading
import time

_QUIET = 1.0
"""Seconds without a change of ports."""

_PATIENCE = 10.0
"""Seconds after which something is done even if ports never cease to change."""

_PACE = 2.0
"""Seconds before each thing that is done then: of a hundred changes one meets it, at most."""

_BREATH = 0.1
"""Seconds before each thing that is done in calm: what comes just then does not meet thousands."""


class Calm:
    """Shared by all datapaths of this process: there is one lock. Times in seconds."""

    def __init__(
        self, quiet: float = _QUIET, patience: float = _PATIENCE, pace: float = _PACE
    ) -> None:
        self._quiet, self._patience, self._pace = quiet, patience, pace
        self._from = 0.0

    def disturb(self) -> None:
        """Ports are being changed."""
        self._from = time.monotonic() + self._quiet

    def wait(self, closing: threading.Event, since: float) -> bool:
        """Return when it is calm, or what was asked for then has waited long enough.

        since: by time.monotonic(). At once, with False, if closing is set.
        """
        while not closing.is_set():
            now = time.monotonic()
            if now >= self._from:
                return not closing.wait(_BREATH)
            if now >= since + self._patience:
                return not closing.wait(self._pace)
            closing.wait(min(self._from, since + self._patience) - now)
        return False


CALM = Calm()
