"""Flows found, and what answers say of them."""

from __future__ import annotations

import contextlib
import errno
import struct

from hotswitch.headers.registry import Registry
from hotswitch.model.entry import EntryStatistics
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError, UnsupportedError
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.families.keys import KEY
from hotswitch.netlink.flows import match_of
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.describe import describe_flow
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.own_datapath import OwnDatapath
from hotswitch.netlink.server.request import Outcome, Request
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.shown_flows import ShownFlows
from hotswitch.netlink.ufid import identity

_header = struct.Struct("=HH")
_KEY = FLOW.attributes.by_name["key"].number


class FlowAnswers:
    """Says what there is to say of flows."""

    def __init__(self, registry: Registry, codec: Codec) -> None:
        self._registry = registry
        self._codec = codec
        self._known = ShownFlows()

    def describe(self, flow: Flow, counted: EntryStatistics, omitted: int) -> Attributes:
        """A flow without what `ufid_flags` ask to leave out."""
        return describe_flow(self._registry, self._codec, self._known, flow, counted, omitted)

    def outcome(
        self,
        own: OwnDatapath,
        flow: Flow,
        counted: EntryStatistics,
        said: Attributes,
        records: tuple[kept.Record, ...] = (),
    ) -> Outcome:
        """A change of a flow that was asked for by a request that says `said`."""
        omitted = said.get("ufid_flags", 0)
        return Outcome(
            lambda: self.describe(flow, counted, omitted), own.number, event=True, records=records
        )


def find(room: Room, request: Request) -> tuple[OwnDatapath, Flow]:
    """The flow that a request names, and its datapath.

    Raises NetlinkError in the kernel's order: for the key, the datapath, the flow.
    """
    said, number = request.attributes, request.message.datapath
    name = identity(said)
    own = room.datapaths.get(number)
    flow = own.flows.find(name) if own else None
    if flow is None or flow.named:
        _check_key(room, said, flow)
    if own is None or flow is None:
        own = room.find(number)
        raise NetlinkError("there is no such flow", errno=errno.ENOENT)
    return own, flow


def says_key(said: Attributes) -> bool:
    """Whether there is a key; beside a UFID an empty one is none (the kernel refuses it)."""
    key = said.get("key")
    return key is not None and (len(key) > 0 or "ufid" not in said)


def _check_key(room: Room, said: Attributes, flow: Flow | None) -> None:
    """Refuse a key that is none; that of the flow is one, whatever its mask leaves out."""
    if not says_key(said):
        return
    key = said["key"]
    encoded = KEY.encode(key)
    attribute = _header.pack(_header.size + len(encoded), _KEY) + encoded
    if flow is None or attribute not in flow.request:
        with contextlib.suppress(UnsupportedError):  # then there is no such flow
            match_of(room.registry, key)


def counted(own: OwnDatapath, flow: Flow) -> EntryStatistics:
    """What a flow has counted until now. Raises HotswitchError."""
    return own.datapath.entry_statistics((flow.key,))[flow.key]
