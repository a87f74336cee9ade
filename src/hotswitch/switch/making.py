"""Which of the links that hotswitch has made are still wanted, and which have to go. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hotswitch.kernel.links import Link
from hotswitch.ports.selector import Finder, Selector
from hotswitch.switch.desired import Desired, DesiredPort, PortKind
from hotswitch.switch.observed import Observed
from hotswitch.switch.pipeline import all_ports


@dataclass(frozen=True)
class Making:
    """What is to become of the links that hotswitch has made.

    wanted: all ports of all bridges. kept: by port, the link that was made for it and stays.
    doomed: links to delete, one of a pair, each with the name of what it was made for.
    """

    observed: Observed
    wanted: Mapping[str, DesiredPort]
    kept: Mapping[str, Link]
    doomed: tuple[tuple[str, Link], ...]

    @cached_property
    def gone(self) -> frozenset[int]:
        """The indexes of links that will have gone, both ends of a pair."""
        return frozenset(
            end.index for _, link in self.doomed for end in self.observed.links.ends(link)
        )

    @cached_property
    def owners(self) -> Mapping[int, str]:
        """By index, the ports that the links which stay were made for, both ends of a pair."""
        both = {
            end.index: port
            for port, link in self.kept.items()
            for end in self.observed.links.ends(link)
        }
        return both | {link.index: port for port, link in self.kept.items()}

    def by_name(self, name: str) -> Link | None:
        """The link that has this name and stays."""
        found = self.observed.links.by_name.get(name)
        return None if found is None or found.index in self.gone else found

    def find(self, selector: Selector) -> list[Link]:
        """The links that a selector fits and that stay."""
        return [link for link in self._finder.find(selector) if link.index not in self.gone]

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self.observed.links.by_index.values())


def sort_out(desired: Desired, observed: Observed) -> Making:
    """Compare what was made with what is wanted."""
    wanted = {port.name: port for bridge in desired.bridges.values() for port in all_ports(bridge)}
    kept: dict[str, Link] = {}
    doomed: dict[int, tuple[str, Link]] = {}
    for (kind, name), link in observed.made.items():
        port = wanted.get(name)
        if port and port.kind is kind and _is_whole(port, link, wanted, observed):
            kept[name] = link
        elif not any(end.index in doomed for end in observed.links.ends(link)):
            doomed[link.index] = (name, link)
    unfinished = ((outer.name, inside) for outer, inside in observed.unfinished)
    return Making(observed, wanted, kept, (*doomed.values(), *unfinished))


def peer_missing(port: DesiredPort, wanted: Mapping[str, DesiredPort]) -> str:
    """Why a patch port's cable has no other end yet, or nothing."""
    peer = wanted.get(port.peer)
    if peer is None:
        return f"its peer {port.peer} does not exist"
    if peer.kind is PortKind.PATCH and peer.peer != port.name:
        return f"its peer {port.peer} has another peer, {peer.peer}"
    return ""


def peer_wrong(port: DesiredPort, wanted: Mapping[str, DesiredPort]) -> str:
    """Why a patch port's peer can never be one, or nothing."""
    peer = wanted.get(port.peer)
    if peer and peer.kind is not PortKind.PATCH:
        return f"its peer {port.peer} is no patch port"
    return ""


def _is_whole(
    port: DesiredPort, link: Link, wanted: Mapping[str, DesiredPort], observed: Observed
) -> bool:
    """Whether a cable leads where it should; other links always are whole."""
    if port.kind is not PortKind.PATCH:
        return True
    if peer_missing(port, wanted) or peer_wrong(port, wanted):
        return False
    far = observed.made.get((PortKind.PATCH, port.peer))
    return far is not None and far == observed.links.other_end(link)
