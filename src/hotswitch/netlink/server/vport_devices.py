"""Vports and their devices: made, taken, let go (net/openvswitch/vport-*.c)."""

from __future__ import annotations

import errno

from hotswitch.base.errors import HotswitchError
from hotswitch.model.action import MAXIMUM_PORT as HIGHEST_IN_MODEL
from hotswitch.netlink import ports
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.vport import INTERNAL, MAXIMUM_PORT, NETDEV, TYPES, VXLAN
from hotswitch.netlink.server.outside import Device
from hotswitch.netlink.server.own_datapath import OwnDatapath, Vport
from hotswitch.netlink.server.room import Room, check_name


class VportDevices:
    """Adds vports to datapaths, and removes them."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._outside = room.outside

    def add(self, own: OwnDatapath, said: Attributes) -> Vport:
        """Add the vport that a request says. Raises HotswitchError."""
        number = _number(own, said.get("port"))
        kind, name = said["type"], said["name"]
        check_name(name)
        add = {NETDEV: self._add_netdev, INTERNAL: self._add_internal, VXLAN: self._add_vxlan}
        if kind not in add:
            what = TYPES.get(kind, str(kind))
            raise NetlinkError(
                f"vports of type {what} are not supported; a device of that kind can be a netdev",
                errno=errno.EAFNOSUPPORT,
                path=("type",),
            )
        vport = add[kind](own, number, name, said)
        own.generation += 1
        return vport

    def _add_internal(self, own: OwnDatapath, number: int, name: str, said: Attributes) -> Vport:
        _check_no_options(said)
        self._check_free(name)
        device = self._outside.make_internal(name, said.get("ifindex", 0))
        return self._add_made(own, device, Vport(number, INTERNAL, name, device.index), said)

    def _add_vxlan(self, own: OwnDatapath, number: int, name: str, said: Attributes) -> Vport:
        wanted = _tunnel_port(said)
        self._check_free(name)
        if "ifindex" in said:
            raise NetlinkError(
                "a device's number can't be chosen", errno=errno.EOPNOTSUPP, path=("ifindex",)
            )
        device = self._outside.make_vxlan(name, wanted)
        vport = Vport(number, VXLAN, name, device.index, tunnel_port=device.tunnel_port)
        return self._add_made(own, device, vport, said)

    def _add_made(self, own: OwnDatapath, device: Device, vport: Vport, said: Attributes) -> Vport:
        try:
            return self._add(own, device, vport, said)
        except HotswitchError:
            self._outside.delete_made(device)
            raise

    def _check_free(self, name: str) -> None:
        if self._outside.device(name) is not None:
            raise NetlinkError(
                f"there is a device {name} already", errno=errno.EEXIST, path=("name",)
            )

    def _add_netdev(self, own: OwnDatapath, number: int, name: str, said: Attributes) -> Vport:
        _check_no_options(said)
        device = self._outside.device(name)
        if device is None:
            raise NetlinkError(f"there is no device {name}", errno=errno.ENODEV, path=("name",))
        if not device.ethernet:
            raise NetlinkError(f"{name} has no Ethernet frames", path=("name",))
        if device.made:
            raise NetlinkError(f"{name} is another port's own device", path=("name",))
        taken = self._outside.taken(device.port)
        if not taken and (found := self._room.by_link(device.port)):
            taken = f"datapath {found[0].name}"
        if taken:
            raise NetlinkError(
                f"device {name} is taken by {taken}", errno=errno.EBUSY, path=("name",)
            )
        vport = Vport(
            number, NETDEV, device.name, device.index, taken=not device.promiscuous,
            tunnel_port=device.tunnel_port,
        )  # fmt: skip
        vport = self._add(own, device, vport, said)
        if vport.taken:
            self._outside.take(device)
        return vport

    def _add(self, own: OwnDatapath, device: Device, vport: Vport, said: Attributes) -> Vport:
        vport.pids = said["upcall_pid"]
        model = ports.to_model(vport.number)
        own.datapath.add_port(
            vport.name, number=model, ifindex=device.port, incarnation=device.incarnation
        )
        own.vports[vport.number] = vport
        try:
            own.hear_misses()
        except HotswitchError:
            del own.vports[vport.number]
            own.datapath.delete_port(model)
            raise
        return vport

    def remove(self, own: OwnDatapath, vport: Vport, *, gone: bool = False) -> None:
        """Delete a vport, with its own device, or let its device be as it was found.

        gone: its device has gone. Raises HotswitchError.
        """
        made, taken = (None, None) if gone else self._of(vport)
        # First: else a killed process leaves a device behind that nobody knows of.
        if taken is not None:
            self._outside.give_back(taken)
        try:
            last = own.datapath.delete_port(ports.to_model(vport.number))
        except HotswitchError:
            if taken is not None:
                self._outside.take(taken)
            raise
        own.received += last.rx_packets
        del own.vports[vport.number]
        own.generation += 1
        own.hear_misses()
        if made is not None:
            self._outside.delete_made(made)

    def _of(self, vport: Vport) -> tuple[Device | None, Device | None]:
        """The device that was made for a vport, and the one that takes all frames for it."""
        if vport.has_own_device:
            return self._outside.made_device(vport.name), None
        return None, self._outside.device(vport.name) if vport.taken else None


def _number(own: OwnDatapath, wanted: int | None) -> int:
    if wanted is None:
        for number in range(1, HIGHEST_IN_MODEL):
            if number not in own.vports:
                return number
        raise NetlinkError("no port number is free", errno=errno.EFBIG)
    if wanted > MAXIMUM_PORT or wanted >= HIGHEST_IN_MODEL:
        raise NetlinkError(
            f"no port has the number {wanted}, the highest is {HIGHEST_IN_MODEL - 1}",
            errno=errno.EFBIG,
            path=("port",),
        )
    if wanted in own.vports:
        raise NetlinkError(f"there is a port {wanted} already", errno=errno.EBUSY, path=("port",))
    return wanted


def _check_no_options(said: Attributes) -> None:
    if said.get("options"):
        raise NetlinkError("this type has none", errno=errno.EOPNOTSUPP, path=("options",))


def _tunnel_port(said: Attributes) -> int:
    """The UDP port that a VXLAN vport's options ask for (vxlan_tnl_create, vport-vxlan.c)."""
    options = said.get("options")
    if options is None:
        raise NetlinkError("options.destination_port is missing", missing=4)
    if "destination_port" not in options:
        raise NetlinkError("destination_port is missing", path=("options",), missing=1)
    if options.get("extension"):
        raise NetlinkError(
            "group based policy is not supported",
            errno=errno.EOPNOTSUPP,
            path=("options", "extension", "gbp"),
        )
    port: int = options["destination_port"]
    return port
