"""What the server acts on: datapaths, devices, and a memory that outlives the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hotswitch.datapath.contract import Datapath
from hotswitch.kernel.link_counters import LinkCounters
from hotswitch.kernel.tunnel_key import TunnelKey
from hotswitch.netlink.checksums import Layer4
from hotswitch.netlink.server.records import Record


@dataclass(frozen=True, slots=True)
class Device:
    """A network device, with the link by which frames come and go.

    index: the kernel's. name: as it is now. port: the link that a datapath takes, which for an
    internal device is not the one that the host has; incarnation: that life of it. made: by
    `make_internal` or `make_vxlan`, so it goes with its vport. tunnel_port: the UDP port of a
    VXLAN device whose outer headers are said and told packet by packet; 0: it is none.
    """

    index: int
    name: str
    port: int
    incarnation: int = 0
    promiscuous: bool = False
    ethernet: bool = True
    made: bool = False
    tunnel_port: int = 0


class Outside(Protocol):
    """All methods raise HotswitchError."""

    def datapaths(self) -> Mapping[str, Datapath]:
        """Those of an earlier life, by name. Called once."""

    def make_datapath(self, name: str) -> Datapath:
        """An empty datapath."""

    def device(self, name: str) -> Device | None:
        """The device that has this name."""

    def by_port(self, index: int) -> Device | None:
        """The device whose `port` has this index."""

    def made_device(self, name: str) -> Device | None:
        """The device of this name, if it was made here."""

    def make_internal(self, name: str, index: int = 0) -> Device:
        """Make a device for the host (index: the number that it shall have, 0: any)."""

    def make_internal_again(self, name: str, index: int) -> Device:
        """Make a device that has gone again, with the number that it had if that is free."""

    def make_vxlan(self, name: str, port: int) -> Device:
        """Make a VXLAN device whose outer headers are said and told packet by packet.

        port: UDP, 0: the kernel's own choice.
        """

    def delete_made(self, device: Device) -> None:
        """Delete what was made here."""

    def take(self, device: Device) -> None:
        """Have the device take all frames, not just those for its own addresses."""

    def give_back(self, device: Device) -> None:
        """Let it be as it was before `take`."""

    def taken(self, index: int) -> str:
        """Who else has the link of this index, for people; nothing if it is free."""

    def counters(self, index: int) -> LinkCounters:
        """What the kernel has counted for a device; nothing if it has gone."""

    def send(
        self,
        index: int,
        frame: bytes,
        priority: int = 0,
        mark: int = 0,
        layer_4: Layer4 | None = None,
    ) -> None:
        """Let a frame leave by the link of this index, with this priority and mark.

        layer_4: of a frame that may be too long for the link; TCP is then cut into segments.
        """

    def send_in_tunnel(self, index: int, frame: bytes, key: TunnelKey) -> None:
        """Let a frame leave by a VXLAN device, with these outer headers."""


class Memory(Protocol):
    """Keeps records, in order. They outlive the process, not a crash of the machine."""

    def append(self, records: Sequence[Record]) -> None:
        """Keep these too. Raises HotswitchError."""
