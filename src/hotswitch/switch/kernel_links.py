"""The kernel's links as a switch acts on them: `apply.Links` over rtnetlink."""

from __future__ import annotations

from hotswitch.kernel import link_actions, links


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError."""

    list_links = staticmethod(links.list_links)
    create_veth = staticmethod(link_actions.create_veth)
    add_alternative_name = staticmethod(link_actions.add_alternative_name)
    set_up = staticmethod(link_actions.set_up)
    set_promiscuous = staticmethod(link_actions.set_promiscuous)
    set_mtu = staticmethod(link_actions.set_mtu)
    delete = staticmethod(link_actions.delete)
