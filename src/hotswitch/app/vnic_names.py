"""Names for vNICs: free wherever somebody could look for one, and given to one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from hotswitch.app.control.method import RequestError
from hotswitch.app.host_links import HostLinks
from hotswitch.app.service import Service
from hotswitch.kernel.links import get_link
from hotswitch.ports.vnics import lowest_free
from hotswitch.ports.vnics_macvlan import Macvlans, inside
from hotswitch.switch.check import check_name
from hotswitch.switch.desired import Desired

_BEING_MADE = "another vNIC is being made with it"


class Names(NamedTuple):
    """What a vNIC and its device are called.

    port: over a bridge the port's, over a link nothing's; unlike the device's if somebody has that
    one where the switch is.
    """

    port: str
    device: str


class VnicNames:
    """Knows which names are free, and which are being given just now."""

    def __init__(self, service: Service, host: HostLinks, macvlans: Macvlans) -> None:
        self._service = service
        self._host = host
        self._macvlans = macvlans
        self._reserved: set[tuple[str, str]] = set()  # the namespace, and the name in it

    @contextmanager
    def reserved(self, asked: str, namespace: str) -> Iterator[Names]:
        """The name that is asked for, or the lowest free one; nobody else gets it meanwhile.

        One that is asked for has to be free in its namespace only.

        Raises HotswitchError if it can't be had.
        """
        wanted = _wanted(self._service.desired)
        if asked:
            check_name("vNIC", asked)
            taken = (
                self._taken_there(asked, namespace) if namespace else self._taken(asked, "", wanted)
            )
            if taken:
                raise RequestError(f"{asked} is taken: {taken}")
        port = asked
        if not asked or self._taken(asked, namespace, wanted):
            port = lowest_free(lambda each: not self._taken(each, namespace, wanted))
        found = Names(port, asked or port)
        given = {("", found.port), (namespace, found.device)} - self._reserved
        self._reserved |= given
        try:
            yield found
        finally:
            self._reserved -= given

    def is_free(self, name: str, namespace: str) -> bool:
        """Whether a name is free, or only reserved. Raises KernelError."""
        return not self._had(name, namespace, _wanted(self._service.desired))

    def _taken(self, name: str, namespace: str, wanted: Mapping[str, str]) -> str:
        """Who has the name here or there, or nothing."""
        if ("", name) in self._reserved:
            return _BEING_MADE
        return self._had(name, namespace, wanted) or self._taken_there(name, namespace)

    def _taken_there(self, name: str, namespace: str) -> str:
        """Who has the name in a namespace, or nothing."""
        if (namespace, name) in self._reserved:
            return _BEING_MADE
        return _had_there(name, namespace)

    def _had(self, name: str, namespace: str, wanted: Mapping[str, str]) -> str:
        if name in wanted:
            return wanted[name]
        if any(each.name == name for each in self._macvlans.vnics):
            return "it is a vNIC"
        if name in self._host.kernel.look().by_name or get_link(name):
            return "a link has it"
        return _had_there(name, namespace)


def _had_there(name: str, namespace: str) -> str:
    with inside(namespace):
        there = namespace and get_link(name)
    return f"a link in namespace {namespace} has it" if there else ""


def _wanted(desired: Desired) -> dict[str, str]:
    """All names in the configuration, and whose they are."""
    found: dict[str, str] = {}
    for bridge in desired.bridges.values():
        for port in bridge.ports.values():
            whose = f"port {port.name} of bridge {bridge.name} has it"
            links = (each.name for each in port.members)
            found.update(dict.fromkeys((port.name, port.made_as, *links), whose))
        found[bridge.name] = "it is a bridge"
    return found
