"""New flows of known forms, asked for one behind another: read, made and answered together.

Thousands a second come so. What is done for each is what `flow_changes` does, without a message,
a plan and an outcome for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from hotswitch.datapath.contract import PutEntry
from hotswitch.model.entry import Entry, EntryKey
from hotswitch.netlink.families.flow import FLOW
from hotswitch.netlink.server.answers import acknowledgement
from hotswitch.netlink.server.events import Events
from hotswitch.netlink.server.flow_table import Flow
from hotswitch.netlink.server.known_forms import Form, KnownForms
from hotswitch.netlink.server.own_datapath import FLOW_PRIORITY, OwnDatapath
from hotswitch.netlink.server.room import Room
from hotswitch.netlink.server.session import Session

MOST = 256
"""Flows that are made together: a few milliseconds, in which no other client is served."""


class FlowBursts:
    """Carries out requests that need no second look."""

    def __init__(self, room: Room, events: Events, forms: KnownForms) -> None:
        self._room = room
        self._events = events
        self._forms = forms

    def carry_out(self, session: Session, requests: Sequence[bytes]) -> int:
        """Carry out the first of these requests, all or none, and answer; how many.

        None of them would be refused, or have anything compiled. Raises HotswitchError; then
        nothing has changed.
        """
        forms = self._forms.of(requests, MOST)
        if not forms or self._events.are_heard(FLOW):
            return 0
        own = self._room.datapaths.get(forms[0].datapath)
        if own is None:
            return 0
        flows = _new_flows(own, forms, requests)
        if flows:
            self._make(own, flows, forms)
            session.answers += [
                acknowledgement(flow.request, session.port)
                for flow, form in zip(flows, forms, strict=False)
                if form.acknowledged
            ]
        return len(flows)

    def _make(self, own: OwnDatapath, flows: Sequence[Flow], forms: Sequence[Form]) -> None:
        self._room.keep(*[own.flow_record(flow) for flow in flows])
        own.datapath.change(
            [
                PutEntry(
                    Entry(0, FLOW_PRIORITY, flow.key.match, form.translated.actions, flow.cookie)
                )
                for flow, form in zip(flows, forms, strict=False)
            ]
        )
        own.flows.add(flows)
        own.flows.generation += len(flows)


def _new_flows(own: OwnDatapath, forms: Sequence[Form], requests: Sequence[bytes]) -> list[Flow]:
    """As many as are in this datapath, familiar to it, and different from all others."""
    table = own.flows
    familiar = table.forms
    flows: list[Flow] = []
    identities: set[bytes] = set()
    keys: set[EntryKey] = set()
    for form, data in zip(forms, requests, strict=False):
        if form.datapath != own.number or form not in familiar:
            break
        identity, key = form.read(data, FLOW_PRIORITY)
        if (
            identity in identities
            or key in keys
            or table.find(identity) is not None
            or table.by_key(key) is not None
        ):
            break
        identities.add(identity)
        keys.add(key)
        flows.append(
            Flow(table.take_cookie(), identity, True, key, data, None,
                 form.translated.upcalls, None, form)
        )  # fmt: skip
    return flows
