"""`ovs_datapath`: making, changing, listing and deleting datapaths (net/openvswitch/datapath.c)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace

from hotswitch.base.errors import HotswitchError
from hotswitch.netlink import ports
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.families.datapath import (
    FEATURES_SINCE,
    PER_CPU,
    UNALIGNED,
    VPORT_PIDS,
)
from hotswitch.netlink.families.vport import INTERNAL, LOCAL
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.describe import describe_datapath
from hotswitch.netlink.server.listing import Listed
from hotswitch.netlink.server.own_datapath import OwnDatapath, Vport
from hotswitch.netlink.server.request import Foreseen, Handlers, Outcome, Request
from hotswitch.netlink.server.room import Room, check_name

FEATURES = UNALIGNED | VPORT_PIDS | PER_CPU
"""OVS_DP_F_* that can be asked for. (OVS_DP_F_TC_RECIRC_SHARING is about other tc filters.)"""


class DatapathFamily:
    """Answers requests to `ovs_datapath`."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.handlers = Handlers(
            {"new": self._new, "del": self._delete, "get": self._get, "set": self._set},
            {"get": lambda _: self},
            {"del": self._foresee_delete},
        )

    @property
    def generation(self) -> int:
        """Of all datapaths."""
        return self._room.generation

    def listed(self, place: int) -> Iterator[Listed]:
        """The datapaths by number."""
        for number in sorted(self._room.datapaths):
            if number >= place:
                own = self._room.datapaths[number]
                yield Listed(number, describe_datapath(own), number)

    def _new(self, request: Request) -> Outcome:
        room, said = self._room, request.attributes
        name = said["name"]
        check_name(name)
        features = _features(said)
        there = room.by_name(name)
        if there or room.vport(name) or room.outside.device(name):
            if there and there.features and _knows_no_features(request):
                self._change(there, 0, there.pids)
            raise NetlinkError(
                f"there is a device {name} already", errno=errno.EEXIST, path=("name",)
            )
        device = room.outside.make_internal(name, said.get("ifindex", 0))
        try:
            datapath = room.outside.make_datapath(name)
            try:
                datapath.add_port(
                    name,
                    number=ports.LOCAL_IN_MODEL,
                    ifindex=device.port,
                    incarnation=device.incarnation,
                )
                own = OwnDatapath(name, device.index, datapath, features, _pids(said, features))
                own.vports[LOCAL] = Vport(
                    LOCAL, INTERNAL, name, device.index, (said["upcall_pid"],)
                )
                own.hear_misses()
            except HotswitchError:
                datapath.destroy()
                raise
        except HotswitchError:
            room.outside.delete_made(device)
            raise
        room.add(own)

        def undo() -> None:
            del room.datapaths[own.number]
            datapath.destroy()
            room.outside.delete_made(device)

        # Kept together with the answer: a later life knows both or neither.
        records = own.record(), own.vport_record(own.vports[LOCAL])
        return replace(_about(own), records=records, undo=undo)

    def _foresee_delete(self, request: Request) -> Foreseen:
        own = self._find(request)
        return Foreseen(_about(own), "datapath", own.name)

    def _delete(self, request: Request) -> Outcome:
        own = self._find(request)
        outcome = _about(own)
        for vport in own.vports.values():
            self._give_back(vport)
        own.datapath.destroy()
        local = self._room.outside.made_device(own.name)
        if local is not None:
            self._room.outside.delete_made(local)
        del self._room.datapaths[own.number]
        self._room.generation += 1
        self._room.keep(kept.DatapathGone(own.name))
        return outcome

    def _give_back(self, vport: Vport) -> None:
        outside = self._room.outside
        if vport.has_own_device:
            if vport.number != LOCAL and (device := outside.made_device(vport.name)):
                outside.delete_made(device)
        elif vport.taken and (device := outside.device(vport.name)):
            outside.give_back(device)

    def _get(self, request: Request) -> Outcome:
        own = self._find(request)
        return Outcome(describe_datapath(own), own.number)

    def _set(self, request: Request) -> Outcome:
        """Features that are not said end (ovs_dp_change). The port ids stay, for when packets go by
        CPU again, unless others are said."""
        own, said = self._find(request), request.attributes
        features, pids = _features(said), own.pids
        if said.get("masks_cache_size"):
            raise NetlinkError(
                "there is no cache in front of the flows",
                errno=errno.EOPNOTSUPP,
                path=("masks_cache_size",),
            )
        if features & PER_CPU and "per_cpu_pids" in said:
            pids = said["per_cpu_pids"]
        self._change(own, features, pids)
        return _about(own)

    def _change(self, own: OwnDatapath, features: int, pids: tuple[int, ...]) -> None:
        before = own.features, own.pids
        own.features, own.pids = features, pids
        try:
            own.hear_misses()
            self._room.keep(own.record())
        except HotswitchError:
            own.features, own.pids = before
            raise
        self._room.generation += 1

    def _find(self, request: Request) -> OwnDatapath:
        name = request.attributes.get("name")
        if name is None:
            return self._room.find(request.message.datapath)
        own = self._room.by_name(name)
        if own is None:
            raise NetlinkError(f"there is no datapath {name}", errno=errno.ENODEV, path=("name",))
        return own


def _knows_no_features(request: Request) -> bool:
    """Whether the asker is older than features: if it takes over a datapath, it has none."""
    version = request.message.version
    return version is not None and version < FEATURES_SINCE


def _about(own: OwnDatapath) -> Outcome:
    return Outcome(describe_datapath(own), own.number, event=True)


def _features(said: Attributes) -> int:
    features: int = said.get("user_features", 0)
    if features & ~FEATURES:
        raise NetlinkError(
            f"not supported: {features & ~FEATURES:#x}",
            errno=errno.EOPNOTSUPP,
            path=("user_features",),
        )
    return features


def _pids(said: Attributes, features: int) -> tuple[int, ...]:
    pids: tuple[int, ...] = said.get("per_cpu_pids", ())
    return pids if features & PER_CPU else ()
