"""How often the carriers of interfaces were seen to come or go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.switch.status import PortStatus

PortKey: TypeAlias = tuple[str, str]
"""A bridge's name and a port's."""


class Resets:
    """Counts for each interface, from when it got its device on."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, bool]] = {}
        self._times: dict[str, int] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """By interface; live."""
        return MappingProxyType(self._times)

    def note(self, changed: Iterable[tuple[PortKey, PortStatus | None]]) -> None:
        """Look again at ports that have changed, or gone (None)."""
        for (_, name), port in changed:
            if port is None or port.device is None:
                self._seen.pop(name, None)
                self._times.pop(name, None)
                continue
            now = port.device.index, port.device.carrier
            index, carrier = self._seen.get(name, now)
            if index != now[0]:
                self._times[name] = 0
            else:
                self._times[name] = self._times.get(name, 0) + (carrier != now[1])
            self._seen[name] = now
