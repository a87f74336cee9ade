"""What a plan consists of: one small change each, with a line of text for people.

A step belongs to a bridge and, if it concerns one port alone, to that port (`port`, a name).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from hotswitch.datapath.contract import Change, PutEntry
from hotswitch.headers.text import MAC
from hotswitch.model.port import Hook, Meter, Port
from hotswitch.ports.link_changes import Disappeared
from hotswitch.switch.vlans import PortVlans


@dataclass(frozen=True, slots=True)
class CreateDatapath:
    """Make an empty datapath whose address table has room for `address_limit` rows."""

    bridge: str
    address_limit: int
    port: str = ""

    def __str__(self) -> str:
        return f"{self.bridge}: create the datapath, for {self.address_limit} addresses"


@dataclass(frozen=True, slots=True)
class DeleteDatapath:
    """End a bridge's forwarding and remove all of it."""

    bridge: str
    port: str = ""

    def __str__(self) -> str:
        return f"{self.bridge}: delete the datapath"


@dataclass(frozen=True, slots=True)
class CreateInternalLink:
    """Make the veth pair of `outer`, for the host, and `inside`, marked.

    address: of `outer`, 48 bits.
    """

    bridge: str
    port: str
    outer: str
    inside: str
    mark: str
    address: int

    def __str__(self) -> str:
        return f"{self.bridge}: create the link {self.outer}, with {self.inside} as its inner end"


@dataclass(frozen=True, slots=True)
class CreateTap:
    """Make a TAP device, marked."""

    bridge: str
    port: str
    name: str
    mark: str

    def __str__(self) -> str:
        return f"{self.bridge}: create the TAP device {self.name}"


@dataclass(frozen=True, slots=True)
class CreateCable:
    """Make the veth pair of a patch port and its peer, both ends marked."""

    bridge: str
    port: str
    peer: str
    names: tuple[str, str]
    marks: tuple[str, str]
    mtu: int

    def __str__(self) -> str:
        ends = " and ".join(self.names)
        return f"{self.bridge}: create the cable from {self.port} to {self.peer}, {ends}"


@dataclass(frozen=True, slots=True)
class DeleteLink:
    """Delete a link that was made for a port; a pair's other end goes with it."""

    bridge: str
    port: str
    index: int

    def __str__(self) -> str:
        return f"{self.bridge}: delete link {self.index}, which was made for {self.port}"


@dataclass(frozen=True, slots=True)
class AddPort:
    """Add a port that has no link yet."""

    bridge: str
    port: str
    number: int
    hook: Hook

    def __str__(self) -> str:
        return f"{self.bridge}: add port {self.port} as {self.number}"


@dataclass(frozen=True, slots=True)
class DeletePort:
    """Delete a port and forget the addresses learned there."""

    bridge: str
    port: str
    number: int

    def __str__(self) -> str:
        return f"{self.bridge}: delete port {self.port}, {self.number}"


@dataclass(frozen=True, slots=True)
class BindPort:
    """Bind a port to links (ifindex 0: to none), with a hook: one step, also from link to link."""

    bridge: str
    value: Port

    @property
    def port(self) -> str:
        """The port's name."""
        return self.value.name

    def __str__(self) -> str:
        port = self.value
        if not port.ifindex:
            return f"{self.bridge}: unbind port {port.name}"
        others = ", ".join(str(life.ifindex) for life in port.standby)
        standby = f", link {others} standing by" if others else ""
        return f"{self.bridge}: bind port {port.name} to link {port.ifindex}{standby}, " + (
            f"hook {port.hook}"
        )


@dataclass(frozen=True, slots=True)
class ChangeEntries:
    """Change the entries, all at once."""

    bridge: str
    changes: tuple[Change, ...]
    port: str = ""

    def __str__(self) -> str:
        puts = sum(isinstance(each, PutEntry) for each in self.changes)
        return f"{self.bridge}: put {puts} entries, delete {len(self.changes) - puts}"


@dataclass(frozen=True, slots=True)
class PutMeter:
    """Add or change a meter."""

    bridge: str
    port: str
    meter: Meter

    def __str__(self) -> str:
        return f"{self.bridge}: limit floods of port {self.port} to {self.meter.rate} packets/s"


