"""What a switch acts on: the machine's links and the datapaths; and a look at all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath
from hotswitch.kernel.link_actions import FlagChange
from hotswitch.kernel.links import Link
from hotswitch.ports.link_changes import Disappeared
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.observed import Observed, ObservedDatapath


class Links(Protocol):
    """What is done with the kernel's links. All raise HotswitchError."""

    def look(self) -> LinkTable:
        """All links, with everything that has been done to them until now."""

    def create_veth(self, name: str, peer: str, mtu: int, address: int = 0) -> Link:
        """Make a pair of links; the one called `name`. mtu in bytes, 0: the usual.

        address: its MAC address, 48 bits; 0: any.
        """

    def create_tap(self, name: str, mark: str) -> Link:
        """Make a TAP device that has this alternative name; never one without it."""

    def take_no_addresses(self, index: int) -> None:
        """Have the kernel give a link no addresses, so that it sends nothing by itself."""

    def add_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Give a link more names, all or, if the first can't be had, none."""

    def delete_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Take alternative names from a link."""

    def change_flags(self, changes: Sequence[FlagChange]) -> Sequence[HotswitchError | None]:
        """Set links up or down, promiscuous or not; for each why it failed, or None."""

    def set_address(self, index: int, address: int) -> None:
        """Set a link's MAC address, 48 bits."""

    def set_mtu(self, index: int, mtu: int) -> None:
        """Set a link's MTU, in bytes."""

    def move(self, index: int, namespace: str, name: str) -> None:
        """Move a link to the network namespace of this name or path, and call it so there."""

    def calm_elsewhere(self, departed: Disappeared) -> None:
        """Turn promiscuous mode of a link off that has gone to another network namespace, if there
        is a way in."""

    def delete_many(self, indexes: Sequence[int]) -> Sequence[HotswitchError | None]:
        """Delete links, of a pair both ends; for each why it failed, or None."""


@dataclass
class World:
    """What a switch acts on.

    new_datapath: makes an empty datapath with this name and room for so many addresses.
    datapaths: those that are there, by name; at the start, those of an earlier life.
    owner: what tells links made by this daemon from those of another one; a few letters and digits.
    machine: what tells this machine from others, for addresses.
    """

    links: Links
    new_datapath: Callable[[str, int], Datapath]
    datapaths: dict[str, Datapath] = field(default_factory=dict)
    owner: str = ""
    machine: str = ""


def observe(world: World) -> Observed:
    """Look at everything that planning depends on. Raises HotswitchError."""
    return Observed(
        world.links.look(),
        {
            name: ObservedDatapath(each.ports(), each.entries(), each.meters(), each.address_limit)
            for name, each in world.datapaths.items()
        },
        world.owner,
        world.machine,
    )
