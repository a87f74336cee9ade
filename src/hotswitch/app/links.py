"""`switch.apply.Links` over rtnetlink."""

from __future__ import annotations

from collections.abc import Sequence

from hotswitch.kernel import link_actions, links
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.links import Link


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError."""

    def list(self) -> Sequence[Link]:
        """All links."""
        return links.list_links()

    def create_pair(self, name: str, peer: str) -> None:
        """Make a veth pair."""
        link_actions.create_veth(name, peer)

    def add_alternative_name(self, ifindex: int, name: str) -> None:
        """Give a link one more name."""
        link_actions.add_alternative_name(ifindex, name)

    def index_of(self, name: str) -> int:
        """The index of the link of this name."""
        link = links.get_link(name)
        if link is None:
            raise KernelError(f"there is no device {name}")
        return link.index

    def set_up(self, ifindex: int) -> None:
        """Set a link administratively up."""
        link_actions.set_up(ifindex)

    def set_promiscuous(self, ifindex: int, promiscuous: bool) -> None:
        """Take frames for all addresses, or no longer."""
        link_actions.set_promiscuous(ifindex, promiscuous)

    def set_mtu(self, ifindex: int, mtu: int) -> None:
        """Set a link's MTU, in bytes."""
        link_actions.set_mtu(ifindex, mtu)

    def delete(self, ifindex: int) -> None:
        """Delete a link."""
        link_actions.delete(ifindex)
