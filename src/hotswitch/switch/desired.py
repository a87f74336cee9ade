"""What a person wants: bridges and ports, as values. Nothing here has happened yet."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from hotswitch.model.port import Hook, Side
from hotswitch.ports.adoption import Rule
from hotswitch.ports.lifecycle import EPHEMERAL, Lifecycle
from hotswitch.ports.members import Member, Metadata


@lru_cache(maxsize=1024)
def _of_facade(name: str) -> Rule:
    """By which a facade's slaves become ports."""
    return Rule(master=name, settings=(("lifecycle", "ephemeral"),))


class VlanMode(enum.StrEnum):
    """How a port treats tags (Open vSwitch, ovs-vswitchd.conf.db(5), Port: vlan_mode)."""

    ACCESS = "access"
    TRUNK = "trunk"
    NATIVE_TAGGED = "native-tagged"
    NATIVE_UNTAGGED = "native-untagged"


class PortKind(enum.StrEnum):
    """Where a port's link comes from (Open vSwitch, ovs-vswitchd.conf.db(5), Interface: type)."""

    SYSTEM = "system"
    """It is there, or comes; hotswitch neither makes nor deletes it."""
    INTERNAL = "internal"
    """hotswitch makes it, for the host to have an address on."""
    TAP = "tap"
    """hotswitch makes it: a TAP device with one queue that a program can open."""
    PATCH = "patch"
    """A cable to the patch port `peer`, mostly of another bridge."""


@dataclass(frozen=True, slots=True)
class DesiredPort:
    """A port of a bridge.

    name: also the name of its link, at most 15 bytes; a patch port's is only its own.
    kind: the local port's is internal, whatever it says here.
    peer: of a patch port, the name of the other one.
    mac: the address of an internal or tap port's device, 48 bits; 0: any, and left as it is.
    mtu: of the link, in bytes. 0: an internal port's is the smallest of the bridge's system and tap
        ports', a patch port's the largest there is, and others keep what they have, also after
        this has been taken back.
    tag: the access or native VLAN, 0–4095, or None.
    trunks: the VLANs that a trunk carries; none given means all.
    mode: None means access if there is a tag, else trunk.
    storm_limit: flooded packets a second that may come in here; 0 is no limit.
    number: the port number asked for, 0 for any.
    lifecycle: what becomes of a system port without a device; None: what its bridge says.
    links: of a system port; none given means one that is called like the port. Several are a VIF's.
    is_vif: it may have several links.
    master: the Linux bridge that its links are in; empty: none.
    side: the local port's is the host's if its bridge has a facade, whatever it says here.
    metadata: for others; of the port with all its links.
    namespace: the network namespace, by name or path, that an internal port's device is for. The
        port goes with it.
    device_name: of the device of an internal or tap port; empty: the port's name.
    """

    name: str
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    mode: VlanMode | None = None
    hook: Hook = Hook.AUTO
    storm_limit: int = 0
    number: int = 0
    kind: PortKind = PortKind.SYSTEM
    peer: str = ""
    mac: int = 0
    mtu: int = 0
    lifecycle: Lifecycle | None = None
    links: tuple[Member, ...] = ()
    is_vif: bool = False
    master: str = ""
    side: Side = Side.WIRE
    metadata: Metadata = ()
    namespace: str = ""
    device_name: str = ""

    @property
    def made_as(self) -> str:
        """The name that its device is made with; one for a namespace gets its own on the way."""
        return self.name if self.namespace else self.device_name or self.name

    @property
    def members(self) -> tuple[Member, ...]:
        """The links of a system port."""
        return self.links or (Member(self.name),)


@dataclass(frozen=True, slots=True)
class DesiredBridge:
    """A bridge; its local port is a link of the same name that the switch makes.

    ageing_time: seconds until a silent address is forgotten; 0: never.
    address_limit: rows in the address table; at the limit nothing new is learned.
    lifecycle: of ports that have none of their own. None, as in Open vSwitch: they stay, and it
        is said that their device is missing.
    adopt: the rules by which it takes devices as they appear.
    facade: the Linux bridge that is its local port, and whose slaves are ports; empty: none.
    mac: the address of the local port's device while `ports` has nothing to say of that port.
    """

    name: str
    ports: Mapping[str, DesiredPort] = field(default_factory=lambda: MappingProxyType({}))
    ageing_time: int = 300
    address_limit: int = 8192
    forward_reserved: bool = False
    lifecycle: Lifecycle | None = None
    adopt: tuple[Rule, ...] = ()
    facade: str = ""
    mac: int = 0

    @property
    def local(self) -> DesiredPort:
        """What is wanted of the local port, which is there whether it is told of or not."""
        return self.ports.get(self.name) or DesiredPort(self.name, mac=self.mac)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules by which it takes devices; those that are given come before the facade's."""
        return (*self.adopt, _of_facade(self.facade)) if self.facade else self.adopt

    def lifecycle_of(self, port: DesiredPort) -> Lifecycle | None:
        """What becomes of the port without a device; None: as in Open vSwitch."""
        if port.side is Side.HOST:
            return None
        if port.namespace:
            return EPHEMERAL
        return (port.lifecycle or self.lifecycle) if port.kind is PortKind.SYSTEM else None


@dataclass(frozen=True, slots=True)
class Desired:
    """All of it."""

    bridges: Mapping[str, DesiredBridge] = field(default_factory=lambda: MappingProxyType({}))
