"""Flows found, and what answers say of them."""

from __future__ import annotations

import errno

from hotswitch.headers.registry import Registry
from hotswitch.model.entry import EntryStatistics
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.codec import Codec
from hotswitch.netlink.errors import NetlinkError
from hotswitch.netlink.server import records as kept
from hotswitch.netlink.server.describe import describe_flow
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.own_datapath import OwnDatapath
from hotswitch.netlink.server.request import Outcome
from hotswitch.netlink.ufid import identity


class FlowAnswers:
    """Says what there is to say of flows."""

    def __init__(self, registry: Registry, codec: Codec) -> None:
        self._registry = registry
        self._codec = codec

    def describe(self, flow: Flow, counted: EntryStatistics, omitted: int) -> Attributes:
        """A flow without what `ufid_flags` ask to leave out."""
        return describe_flow(self._registry, self._codec, flow, counted, omitted)

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


def find(own: OwnDatapath, said: Attributes) -> Flow:
    """The flow that a request names. Raises NetlinkError."""
    flow = own.flows.find(identity(said))
    if flow is None:
        raise NetlinkError("there is no such flow", errno=errno.ENOENT)
    return flow


def counted(own: OwnDatapath, flow: Flow) -> EntryStatistics:
    """What a flow has counted until now. Raises HotswitchError."""
    return own.datapath.entry_statistics((flow.key,))[flow.key]
