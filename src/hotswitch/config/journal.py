"""What becomes of ports, for the log: a line when one appears, waits, fails, or goes."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from hotswitch.switch.status import BridgeStatus, PortState

_log = logging.getLogger(__name__)


class Journal:
    """Remembers what it has said, and says only what is new."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], tuple[PortState, str]] = {}

    def note(self, status: Mapping[str, BridgeStatus]) -> None:
        """Say what has changed since the last time."""
        now = {
            (bridge.name, port.name): (port.state, port.error)
            for bridge in status.values()
            for port in bridge.ports.values()
        }
        for key in sorted(self._said.keys() - now.keys()):
            _say(key, "removed")
        for key, what in now.items():
            if self._said.get(key) != what:
                _say(key, *what)
        self._said = now


def _say(key: tuple[str, str], state: str, error: str = "") -> None:
    bridge, port = key
    why = {"error": error} if error else {}
    _log.info("port %s", state, extra={"bridge": bridge, "port": port, **why})
