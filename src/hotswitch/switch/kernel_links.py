"""The kernel's links as a switch acts on them: `apply.Links` over rtnetlink."""

from __future__ import annotations

from hotswitch.kernel import link_actions, links, tap
from hotswitch.kernel.links import Link


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError."""

    list_links = staticmethod(links.list_links)
    create_tap = staticmethod(tap.create_tap)
    take_no_addresses = staticmethod(link_actions.take_no_addresses)
    add_alternative_names = staticmethod(link_actions.add_alternative_names)
    delete_alternative_names = staticmethod(link_actions.delete_alternative_names)
    set_up = staticmethod(link_actions.set_up)
    set_promiscuous = staticmethod(link_actions.set_promiscuous)
    set_address = staticmethod(link_actions.set_address)
    set_mtu = staticmethod(link_actions.set_mtu)
    delete = staticmethod(link_actions.delete)

    @staticmethod
    def create_veth(name: str, peer: str, mtu: int) -> Link:
        """Make a pair of links; the one called `name`. mtu in bytes, 0: the usual."""
        return link_actions.create_veth(name, peer, mtu=mtu)
