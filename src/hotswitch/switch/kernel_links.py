"""The kernel's links as a switch acts on them: `apply.Links` over `kernel.link_actions`."""

from __future__ import annotations

from collections.abc import Sequence

from hotswitch.kernel import link_actions
from hotswitch.kernel.links import Link, list_links


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError."""

    def list_links(self) -> Sequence[Link]:
        return list_links()

    def create_veth(self, name: str, peer: str) -> Link:
        return link_actions.create_veth(name, peer)

    def add_alternative_name(self, index: int, name: str) -> None:
        link_actions.add_alternative_name(index, name)

    def set_up(self, index: int) -> None:
        link_actions.set_up(index)

    def set_promiscuous(self, index: int, promiscuous: bool) -> None:
        link_actions.set_promiscuous(index, promiscuous)

    def set_mtu(self, index: int, mtu: int) -> None:
        link_actions.set_mtu(index, mtu)

    def delete(self, index: int) -> None:
        link_actions.delete(index)
