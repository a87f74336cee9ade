"""How a switch is, for people: bridges and ports as values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from hotswitch.kernel.links import Link
from hotswitch.model.port import Hook
from hotswitch.ports.lifecycle import Lifecycle
from hotswitch.ports.members import Metadata, merged
from hotswitch.switch.binding import Binding
from hotswitch.switch.desired import DesiredPort, PortKind, VlanMode


class PortState(enum.StrEnum):
    """What a port does just now."""

    FORWARDING = "forwarding"
    DOWN = "down"
    """Its link is down, or the other end of its cable is."""
    WAITING = "waiting"
    """Its device, or the other end of its cable, is not there; `error` may say more."""
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link of a system port. name: as it is configured. link: None if it is missing."""

    name: str
    link: Link | None
    forwards: bool
    metadata: Metadata = ()


@dataclass(frozen=True, slots=True)
class PortStatus:
    """A port: what it is, which link it has (`link` is empty and `ifindex` 0 if none).

    shortfall: what of it could not be made so; it forwards all the same.
    lifecycle: what becomes of it without a device; None: nothing is said of that.
    links: of a system port, all of its links, in the order of their configured names.
    metadata: for others; of the port, without those of its links.
    lost: the lives of devices that it has not just now: of those that stay its, or of the last one.
    device: what people know it by, of an internal port the host's end: its address, MTU and whether
        it is up are the port's to them. None if it is not there, or in another network namespace.
    """

    name: str
    number: int
    state: PortState
    vlan: str
    hook: Hook
    link: str = ""
    ifindex: int = 0
    error: str = ""
    kind: PortKind = PortKind.SYSTEM
    device: Link | None = None
    lifecycle: Lifecycle | None = None
    links: tuple[LinkStatus, ...] = ()
    metadata: Metadata = ()
    is_vif: bool = False
    shortfall: str = ""
    lost: tuple[int, ...] = ()

    @property
    def incarnation(self) -> int:
        """The life of the device; 0: there is none, or it is not known."""
        return self.device.incarnation if self.device else 0

    @property
    def is_in_force(self) -> bool:
        """Whether there is such a port: not in error, and without a device only where it may be.

        As `Interface.ofport` and Open vSwitch's commands have it.
        """
        may_wait = self.kind is PortKind.PATCH or self.lifecycle is not None
        return self.state is not PortState.ERROR and (
            self.state is not PortState.WAITING or may_wait
        )


@dataclass(frozen=True, slots=True)
class BridgeStatus:
    """A bridge and its ports by name, the local port first; `error` concerns it as a whole.

    remarks: what of others is in its way, without being an error of its own.
    """

    name: str
    ports: Mapping[str, PortStatus]
    error: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressStatus:
    """A row of the address table. age: seconds since it was last seen."""

    vlan: int
    mac: int
    port: str
    age: float
    static: bool


def port_status(
    port: DesiredPort,
    binding: Binding,
    error: str,
    lifecycle: Lifecycle | None = None,
    shortfall: str = "",
) -> PortStatus:
    """The status of a port; `error`, `shortfall`: what went wrong when it was last worked on."""
    link = binding.link
    if error or (binding.error and not binding.waits):
        state = PortState.ERROR
    elif link is None:
        state = PortState.WAITING
    else:
        state = PortState.FORWARDING if link.up and link.carrier else PortState.DOWN
    return PortStatus(
        port.name,
        binding.number,
        state,
        describe_vlans(port),
        port.hook,
        link.name if link else "",
        binding.ifindex,
        binding.error or error,
        port.kind,
        binding.device,
        lifecycle,
        _links(port, binding) if port.kind is PortKind.SYSTEM else (),
        port.metadata,
        port.is_vif,
        shortfall,
        _lost(binding),
    )


def _lost(binding: Binding) -> tuple[int, ...]:
    away = sorted(link.incarnation for link in binding.away.values() if link.incarnation)
    last = (binding.last,) if binding.last else ()
    return tuple(away) or last


def _links(port: DesiredPort, binding: Binding) -> tuple[LinkStatus, ...]:
    return tuple(
        LinkStatus(
            member.name,
            link := binding.members.get(member.name),
            link is not None and link is binding.link,
            merged(port.metadata, member.metadata),
        )
        for member in sorted(port.members, key=lambda each: each.name)
    )


def describe_vlans(port: DesiredPort) -> str:
    """The port's VLAN settings in words, as they work: "access 10", "trunk 10,20"."""
    mode = port.mode or (VlanMode.TRUNK if port.tag is None else VlanMode.ACCESS)
    words: list[str] = [mode]
    if mode is not VlanMode.TRUNK:
        words.append(str(port.tag or 0))
    if port.trunks and mode is not VlanMode.ACCESS:
        words += ["trunks"] if mode is not VlanMode.TRUNK else []
        words.append(",".join(map(str, sorted(set(port.trunks)))))
    return " ".join(words)
