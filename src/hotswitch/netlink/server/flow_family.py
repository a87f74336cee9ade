"""`ovs_flow`: flows under masks (net/openvswitch/datapath.c). Changes are in `flow_changes`."""

from __future__ import annotations

from hotswitch.netlink.server.flow_answers import FlowAnswers, counted, find
from hotswitch.netlink.server.flow_listing import FlowListing
from hotswitch.netlink.server.listing import Table
from hotswitch.netlink.server.request import Handlers, Outcome, Request
from hotswitch.netlink.server.room import Room


class FlowFamily:
    """Answers questions to `ovs_flow`."""

    def __init__(self, room: Room, answers: FlowAnswers) -> None:
        self._room = room
        self._answers = answers
        self.handlers = Handlers({"get": self._get}, {"get": self._all})

    def _get(self, request: Request) -> Outcome:
        own, flow = find(self._room, request)
        omitted = request.attributes.get("ufid_flags", 0)
        return Outcome(self._answers.describe(flow, counted(own, flow), omitted), own.number)

    def _all(self, request: Request) -> Table:
        own = self._room.find(request.message.datapath)
        return FlowListing(own, self._answers.describe, request.attributes.get("ufid_flags", 0))