@dataclass(frozen=True, slots=True)
class DeleteMeter:
    """Delete a meter."""

    bridge: str
    number: int
    port: str = ""

    def __str__(self) -> str:
        return f"{self.bridge}: end the flood limit {self.number}"


@dataclass(frozen=True, slots=True)
class SetAddressLimit:
    """Have room for so many addresses."""

    bridge: str
    limit: int
    port: str = ""

    def __str__(self) -> str:
        return f"{self.bridge}: have room for {self.limit} addresses"


@dataclass(frozen=True, slots=True)
class ForgetAddresses:
    """Forget what was learned at a port in VLANs that it does not carry."""

    bridge: str
    port: str
    number: int
    vlans: PortVlans

    def __str__(self) -> str:
        return f"{self.bridge}: forget addresses of VLANs that port {self.port} no longer carries"


@dataclass(frozen=True, slots=True)
class SetLinkUp:
    """Set a link administratively up."""

    bridge: str
    port: str
    index: int

    def __str__(self) -> str:
        return f"{self.bridge}: set the link of port {self.port} up"


@dataclass(frozen=True, slots=True)
class SetPromiscuous:
    """Let a link take frames for all addresses, or no longer."""

    bridge: str
    port: str
    index: int
    promiscuous: bool

    def __str__(self) -> str:
        state = "on" if self.promiscuous else "off"
        return f"{self.bridge}: turn promiscuous mode of port {self.port}'s link {state}"


@dataclass(frozen=True, slots=True)
class CalmElsewhere:
    """Turn promiscuous mode of a link off that has gone to another network namespace."""

    bridge: str
    port: str
    departed: Disappeared

    def __str__(self) -> str:
        name = self.departed.link.name
        return f"{self.bridge}: turn promiscuous mode of {name} off, in its new namespace"


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Set the MAC address (48 bits) of a link that was made for a port."""

    bridge: str
    port: str
    index: int
    address: int

    def __str__(self) -> str:
        return f"{self.bridge}: set the address of {self.port} to {MAC.show(self.address)}"


@dataclass(frozen=True, slots=True)
class SetMtu:
    """Set a link's MTU, in bytes."""

    bridge: str
    port: str
    index: int
    mtu: int

    def __str__(self) -> str:
        return f"{self.bridge}: set the MTU of link {self.index} of {self.port} to {self.mtu}"


@dataclass(frozen=True, slots=True)
class MoveLink:
    """Move the host's end of an internal port's pair to the network namespace that it is for."""

    bridge: str
    port: str
    index: int
    namespace: str
    name: str

    def __str__(self) -> str:
        there = f"namespace {self.namespace}, as {self.name}"
        return f"{self.bridge}: move the device of {self.port} to {there}"


@dataclass(frozen=True, slots=True)
class KeepName:
    """Give a port's link, which was renamed, its old name as an alternative one, and a mark."""

    bridge: str
    port: str
    index: int
    name: str
    mark: str

    def __str__(self) -> str:
        return f"{self.bridge}: keep {self.name} as an alternative name of link {self.index}"


@dataclass(frozen=True, slots=True)
class MarkLetGo:
    """Mark a link that was a port and that the bridge is not to adopt again."""

    bridge: str
    port: str
    index: int
    mark: str

    def __str__(self) -> str:
        return f"{self.bridge}: remember that link {self.index} was let go as port {self.port}"


@dataclass(frozen=True, slots=True)
class TakeNames:
    """Take alternative names away that a link was given."""

    bridge: str
    port: str
    index: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join(self.names)
        return f"{self.bridge}: take the alternative names {names} from link {self.index}"


Step: TypeAlias = (
    CreateDatapath
    | DeleteDatapath
    | CreateInternalLink
    | CreateTap
    | CreateCable
    | DeleteLink
    | AddPort
    | DeletePort
    | BindPort
    | ChangeEntries
    | PutMeter
    | DeleteMeter
    | SetAddressLimit
    | ForgetAddresses
    | SetLinkUp
    | SetPromiscuous
    | CalmElsewhere
    | SetAddress
    | SetMtu
    | MoveLink
    | KeepName
    | MarkLetGo
    | TakeNames
)
