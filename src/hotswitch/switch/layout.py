"""Where everything is: each port's number and link. A value; `laying_out` makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from hotswitch.base.shared import SharedMap
from hotswitch.kernel.links import Link
from hotswitch.model.port import Port
from hotswitch.switch.bridge_layout import BridgeLayout
from hotswitch.switch.desired import DesiredPort
from hotswitch.switch.facades import Facades
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.making import Made

PortKey: TypeAlias = tuple[str, str]
"""A bridge's name and a port's."""


@dataclass(frozen=True)
class Layout:
    """All of it.

    links: what it was made for. wanted, homes: all ports by name, and the bridges that they are in.
    made, doomed: the links that hotswitch has made, and those of them that have to go.
    takers: by link, the port that has it. claims: likewise, the port that it stays with although it
        can't be used just now. lost: by incarnation, the port without a device that had that life
        of a link last. troubled: ports whose binding is in error.
    members: by a link's configured name, the VIF that it is for. selective: ports that find their
        links by other things than names.
    facades: of all bridges. cables: all patch ports. unsettled: ports of which something could not
        be done.
    """

    links: LinkTable = field(default_factory=LinkTable)
    bridges: Mapping[str, BridgeLayout] = field(default_factory=lambda: MappingProxyType({}))
    wanted: SharedMap[str, DesiredPort] = field(default_factory=SharedMap)
    homes: SharedMap[str, str] = field(default_factory=SharedMap)
    made: Made = field(default_factory=SharedMap)
    doomed: tuple[tuple[str, Link], ...] = ()
    gone: frozenset[int] = frozenset()
    takers: SharedMap[int, PortKey] = field(default_factory=SharedMap)
    claims: SharedMap[int, PortKey] = field(default_factory=SharedMap)
    lost: SharedMap[int, str] = field(default_factory=SharedMap)
    members: SharedMap[str, str] = field(default_factory=SharedMap)
    selective: frozenset[str] = frozenset()
    troubled: frozenset[str] = frozenset()
    facades: Facades = field(default_factory=Facades)
    cables: frozenset[str] = frozenset()
    unsettled: frozenset[str] = frozenset()

    def owner_of(self, index: int) -> PortKey | None:
        """The port that a link is tied to, used or not."""
        return self.takers.get(index) or self.claims.get(index)


NOTHING = Layout()


def finder(before: BridgeLayout | None, there: Mapping[int, Port]) -> Callable[[str], Port | None]:
    """Finds a port of a datapath by name."""
    if before is None:
        return {port.name: port for port in there.values()}.get
    numbers = before.numbers.by_name

    def find(name: str) -> Port | None:
        port = there.get(numbers.get(name, 0))
        return port if port and port.name == name else None

    return find
