"""The kernel's links as a switch acts on them: `apply.Links` over rtnetlink."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hotswitch.kernel import link_actions, tap
from hotswitch.kernel.links import Link
from hotswitch.ports.link_watch import LinkWatch

_MANY = 1 << 20


class KernelLinks:
    """The links of this thread's network namespace. All methods raise KernelError."""

    def __init__(self) -> None:
        self._watch: LinkWatch | None = None
        self._unsure: set[int] = set()

    def list_links(self) -> Collection[Link]:
        """All links, with everything that has been done to them until now."""
        if self._watch is None:
            self._watch = LinkWatch()
        self._watch.read(_MANY)
        if self._unsure:
            self._watch.ask(self._unsure)
            self._unsure.clear()
        return self._watch.snapshot.by_index.values()

    def add_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Give a link more names. Of a link that is down nobody tells that it got them."""
        self._unsure.add(index)
        link_actions.add_alternative_names(index, names)

    def delete_alternative_names(self, index: int, names: Sequence[str]) -> None:
        """Take alternative names from a link."""
        self._unsure.add(index)
        link_actions.delete_alternative_names(index, names)

    def create_tap(self, name: str, mark: str) -> Link:
        """Make a TAP device that has this alternative name; never one without it."""
        made = tap.create_tap(name, mark)
        self._unsure.add(made.index)
        return made

    take_no_addresses = staticmethod(link_actions.take_no_addresses)
    set_up = staticmethod(link_actions.set_up)
    set_promiscuous = staticmethod(link_actions.set_promiscuous)
    set_address = staticmethod(link_actions.set_address)
    set_mtu = staticmethod(link_actions.set_mtu)
    delete = staticmethod(link_actions.delete)

    @staticmethod
    def create_veth(name: str, peer: str, mtu: int) -> Link:
        """Make a pair of links; the one called `name`. mtu in bytes, 0: the usual."""
        return link_actions.create_veth(name, peer, mtu=mtu)
