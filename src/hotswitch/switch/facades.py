"""Linux bridges that are the facades of bridges: which devices, and whether they can be. Pure.

A facade is a bridge's local port, and what is enslaved to it becomes ports (`adopting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hotswitch.kernel.links import Link
from hotswitch.model.port import Port, Side
from hotswitch.ports.members import lives
from hotswitch.switch.desired import DesiredBridge
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import ports_marked

_OWN_MIND = (
    ("stp_state", "runs the spanning tree protocol"),
    ("vlan_filtering", "filters VLANs itself"),
)
"""What the kernel would do with frames that it does not see any more."""

_GOES_ON = "it goes on as before, so that VLANs stay apart"


@dataclass(frozen=True, slots=True)
class Facade:
    """name: as it is configured. link: None while it is not there. error: why it can't be one.

    warning: why it could not become one, of one that is.
    """

    name: str
    link: Link | None = None
    error: str = ""
    warning: str = ""

    @property
    def state(self) -> tuple[str, int, str]:
        """What matters to others of it."""
        return self.name, self.link.index if self.link else 0, self.error


@dataclass(frozen=True)
class Facades:
    """by_bridge: by the bridge's name. by_index: by the device, where there is one."""

    by_bridge: Mapping[str, Facade] = field(default_factory=lambda: MappingProxyType({}))
    by_index: Mapping[int, Facade] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def of(by_bridge: Mapping[str, Facade]) -> Facades:
        """These; of two for one device, which `check` refuses, the first counts."""
        by_index: dict[int, Facade] = {}
        for facade in by_bridge.values():
            if facade.link:
                by_index.setdefault(facade.link.index, facade)
        return Facades(MappingProxyType(dict(by_bridge)), MappingProxyType(by_index))

    def differing(self, other: Facades) -> set[str]:
        """The bridges that have another facade in the two, or where it can be one in one only."""
        mine, theirs = (
            {bridge: each.state for bridge, each in of.by_bridge.items()} for of in (self, other)
        )
        return {each for each in {*mine, *theirs} if mine.get(each) != theirs.get(each)}


def find_facades(
    bridges: Iterable[tuple[DesiredBridge, DesiredBridge | None, Port | None]],
    links: LinkTable,
    owner: str,
) -> Facades:
    """The facades of bridges; each with what it was until now, and its local port as it is."""
    found = {}
    for bridge, then, port in bridges:
        if bridge.facade:
            was = then.facade if then else None
            found[bridge.name] = _facade(bridge.facade, was, port, links, owner)
    return Facades.of(found)


def _facade(name: str, was: str | None, port: Port | None, links: LinkTable, owner: str) -> Facade:
    """was: the name until now; None: not known. port: the local port, which stays with its device
    through renames.
    """
    named, had = links.by_name.get(name), _device(port, links)
    link = had or named if was == name else named
    if was is None:
        link = named or had
    if link is None or any(ports_marked(owner, end) for end in links.ends(link)):
        return Facade(name)
    error = next(_errors(link, links), "")
    if error and port and port.ifindex and link is had:
        # Its slaves are in VLANs that a Linux bridge does not know: it is not to have them.
        return Facade(name, link, warning=f"the facade {error}: {_GOES_ON}")
    return Facade(name, link, error)


def _device(port: Port | None, links: LinkTable) -> Link | None:
    """The facade that a local port has, used or not."""
    for life in port.ties if port and port.side is Side.HOST else ():
        link = links.by_index.get(life.ifindex)
        if lives(life, link):
            return link
    return None


def _errors(link: Link, links: LinkTable) -> Iterator[str]:
    if link.kind != "bridge":
        yield f"{link.name} is no Linux bridge"
    if link.master:
        master = master_of(link, links)
        yield (
            f"{link.name} belongs to {master} "
            f"(remove it there first: ip link set {link.name} nomaster)"
        )
    details = dict(link.details)
    for setting, does in _OWN_MIND:
        if details.get(setting):
            command = f"ip link set {link.name} type bridge {setting} 0"
            yield f"{link.name} {does} (turn that off: {command})"


def master_of(link: Link, links: LinkTable, facades: Facades = Facades()) -> str:
    """The name of the bridge or bond that the link is in, or nothing; a facade's as configured."""
    if not link.master:
        return ""
    if facade := facades.by_index.get(link.master):
        return facade.name
    master = links.by_index.get(link.master)
    return master.name if master else f"link {link.master}"
