"""What becomes of ports, for the log: a line when one appears, waits, fails, or goes."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from hotswitch.config.resets import PortKey
from hotswitch.switch.status import BridgeStatus, PortState, PortStatus

_log = logging.getLogger(__name__)


class Journal:
    """Remembers what it has said, and says only what is new."""

    def __init__(self) -> None:
        self._said: dict[PortKey, tuple[PortState, str]] = {}
        self._remarks: dict[str, tuple[str, ...]] = {}

    def note_bridges(self, bridges: Mapping[str, BridgeStatus]) -> None:
        """Warn of what is newly in bridges' way."""
        now = {name: each.remarks for name, each in bridges.items() if each.remarks}
        for name, remarks in now.items():
            for each in remarks:
                if each not in self._remarks.get(name, ()):
                    _log.warning("%s", each, extra={"bridge": name})
        self._remarks = now

    def note_departed(self, ports: Iterable[PortKey]) -> None:
        """Say which ports' devices had gone when the switch began."""
        for key in ports:
            _say(key, "removed", "its device is not there when the daemon starts")

    def note(self, changed: Iterable[tuple[PortKey, PortStatus | None]]) -> None:
        """Say what has become of ports that have changed, or gone (None)."""
        now = {key: (port.state, port.error) if port else None for key, port in changed}
        for key in sorted(key for key, what in now.items() if what is None):
            if self._said.pop(key, None) is not None:
                _say(key, "removed")
        for key, what in now.items():
            if what is not None and self._said.get(key) != what:
                _say(key, *what)
                self._said[key] = what


def _say(key: PortKey, state: str, error: str = "") -> None:
    bridge, port = key
    why = {"error": error} if error else {}
    _log.info("port %s", state, extra={"bridge": bridge, "port": port, **why})
