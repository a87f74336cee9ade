"""Names for vNICs: free wherever somebody could look for one, and given to one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from hotswitch.app.control.method import RequestError
from hotswitch.app.host_links import HostLinks
from hotswitch.app.service import Service
from hotswitch.kernel.links import get_link
from hotswitch.ports.vnics import lowest_free
from hotswitch.ports.vnics_macvlan import Macvlans, inside
from hotswitch.switch.check import check_name
from hotswitch.switch.desired import Desired


class VnicNames:
    """Knows which names are free, and which are being given just now."""

    def __init__(self, service: Service, host: HostLinks, macvlans: Macvlans) -> None:
        self._service = service
        self._host = host
        self._macvlans = macvlans
        self._reserved: set[str] = set()

    @contextmanager
    def reserved(self, asked: str, namespace: str) -> Iterator[str]:
        """The name that is asked for, or the lowest free one; nobody else gets it meanwhile.

        Raises HotswitchError if it can't be had.
        """
        wanted = _wanted(self._service.desired)
        if asked:
            check_name("vNIC", asked)
            if taken := self._taken(asked, namespace, wanted):
                raise RequestError(f"{asked} is taken: {taken}")
        name = asked or lowest_free(lambda each: not self._taken(each, namespace, wanted))
        self._reserved.add(name)
        try:
            yield name
        finally:
            self._reserved.discard(name)

    def is_free(self, name: str, namespace: str) -> bool:
        """Whether a name is free, or only reserved. Raises KernelError."""
        return not self._had(name, namespace, _wanted(self._service.desired))

    def _taken(self, name: str, namespace: str, wanted: Mapping[str, str]) -> str:
        """Who has the name, or nothing."""
        if name in self._reserved:
            return "another vNIC is being made with it"
        return self._had(name, namespace, wanted)

    def _had(self, name: str, namespace: str, wanted: Mapping[str, str]) -> str:
        if name in wanted:
            return wanted[name]
        if any(each.name == name for each in self._macvlans.vnics):
            return "it is a vNIC"
        if name in self._host.kernel.look().by_name or get_link(name):
            return "a link has it"
        with inside(namespace):
            there = namespace and get_link(name)
        return f"a link in namespace {namespace} has it" if there else ""


def _wanted(desired: Desired) -> dict[str, str]:
    """All names in the configuration, and whose they are."""
    found: dict[str, str] = {}
    for bridge in desired.bridges.values():
        for port in bridge.ports.values():
            whose = f"port {port.name} of bridge {bridge.name} has it"
            found.update(dict.fromkeys((port.name, *(each.name for each in port.members)), whose))
        found[bridge.name] = "it is a bridge"
    return found
