"""The ports of a datapath, found by number, name and link, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hotswitch.datapath.contract import DatapathError
from hotswitch.model.action import MAXIMUM_PORT
from hotswitch.model.port import Port


class PortBook:
    """Holds what was put; checks nothing itself unless asked to."""

    def __init__(self, ports: Iterable[Port] = ()) -> None:
        self._by_number: dict[int, Port] = {}
        self._by_name: dict[str, Port] = {}
        self._by_link: dict[int, Port] = {}
        self._none_free_below = 1
        for port in ports:
            self.put(port)

    @property
    def by_number(self) -> Mapping[int, Port]:
        """All ports, live and read-only."""
        return MappingProxyType(self._by_number)

    def put(self, port: Port) -> None:
        """Add a port, or let it take the place of the one with its number."""
        self.delete(port.number)
        self._by_number[port.number] = port
        self._by_name[port.name] = port
        for link in port.links:
            self._by_link[link.ifindex] = port

    def delete(self, number: int) -> None:
        """Forget a port; nothing happens if there is none."""
        port = self._by_number.pop(number, None)
        if port is None:
            return
        self._by_name.pop(port.name, None)
        for link in port.links:
            self._by_link.pop(link.ifindex, None)
        self._none_free_below = min(self._none_free_below, number)

    def free_number(self) -> int:
        """The lowest number that no port has, or 0 if there is none."""
        while self._none_free_below in self._by_number:
            self._none_free_below += 1
        return self._none_free_below if self._none_free_below <= MAXIMUM_PORT else 0

    def check_unique(self, port: Port) -> None:
        """Raise DatapathError if a port with another number has this one's name or a link of it."""
        named = self._by_name.get(port.name)
        if named is not None and named.number != port.number:
            raise DatapathError(f"there is a port {port.name} already, number {named.number}")
        for link in port.links:
            tied = self._by_link.get(link.ifindex)
            if tied is not None and tied.number != port.number:
                raise DatapathError(
                    f"port {port.name}: its link {link.ifindex} belongs to port {tied.name}"
                )
