"""Which link is behind a port. Pure; planning and status share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from hotswitch.kernel.links import Link
from hotswitch.switch.desired import DesiredPort, PortKind
from hotswitch.switch.making import Making, peer_missing, peer_wrong
from hotswitch.switch.marks import mark

_ETHERNET = 1
"""ARPHRD_ETHER, include/uapi/linux/if_arp.h."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A port's number and link. No link and no error: the port waits for its device.

    device: what people know the port by: of an internal port the host's end of the pair, or None
        if that is in another network namespace; of others the link.
    waits: `error` is only what it waits for.
    """

    number: int
    link: Link | None = None
    error: str = ""
    device: Link | None = None
    waits: bool = False

    @property
    def ifindex(self) -> int:
        return self.link.index if self.link else 0


def bind(number: int, port: DesiredPort, held: Link | None, making: Making) -> Binding:
    """The port with its link; `held` is the one that it has, which it keeps through renames.

    Whether another port has that link already is not looked at.
    """
    match port.kind:
        case PortKind.SYSTEM:
            return _found(number, held or making.by_name(port.name), making)
        case PortKind.INTERNAL | PortKind.TAP:
            return _made(number, port, making)
        case PortKind.PATCH:
            return _patched(number, port, making)
        case _:
            assert_never(port.kind)


def taken(binding: Binding, bridge: str, port: str) -> Binding:
    """The same, but that this port has the link already."""
    assert binding.link
    remedy = f"remove it there first: hotswitch port del {port}"
    error = f"{binding.link.name} is already port {port} of bridge {bridge} ({remedy})"
    return Binding(binding.number, error=error)


def _found(number: int, link: Link | None, making: Making) -> Binding:
    """A link that is there may be taken, unless something speaks against it."""
    if link is None:
        return Binding(number)
    if link.master:
        master = making.links.by_index.get(link.master)
        owner = master.name if master else f"link {link.master}"
        remedy = f"remove it there first: ip link set {link.name} nomaster"
        error = f"{link.name} belongs to {owner} ({remedy})"
    elif link.device_type != _ETHERNET:
        error = f"{link.name} is not an Ethernet device"
    elif maker := making.made_for(link):
        error = f"{link.name} was made for port {maker}"
    else:
        return Binding(number, link, device=link)
    return Binding(number, error=error)


def _made(number: int, port: DesiredPort, making: Making) -> Binding:
    """The link that hotswitch makes for the port, and no other."""
    link = making.kept(port)
    if link and port.kind is PortKind.INTERNAL:
        return Binding(number, link, device=making.links.other_end(link))
    if link:
        return Binding(number, link, device=link)
    for name in (port.name, mark(making.owner, port.kind, port.name)):
        if making.by_name(name):
            return Binding(number, error=f"there is a device {name} that hotswitch did not make")
    return Binding(number)


def _patched(number: int, port: DesiredPort, making: Making) -> Binding:
    """The near end of the cable to the peer, if that is one."""
    wrong = peer_wrong(port, making.wanted)
    missing = peer_missing(port, making.wanted)
    if wrong or missing:
        return Binding(number, error=wrong or missing, waits=not wrong)
    link = making.kept(port)
    return Binding(number, link, device=link)
