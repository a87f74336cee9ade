"""One datapath's flows as a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hotswitch.model.entry import EntryStatistics
from hotswitch.netlink.attributes import Attributes
from hotswitch.netlink.server.flow_table import Flow, batched
from hotswitch.netlink.server.listing import Listed
from hotswitch.netlink.server.own_datapath import OwnDatapath

_AT_ONCE = 32
"""Flows of a listing whose statistics are read together."""


class FlowListing:
    """They are listed by cookie: a flow has the same one for all its life."""

    def __init__(
        self,
        own: OwnDatapath,
        describe: Callable[[Flow, EntryStatistics, int], Attributes],
        omitted: int,
    ) -> None:
        self._own = own
        self._describe = describe
        self._omitted = omitted

    @property
    def generation(self) -> int:
        return self._own.flows.generation

    def listed(self, place: int) -> Iterator[Listed]:
        own = self._own
        for flows in batched(own.flows.since(place), _AT_ONCE):
            counted = own.datapath.entry_statistics([flow.key for flow in flows])
            for flow in flows:
                attributes = self._describe(flow, counted[flow.key], self._omitted)
                yield Listed(flow.cookie, attributes, own.number)
