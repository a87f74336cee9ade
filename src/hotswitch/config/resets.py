"""How often the carriers of interfaces were seen to come or go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.kernel.links import Link
from hotswitch.switch.status import PortStatus

PortKey: TypeAlias = tuple[str, str]
"""A bridge's name and a port's."""


class Resets:
    """Counts for each interface, from when it got its device on."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, bool]] = {}
        self._times: dict[str, int] = {}
        self._names: dict[PortKey, tuple[str, ...]] = {}

    @property
    def counts(self) -> Mapping[str, int]:
        """By interface; live."""
        return MappingProxyType(self._times)

    def note(self, changed: Iterable[tuple[PortKey, PortStatus | None]]) -> None:
        """Look again at ports that have changed, or gone (None)."""
        for (bridge, name), port in changed:
            now = {} if port is None else _links(port)
            for each in self._names.get((bridge, name), ()):
                if each not in now:
                    self._seen.pop(each, None)
                    self._times.pop(each, None)
            self._names[bridge, name] = tuple(now)
            for each, link in now.items():
                self._look(each, link)
            if not now:
                del self._names[bridge, name]

    def _look(self, name: str, link: Link) -> None:
        index, carrier = self._seen.get(name, (link.index, link.carrier))
        if index != link.index:
            self._times[name] = 0
        else:
            self._times[name] = self._times.get(name, 0) + (carrier != link.carrier)
        self._seen[name] = link.index, link.carrier


def _links(port: PortStatus) -> dict[str, Link]:
    """The port's links, by the names of its interfaces."""
    links = {each.name: each.link for each in port.links} or {port.name: port.device}
    return {name: link for name, link in links.items() if link}
