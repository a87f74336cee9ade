"""`ovs_vport`: the ports of datapaths (net/openvswitch/datapath.c, vport*.c)."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from hotswitch.base.errors import HotswitchError
from hotswitch.model.port import PortStatistics
from hotswitch.netlink import ports
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError, declared
from hotswitch.netlink.families.vport import LOCAL, MAXIMUM_PORT
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.describe import describe_vport
from hotswitch.netlink.server.listing import Listed, Table
from hotswitch.netlink.server.local_device import make_again
from hotswitch.netlink.server.own_datapath import OwnDatapath, Vport
from hotswitch.netlink.server.request import Foreseen, Handlers, Outcome, Request
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.vport_devices import VportDevices

_log = logging.getLogger(__name__)

Announce = Callable[[str, Attributes, int], None]
"""Tell of something that nobody asked for: the command, what there is to say, the datapath."""


class VportFamily:
    """Answers requests to `ovs_vport`."""

    def __init__(self, room: Room, announce: Announce) -> None:
        self._room = room
        self._announce = announce
        self._devices = VportDevices(room)
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
                    attributes = self._remove(own, vport, gone=True)
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
        vport = self._devices.add(own, said)
        about = self._about(own, vport, records=(own.vport_record(vport),))
        return replace(about, undo=lambda: self._devices.remove(own, vport))

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
        attributes = self._remove(own, vport)
        return Outcome(attributes, own.number, event=True)

    def _remove(self, own: OwnDatapath, vport: Vport, *, gone: bool = False) -> Attributes:
        """Delete a vport; what there was to say of it. gone: its device has gone."""
        attributes = self._describe(own, vport)
        self._devices.remove(own, vport, gone=gone)
        self._room.keep(kept.VportGone(own.name, vport.number), own.record())
        return attributes

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
