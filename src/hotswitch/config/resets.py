"""How often the carriers of interfaces were seen to come or go."""

from __future__ import annotations

from collections.abc import Mapping

from hotswitch.switch.status import BridgeStatus


class Resets:
    """Counts for each interface, from when it got its device on."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, bool, int]] = {}

    def count(self, status: Mapping[str, BridgeStatus]) -> Mapping[str, int]:
        """Look again; the counts by interface."""
        seen = {}
        for bridge in status.values():
            for port in bridge.ports.values():
                if port.device:
                    now = port.device.carrier
                    index, before, times = self._seen.get(port.name, (0, now, 0))
                    if index != port.device.index:
                        before, times = now, 0
                    seen[port.name] = port.device.index, now, times + (now != before)
        self._seen = seen
        return {name: times for name, (_, _, times) in seen.items()}
