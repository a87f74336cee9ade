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
                links = {each.name: each.link for each in port.links} or {port.name: port.device}
                for name, link in links.items():
                    if link:
                        index, before, times = self._seen.get(name, (0, link.carrier, 0))
                        if index != link.index:
                            before, times = link.carrier, 0
                        seen[name] = link.index, link.carrier, times + (link.carrier != before)
        self._seen = seen
        return {name: times for name, (_, _, times) in seen.items()}
