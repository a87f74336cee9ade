"""`ovs_vport`: the ports of datapaths (net/openvswitch/datapath.c, vport*.c)."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from hotswitch.base.errors import HotswitchError
from hotswitch.model.action import MAXIMUM_PORT as HIGHEST_IN_MODEL
from hotswitch.model.port import PortStatistics
from hotswitch.netlink import ports
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError, declared
from hotswitch.netlink.families.vport import INTERNAL, LOCAL, MAXIMUM_PORT, NETDEV, TYPES, VXLAN
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.describe import describe_vport
from hotswitch.netlink.server.listing import Listed, Table
from hotswitch.netlink.server.local_device import make_again
from hotswitch.netlink.server.outside import Device
from hotswitch.netlink.server.own_datapath import OwnDatapath, Vport
from hotswitch.netlink.server.request import Foreseen, Handlers, Outcome, Request
from hotswitch.netlink.server.room import Room, check_name

_log = logging.getLogger(__name__)

Announce = Callable[[str, Attributes, int], None]
"""Tell of something that nobody asked for: the command, what there is to say, the datapath."""


class VportFamily:
    """Answers requests to `ovs_vport`."""

    def __init__(self, room: Room, announce: Announce) -> None:
        self._room = room
        self._announce = announce
        self.handlers = Handlers(
            {"new": self._new, "del": self._delete, "get": self._get, "set": self._set},
            {"get": self._all},
            {"del": self._foresee_delete},
        )

    def links_changed(self) -> None:
        """Let vports go whose devices have gone, and follow names."""
        outside = self._room.outside
        for own in list(self._room.datapaths.values()):
            for vport in list(own.vports.values()):
                port = own.datapath.ports()[ports.to_model(vport.number)]
                device = outside.by_port(port.ifindex) if port.ifindex else None
                if device is not None and device.incarnation in (0, port.incarnation):
                    if device.name != vport.name:
                        vport.name = device.name
                        self._room.keep(own.vport_record(vport))
                elif vport.number == LOCAL:
                    self._make_local_again(own, vport)
                else:
                    attributes = self._remove(own, vport, None)
                    self._announce("del", attributes, own.number)

    def _make_local_again(self, own: OwnDatapath, vport: Vport) -> None:
        """Make a datapath's own device again, once nothing else has its name."""
        outside = self._room.outside
        if outside.device(own.name) is None:
            device = make_again(outside, own.name, own.number, own.datapath)
            vport.name, vport.index = device.name, device.index
            _log.warning(
                "netlink: datapath %s: its own device had gone and is made again", own.name
            )

    def _new(self, request: Request) -> Outcome:
        said = request.attributes
        own = self._room.find(request.message.datapath)
        number = self._number(own, said.get("port"))
        kind, name = said["type"], said["name"]
        check_name(name)
        if kind not in (NETDEV, INTERNAL, VXLAN):
            what = TYPES.get(kind, str(kind))
            raise NetlinkError(
                f"vports of type {what} are not supported; a device of that kind can be a netdev",
                errno=errno.EAFNOSUPPORT,
                path=("type",),
            )
        add = {NETDEV: self._add_netdev, INTERNAL: self._add_internal, VXLAN: self._add_vxlan}
        vport = add[kind](own, number, name, said)
        own.generation += 1
        about = self._about(own, vport, records=(own.vport_record(vport),))
        return replace(about, undo=lambda: self._detach(own, vport, self._device_of(vport)))

    def _number(self, own: OwnDatapath, wanted: int | None) -> int:
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
            raise NetlinkError(
                f"there is a port {wanted} already", errno=errno.EBUSY, path=("port",)
            )
        return wanted

    def _add_internal(self, own: OwnDatapath, number: int, name: str, said: Attributes) -> Vport:
        _check_no_options(said)
        self._check_free(name)
        device = self._room.outside.make_internal(name, said.get("ifindex", 0))
        return self._add_made(own, device, Vport(number, INTERNAL, name, device.index), said)

    def _add_vxlan(self, own: OwnDatapath, number: int, name: str, said: Attributes) -> Vport:
        wanted = _tunnel_port(said)
        self._check_free(name)
        if "ifindex" in said:
            raise NetlinkError(
                "a device's number can't be chosen", errno=errno.EOPNOTSUPP, path=("ifindex",)
            )
        device = self._room.outside.make_vxlan(name, wanted)
        vport = Vport(number, VXLAN, name, device.index, tunnel_port=device.tunnel_port)
        return self._add_made(own, device, vport, said)

    def _add_made(self, own: OwnDatapath, device: Device, vport: Vport, said: Attributes) -> Vport:
        try:
            return self._add(own, device, vport, said)
        except HotswitchError:
            self._room.outside.delete_made(device)
            raise

    def _check_free(self, name: str) -> None:
        if self._room.outside.device(name) is not None:
            raise NetlinkError(
                f"there is a device {name} already", errno=errno.EEXIST, path=("name",)
            )

    def _add_netdev(self, own: OwnDatapath, number: int, name: str, said: Attributes) -> Vport:
        _check_no_options(said)
        outside = self._room.outside
        device = outside.device(name)
        if device is None:
            raise NetlinkError(f"there is no device {name}", errno=errno.ENODEV, path=("name",))
        if not device.ethernet:
            raise NetlinkError(f"{name} has no Ethernet frames", path=("name",))
        if device.made:
            raise NetlinkError(f"{name} is another port's own device", path=("name",))
        taken = outside.taken(device.port)
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
            outside.take(device)
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

    def _foresee_delete(self, request: Request) -> Foreseen:
        own, vport = self._find_deletable(request)
        outcome = Outcome(self._describe(own, vport), own.number, event=True)
        return Foreseen(outcome, "vport", own.name, vport.number)

    def _find_deletable(self, request: Request) -> tuple[OwnDatapath, Vport]:
        own, vport = self._find(request)
        if vport.number == LOCAL:
            raise NetlinkError("the local port goes with its datapath", path=("port",))
        return own, vport

    def _delete(self, request: Request) -> Outcome:
        own, vport = self._find_deletable(request)
        attributes = self._remove(own, vport, self._device_of(vport))
        return Outcome(attributes, own.number, event=True)

    def _device_of(self, vport: Vport) -> Device | None:
        """What is to go, or to be let go, with a vport."""
        if vport.has_own_device:
            return self._room.outside.made_device(vport.name)
        return self._room.outside.device(vport.name) if vport.taken else None

    def _remove(self, own: OwnDatapath, vport: Vport, device: Device | None) -> Attributes:
        """Delete a vport; what there was to say of it. device: what is to go or to be let go."""
        attributes = self._describe(own, vport)
        self._detach(own, vport, device)
        self._room.keep(kept.VportGone(own.name, vport.number), own.record())
        return attributes

    def _detach(self, own: OwnDatapath, vport: Vport, device: Device | None) -> None:
        last = own.datapath.delete_port(ports.to_model(vport.number))
        own.received += last.rx_packets
        del own.vports[vport.number]
        own.generation += 1
        own.hear_misses()
        if device is not None:
            if vport.has_own_device:
                self._room.outside.delete_made(device)
            else:
                self._room.outside.give_back(device)

    def _get(self, request: Request) -> Outcome:
        own, vport = self._find(request)
        return Outcome(self._describe(own, vport), own.number)

    def _set(self, request: Request) -> Outcome:
        own, vport = self._find(request)
        said = request.attributes
        if said.get("type", vport.kind) != vport.kind:
            raise NetlinkError("it stays as it is", path=("type",))
        if "options" in said:
            raise NetlinkError("this type has none", errno=errno.EOPNOTSUPP, path=("options",))
        before = vport.pids
        vport.pids = said.get("upcall_pid", before)
        try:
            own.hear_misses()
        except HotswitchError:
            vport.pids = before
            raise
        own.generation += 1
        return self._about(own, vport, records=(own.vport_record(vport),))

    def _all(self, request: Request) -> Table:
        return _Vports(self._room.find(request.message.datapath), self._describe)

    def _describe(
        self,
        own: OwnDatapath,
        vport: Vport,
        counted: Mapping[int, PortStatistics] | None = None,
    ) -> Attributes:
        try:
            if counted is None:
                counted = own.datapath.port_statistics()
            link = self._room.outside.counters(vport.index)
        except HotswitchError as error:
            raise declared(error) from error
        return describe_vport(own, vport, counted[ports.to_model(vport.number)], link)

    def _about(
        self, own: OwnDatapath, vport: Vport, records: tuple[kept.VportKept, ...]
    ) -> Outcome:
        return Outcome(self._describe(own, vport), own.number, event=True, records=records)

    def _find(self, request: Request) -> tuple[OwnDatapath, Vport]:
        said, number = request.attributes, request.message.datapath
        if "ifindex" in said:
            raise NetlinkError("not looked for by this", errno=errno.EOPNOTSUPP, path=("ifindex",))
        if "name" in said:
            found = self._room.vport(said["name"])
            if found is None or number not in (0, found[0].number):
                raise NetlinkError(
                    f"there is no port {said['name']}", errno=errno.ENODEV, path=("name",)
                )
            return found
        if "port" not in said:
            raise NetlinkError("name or port is missing", missing=3)
        if said["port"] > MAXIMUM_PORT:
            raise NetlinkError("no port has this number", errno=errno.EFBIG, path=("port",))
        own = self._room.find(number)
        vport = own.vports.get(said["port"])
        if vport is None:
            raise NetlinkError(
                f"there is no port {said['port']}", errno=errno.ENODEV, path=("port",)
            )
        return own, vport


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


class _Vports:
    """One datapath's vports, by number."""

    def __init__(
        self,
        own: OwnDatapath,
        describe: Callable[[OwnDatapath, Vport, Mapping[int, PortStatistics]], Attributes],
    ) -> None:
        self._own = own
        self._describe = describe

    @property
    def generation(self) -> int:
        return self._own.generation

    def listed(self, place: int) -> Iterator[Listed]:
        counted = self._own.datapath.port_statistics()
        for number in sorted(self._own.vports):
            if number >= place:
                attributes = self._describe(self._own, self._own.vports[number], counted)
                yield Listed(number, attributes, self._own.number)
