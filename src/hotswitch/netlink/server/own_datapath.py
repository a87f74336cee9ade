"""A datapath that clients have made, and its vports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hotswitch.datapath.contract import Datapath, DeleteEntry, PutEntry
from hotswitch.model.action import CopyToUser
from hotswitch.model.entry import Entry
from hotswitch.model.match import ANY
from hotswitch.netlink import ports, tunnel_keys
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import PER_CPU
from hotswitch.netlink.families.vport import INTERNAL, VXLAN
from hotswitch.netlink.places import BESIDE, COPIED
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.flow_table import Flow, FlowTable

FLOW_PRIORITY = 1
MISS = Entry(0, 0, ANY, (CopyToUser(fields=BESIDE),))
"""What takes packets that no flow matches to user space. Its cookie, 0, is no flow's."""
MISS_WITH_TUNNELS = Entry(0, 0, ANY, (CopyToUser(fields=COPIED),))
"""The same where packets can come with outer headers."""


@dataclass(slots=True)
class Vport:
    """A vport. index: its device's number; name: of its device, as it was when last looked at.

    pids: who gets its misses. taken: the device was made to take all frames for it.
    tunnel_port: as `outside.Device` has it.
    """

    number: int
    kind: int
    name: str
    index: int
    pids: tuple[int, ...] = (0,)
    taken: bool = False
    tunnel_port: int = 0

    @property
    def has_own_device(self) -> bool:
        """Whether its device was made for it."""
        return self.kind in (INTERNAL, VXLAN)


@dataclass(slots=True, eq=False)
class OwnDatapath:
    """A datapath that clients of this server have made.

    number: its local port's device's. received, missed: packets, of ports and of miss entries
    that are no more. lost: misses that nobody took. lost_below: packets that had no room on their
    way to user space, as far as readers have been told. readers: port ids that have got packets.
    """

    name: str
    number: int
    datapath: Datapath
    features: int = 0
    pids: tuple[int, ...] = ()
    vports: dict[int, Vport] = field(default_factory=dict)
    flows: FlowTable = field(default_factory=FlowTable)
    generation: int = 0
    received: int = 0
    missed: int = 0
    lost: int = 0
    lost_below: int = 0
    readers: set[int] = field(default_factory=set)

    def record(self) -> kept.DatapathKept:
        """What to know of it after a restart."""
        return kept.DatapathKept(self.name, self.features, self.pids, self.received, self.number)

    def vport_record(self, vport: Vport) -> kept.VportKept:
        """What to know of a vport."""
        return kept.VportKept(
            self.name, vport.number, vport.kind, vport.name, vport.pids, vport.taken
        )

    def flow_record(self, flow: Flow) -> kept.FlowKept:
        """What to know of a flow."""
        return kept.FlowKept(
            self.name, flow.cookie, flow.identity, flow.named, flow.request, flow.actions
        )

    def records(self) -> Iterator[kept.Record]:
        """All that, vports and flows included, each as it is when it is its turn."""
        yield self.record()
        for number in list(self.vports):
            vport = self.vports.get(number)
            if vport is not None:
                yield self.vport_record(vport)
        yield from map(self.flow_record, self.flows)

    def by_name(self, name: str) -> Vport | None:
        """The vport whose device has this name."""
        return next((each for each in self.vports.values() if each.name == name), None)

    def named(self) -> set[int]:
        """The port ids that misses are for."""
        if self.features & PER_CPU:
            return set(self.pids)
        return {pid for vport in self.vports.values() for pid in vport.pids}

    @property
    def wants_misses(self) -> bool:
        """Whether anybody has said to take packets that no flow matches."""
        if self.features & PER_CPU:
            return any(self.pids)
        return any(any(each.pids) for each in self.vports.values())

    def has_tunnels(self, in_port: int | None = None) -> bool:
        """Whether packets can come with outer headers, by this port (the model's number) or any."""
        if in_port is None:
            return any(each.tunnel_port for each in self.vports.values())
        vport = self.vports.get(ports.from_model(in_port))
        return vport is not None and vport.tunnel_port != 0

    def hear_misses(self) -> None:
        """Let misses come to user space, if anybody wants them. Raises HotswitchError."""
        there = self.datapath.entries().get(MISS.key)
        wanted = MISS_WITH_TUNNELS if self.has_tunnels() else MISS
        if self.wants_misses and there != wanted:
            self.datapath.change([PutEntry(wanted)])
        elif there and not self.wants_misses:
            last = self.datapath.change([DeleteEntry(MISS.key)])
            self.missed += last[MISS.key].packets


def check_tunnel_ports(own: OwnDatapath, actions: Attributes) -> None:
    """Raise NetlinkError for actions that set another UDP port than that of the device by which
    the packet then leaves, which the kernel takes from no program."""
    for said, number in tunnel_keys.ports_said(actions):
        vport = own.vports.get(number)
        if vport is not None and vport.tunnel_port not in (0, said):
            raise NetlinkError(
                f"not supported: port {number} sends to the UDP port {vport.tunnel_port} only",
                path=("actions", "set", "tunnel", "dst_port"),
            )
