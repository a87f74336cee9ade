"""`outside.Outside` on the kernel's devices.

An internal port's device is one end of a veth pair; the datapath takes the other end, which is
marked with the name (`switch.marks`). So the pair is known again after a restart, also if the
host's end has been renamed or is in another network namespace. A VXLAN port's device is marked
itself (`vxlan_devices`).
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Mapping, Set

from hotswitch.base.errors import HotswitchError
from hotswitch.datapath.contract import Datapath
from hotswitch.kernel import link_actions
from hotswitch.kernel.error import KernelError
from hotswitch.kernel.link_counters import LinkCounters, link_counters
from hotswitch.kernel.links import Link
from hotswitch.kernel.packet_output import PacketOutput, Segments
from hotswitch.kernel.tunnel_key import TunnelKey
from hotswitch.kernel.tunnel_output import TunnelOutput
from hotswitch.netlink.checksums import TCP, Layer4, begun
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.server import vxlan_devices
from hotswitch.netlink.server.outside import Device
from hotswitch.switch.desired import PortKind
from hotswitch.switch.link_table import LinkTable
from hotswitch.switch.marks import inside_name, is_pair_of, mark, ports_marked
from hotswitch.switch.world import Links

_ETHERNET = 1  # ARPHRD_ETHER
_log = logging.getLogger(__name__)


class Devices:
    """Devices of one network namespace, and datapaths.

    owner: what tells links made here from others'. make: a datapath of this name. found: those of
    an earlier life. taken: who else has the link of an index, for people, or nothing.
    """

    def __init__(
        self,
        links: Links,
        owner: str,
        make: Callable[[str], Datapath],
        found: Mapping[str, Datapath],
        taken: Callable[[int], str],
    ) -> None:
        self._links = links
        self._owner = owner
        self._make = make
        self._found = found
        self._taken = taken
        self._output: PacketOutput | None = None
        self._tunnel_output: TunnelOutput | None = None

    def datapaths(self) -> Mapping[str, Datapath]:
        """Those of an earlier life, by name. Devices that none of them needs are deleted."""
        needed = {
            link.ifindex
            for datapath in self._found.values()
            for port in datapath.ports().values()
            for link in port.links
        }
        remove(self._links, self._owner, but=needed)
        return self._found

    def make_datapath(self, name: str) -> Datapath:
        """An empty datapath."""
        return self._make(name)

    def device(self, name: str) -> Device | None:
        """The device that has this name."""
        table = self._links.look()
        link = table.by_name.get(name)
        return None if link is None else self._device(table, link)

    def by_port(self, index: int) -> Device | None:
        """The device whose `port` has this index."""
        table = self._links.look()
        link = table.by_index.get(index)
        if link is None:
            return None
        made = ports_marked(self._owner, link)
        return self._inside(table, link, made[0][1]) if made else self._device(table, link)

    def made_device(self, name: str) -> Device | None:
        """The device of this name, if it was made here."""
        table = self._links.look()
        link = table.by_name.get(mark(self._owner, PortKind.INTERNAL, name))
        if link is not None:
            return self._inside(table, link, name)
        outer = table.by_name.get(name)
        device = None if outer is None else self._device(table, outer)
        return device if device and device.made else None

    def make_internal(self, name: str, index: int = 0) -> Device:
        """Make a device for the host."""
        if index:
            raise NetlinkError(
                "a device's number can't be chosen", errno=errno.EOPNOTSUPP, path=("ifindex",)
            )
        return self._internal(name, 0)

    def make_internal_again(self, name: str, index: int) -> Device:
        """Make a device that has gone again, with the number that it had if that is free."""
        return self._internal(name, 0 if index in self._links.look().by_index else index)

    def _internal(self, name: str, index: int) -> Device:
        outer = link_actions.create_veth(name, inside_name(self._owner, name), index=index)
        try:
            self._links.take_no_addresses(outer.peer)
            link_actions.set_up(outer.peer)
            self._links.add_alternative_names(
                outer.peer, (mark(self._owner, PortKind.INTERNAL, name),)
            )
        except HotswitchError:
            _delete(self._links, outer.index)
            raise
        table = self._links.look()
        inside = table.by_index.get(outer.peer)
        if inside is None:
            raise KernelError(f"make the device {name}: it went at once", errno.ENODEV)
        return self._inside(table, inside, name)

    def make_vxlan(self, name: str, port: int) -> Device:
        """Make a VXLAN device whose outer headers are said and told packet by packet."""
        try:
            link = vxlan_devices.create(self._owner, name, port)
        except KernelError as error:
            if error.errno == errno.EEXIST:
                self._check_udp_port(port)
            raise
        try:
            self._links.take_no_addresses(link.index)
            self._links.add_alternative_names(link.index, (vxlan_devices.mark(self._owner, name),))
            link_actions.set_up(link.index)
        except HotswitchError:
            _delete(self._links, link.index)
            raise
        table = self._links.look()
        made = table.by_index.get(link.index)
        if made is None:
            raise KernelError(f"make the device {name}: it went at once", errno.ENODEV)
        return self._device(table, made)

    def _check_udp_port(self, port: int) -> None:
        """Raise NetlinkError that says which VXLAN device has this port already, if one has."""
        for link in self._links.look().by_index.values():
            if vxlan_devices.tunnel_port(link) == port:
                raise NetlinkError(
                    f"{port} is the UDP port of {link.name}, which takes all of its packets",
                    errno=errno.EEXIST,
                    path=("options", "destination_port"),
                )

    def delete_made(self, device: Device) -> None:
        """Delete what was made here."""
        _delete(self._links, device.port)

    def take(self, device: Device) -> None:
        """Have the device take all frames."""
        link_actions.set_promiscuous(device.port, True)

    def give_back(self, device: Device) -> None:
        """Let it take only frames for its own addresses."""
        link_actions.set_promiscuous(device.port, False)

    def taken(self, index: int) -> str:
        """Who else has the link of this index."""
        return self._taken(index)

    def counters(self, index: int) -> LinkCounters:
        """What the kernel has counted for a device; nothing if it is not here."""
        try:
            return link_counters(index)
        except KernelError as error:
            if error.errno == errno.ENODEV:
                return LinkCounters()
            raise

    def send(
        self,
        index: int,
        frame: bytes,
        priority: int = 0,
        mark: int = 0,
        layer_4: Layer4 | None = None,
    ) -> None:
        """Let a frame leave by the link of this index, if it is up, with this priority and mark."""
        try:
            if self._output is None:
                self._output = PacketOutput()
            segments = None if layer_4 is None else self._segments(index, frame, layer_4)
            if segments is not None and layer_4 is not None:
                frame = begun(frame, layer_4)
            self._output.send(index, frame, priority, mark, segments)
        except KernelError as error:
            _log.debug("netlink: a packet could not leave by link %d: %s", index, error)

    def _segments(self, index: int, frame: bytes, where: Layer4) -> Segments | None:
        """How a frame is cut up if it is too long for a link."""
        link = self._links.look().by_index.get(index)
        if link is None or where.protocol != TCP or len(frame) - where.network <= link.mtu:
            return None
        headers = where.start + 4 * (frame[where.start + 12] >> 4)
        payload = link.mtu - (headers - where.network)
        if not 0 < payload < len(frame) - headers:
            return None
        ipv6 = frame[where.network] >> 4 == 6
        return Segments(headers, payload, where.start, where.checksum - where.start, ipv6)

    def send_in_tunnel(self, index: int, frame: bytes, key: TunnelKey) -> None:
        """Let a frame leave by a VXLAN device, with these outer headers."""
        try:
            if self._tunnel_output is None:
                self._tunnel_output = TunnelOutput()
            self._tunnel_output.send(index, frame, key)
        except KernelError as error:
            _log.debug("netlink: a packet could not leave by tunnel %d: %s", index, error)

    def close(self) -> None:
        """Let go of what it holds."""
        if self._output is not None:
            self._output.close()
        if self._tunnel_output is not None:
            self._tunnel_output.close()

    def _device(self, table: LinkTable, link: Link) -> Device:
        other = table.other_end(link) if link.kind == "veth" else None
        port = link
        if other is not None and ports_marked(self._owner, other):
            port = other
        return Device(
            link.index,
            link.name,
            port.index,
            port.incarnation,
            link.promiscuous,
            link.device_type == _ETHERNET,
            port is not link or vxlan_devices.is_made(self._owner, link),
            vxlan_devices.tunnel_port(link),
        )

    def _inside(self, table: LinkTable, link: Link, name: str) -> Device:
        outer = table.other_end(link)
        shown = outer.name if outer else name
        return Device(link.peer, shown, link.index, link.incarnation, made=True)


def remove(links: Links, owner: str, but: Set[int] = frozenset()) -> None:
    """Delete the devices that were made under this owner, but those of which a datapath has the
    link of such an index."""
    table = links.look()
    for link in list(table.by_index.values()):
        other = table.other_end(link)
        unfinished = other is not None and is_pair_of(owner, link, other)
        own = ports_marked(owner, link) or unfinished or vxlan_devices.is_made(owner, link)
        if own and link.index not in but:
            try:
                _delete(links, link.index)
            except HotswitchError as error:
                _log.error("netlink: %s", error)


def _delete(links: Links, index: int) -> None:
    """Delete a link; a pair's other end goes with it. Raises HotswitchError."""
    (error,) = links.delete_many((index,))
    if error is not None:
        raise error
